"""Continuous, verified backup of live SQLite databases, to S3-compatible storage or a folder.

This package drives the program ``walrust``. It never touches a database itself.
"""

from .client import PointInTime, Walrust, list_databases, restore, snapshot
from .errors import (
    DatabaseError,
    IntegrityError,
    RestoreError,
    StorageError,
    UsageError,
    WalrustError,
)
from .results import (
    Compaction,
    Database,
    Deletion,
    Finding,
    Fix,
    KeptSnapshot,
    Merge,
    Restored,
    RestorePoint,
    RestorePoints,
    Snapshot,
    TxidRange,
    Verification,
)
from .watch import Watch

__version__ = "0.1.0"

__all__ = [
    "Compaction",
    "Database",
    "DatabaseError",
    "Deletion",
    "Finding",
    "Fix",
    "IntegrityError",
    "KeptSnapshot",
    "Merge",
    "PointInTime",
    "RestoreError",
    "RestorePoint",
    "RestorePoints",
    "Restored",
    "Snapshot",
    "StorageError",
    "TxidRange",
    "UsageError",
    "Verification",
    "Walrust",
    "WalrustError",
    "Watch",
    "list_databases",
    "restore",
    "snapshot",
]
