"""What the program answers. Sizes are bytes, times are aware datetimes in UTC."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, List, Mapping, Optional

Document = Mapping[str, Any]


def parse_time(text: Optional[str]) -> Optional[datetime]:
    """RFC 3339 in UTC, as walrust writes it."""
    if text is None:
        return None
    parsed = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    return parsed.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Snapshot:
    name: str
    path: str
    #: The object in storage.
    key: str
    txid: int
    size: int
    #: ``daemon`` if one watches the database, else ``here``.
    taken_by: str

    @classmethod
    def from_document(cls, document: Document) -> "Snapshot":
        return cls(**_fields(document, "name", "path", "key", "txid", "size", "taken_by"))


@dataclass(frozen=True)
class Restored:
    name: str
    #: The file that was written, symbolic links resolved.
    path: str
    txid: int
    timestamp: Optional[datetime]
    #: ``exact``; ``after-last`` where the time asked for is after the last known commit; ``nearest``.
    match: str
    head_txid: int
    #: ``ok``, ``missing`` or ``damaged``; without a sound one nobody knows whether newer objects are gone.
    manifest: str
    size: int
    #: Keys of damaged files that another way was found around.
    damaged: List[str]

    @classmethod
    def from_document(cls, document: Document) -> "Restored":
        names = ("name", "path", "txid", "match", "head_txid", "manifest", "size", "damaged")
        return cls(timestamp=parse_time(document["timestamp"]), **_fields(document, *names))


@dataclass(frozen=True)
class Database:
    name: str
    #: ``walrust``, or ``litestream`` for what that wrote.
    layout: str
    #: The newest TXID that a file holds.
    txid: int
    last_modified: Optional[datetime]
    #: None: nothing can be restored.
    snapshot_txid: Optional[int]
    snapshot_modified: Optional[datetime]
    files: int
    size: int

    @classmethod
    def from_document(cls, document: Document) -> "Database":
        return cls(
            last_modified=parse_time(document["last_modified"]),
            snapshot_modified=parse_time(document["snapshot_modified"]),
            **_fields(document, "name", "layout", "txid", "snapshot_txid", "files", "size"),
        )


@dataclass(frozen=True)
class RestorePoint:
    txid: int
    timestamp: Optional[datetime]
    is_snapshot: bool
    #: The single commits between the point before and this one are not known.
    after_hole: bool

    @classmethod
    def from_document(cls, document: Document) -> "RestorePoint":
        return cls(
            timestamp=parse_time(document["timestamp"]),
            **_fields(document, "txid", "is_snapshot", "after_hole"),
        )


@dataclass(frozen=True)
class RestorePoints:
    name: str
    #: The newest TXID ever published: if it is not the last point's, something is lost.
    head_txid: int
    #: What can be restored, ascending.
    points: List[RestorePoint]
    #: Keys that the manifest names, and that are gone.
    missing: List[str]
    manifest: str

    @classmethod
    def from_document(cls, document: Document) -> "RestorePoints":
        return cls(
            points=[RestorePoint.from_document(point) for point in document["points"]],
            **_fields(document, "name", "head_txid", "missing", "manifest"),
        )


@dataclass(frozen=True)
class TxidRange:
    min_txid: int
    max_txid: int


@dataclass(frozen=True)
class Finding:
    #: ``missing``, ``damaged``, ``hole``, ``chain`` or ``manifest``.
    kind: str
    code: str
    #: Key of the object that is to blame, or that shows it.
    object: str
    message: str
    #: The restore points that it costs.
    lost: List[TxidRange]
    fixed: bool

    @classmethod
    def from_document(cls, document: Document) -> "Finding":
        return cls(
            lost=_ranges(document["lost"]),
            **_fields(document, "kind", "code", "object", "message", "fixed"),
        )


@dataclass(frozen=True)
class Fix:
    #: ``written``, ``unchanged`` or ``impossible``.
    manifest: str
    named: int
    forgotten: List[str]


@dataclass(frozen=True)
class Verification:
    name: str
    #: Nothing is wrong, or not any more.
    ok: bool
    findings: List[Finding]
    #: The restore points that all findings together cost.
    lost: List[TxidRange]
    restore_points: int
    newest_restorable_txid: Optional[int]
    head_txid: int
    manifest: str
    #: What became of the manifest; None unless asked for.
    fix: Optional[Fix]
    files: int
    size: int

    @classmethod
    def from_document(cls, document: Document) -> "Verification":
        fix = document["fix"]
        names = (
            "name",
            "ok",
            "restore_points",
            "newest_restorable_txid",
            "head_txid",
            "manifest",
            "files",
            "size",
        )
        return cls(
            findings=[Finding.from_document(finding) for finding in document["findings"]],
            lost=_ranges(document["lost"]),
            fix=None if fix is None else Fix(**_fields(fix, "manifest", "named", "forgotten")),
            **_fields(document, *names),
        )


@dataclass(frozen=True)
class KeptSnapshot:
    key: str
    txid: int
    timestamp: Optional[datetime]
    size: int
    #: ``newest``, ``hourly``, ``daily``, ``weekly``, ``monthly``, ``base``, ``unsettled``.
    reasons: List[str]

    @classmethod
    def from_document(cls, document: Document) -> "KeptSnapshot":
        return cls(
            timestamp=parse_time(document["timestamp"]),
            **_fields(document, "key", "txid", "size", "reasons"),
        )


@dataclass(frozen=True)
class Merge:
    key: str
    min_txid: int
    max_txid: int
    #: Keys of the files in place of which it is; they are deleted.
    sources: List[str]
    #: None as long as it is only planned.
    size: Optional[int]


@dataclass(frozen=True)
class Deletion:
    key: str
    size: int
    is_snapshot: bool
    #: ``expired`` or ``superseded``.
    why: str


@dataclass(frozen=True)
class Compaction:
    name: str
    #: False: nothing was changed.
    done: bool
    snapshots: List[KeptSnapshot]
    merges: List[Merge]
    deletions: List[Deletion]
    size_before: int
    #: As long as it is only planned: what remains at most.
    size_after: int

    @classmethod
    def from_document(cls, document: Document) -> "Compaction":
        merge = ("key", "min_txid", "max_txid", "sources", "size")
        deletion = ("key", "size", "is_snapshot", "why")
        return cls(
            snapshots=[KeptSnapshot.from_document(snapshot) for snapshot in document["snapshots"]],
            merges=[Merge(**_fields(one, *merge)) for one in document["merges"]],
            deletions=[Deletion(**_fields(one, *deletion)) for one in document["deletions"]],
            **_fields(document, "name", "done", "size_before", "size_after"),
        )


def _ranges(documents: List[Document]) -> List[TxidRange]:
    return [TxidRange(**_fields(document, "min_txid", "max_txid")) for document in documents]


def _fields(document: Document, *names: str) -> Any:
    """Documents may have more in them than this version knows."""
    return {name: document[name] for name in names}
