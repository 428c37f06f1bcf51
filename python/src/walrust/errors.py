"""Errors, as the program tells them."""

from typing import Any, Mapping, Optional


class WalrustError(RuntimeError):
    """Something went wrong; ``code`` says what, the message to which object or file.

    Attributes:
        code: what happened, such as ``STORAGE_AUTH``; the codes are those of ``--json``.
        exit_code: the program's exit code, 1 to 6.
        hint: what to do about it, or None.
        retryable: whether a later try can succeed by itself.
        details: facts for programs.
    """

    def __init__(
        self,
        message: str,
        code: str = "INTERNAL",
        exit_code: int = 1,
        hint: Optional[str] = None,
        retryable: bool = False,
        details: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.exit_code = exit_code
        self.hint = hint
        self.retryable = retryable
        self.details = dict(details or {})

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message} ({self.hint})"


class UsageError(WalrustError):
    """Exit code 2: what was asked for cannot be meant, or the configuration has a mistake."""


class DatabaseError(WalrustError):
    """Exit code 3: the database is missing, not SQLite, not in WAL mode, or cannot be locked."""


class StorageError(WalrustError):
    """Exit code 4: credentials, network, bucket, or another writer."""


class IntegrityError(WalrustError):
    """Exit code 5: a checksum, a broken chain, something that is gone."""


class RestoreError(WalrustError):
    """Exit code 6: no snapshot, or a point that cannot be reached."""


_BY_EXIT_CODE = {2: UsageError, 3: DatabaseError, 4: StorageError, 5: IntegrityError, 6: RestoreError}


def error_from_document(document: Mapping[str, Any]) -> WalrustError:
    """The exception for the ``error`` of an error document."""
    exit_code = int(document.get("exit_code", 1))
    return _BY_EXIT_CODE.get(exit_code, WalrustError)(
        str(document.get("message", "")),
        code=str(document.get("code", "INTERNAL")),
        exit_code=exit_code,
        hint=document.get("hint"),
        retryable=bool(document.get("retryable", False)),
        details=document.get("details"),
    )
