"""Copies of databases in one storage."""

import os
from datetime import datetime
from typing import Any, List, Mapping, Optional, Sequence, Union

from .errors import UsageError, error_from_document
from .program import Program, environment, find_program, run_json
from .results import Compaction, Database, Restored, RestorePoints, Snapshot, Verification
from .watch import OnEvent, Watch

Path = Union[str, "os.PathLike[str]"]
#: A time (an aware datetime, or RFC 3339), or a TXID.
PointInTime = Union[str, int, datetime]


class Walrust:
    """Copies of databases in one storage.

    Args:
        bucket: a bucket's name, ``s3://bucket/prefix`` or ``file:///folder``.
        endpoint: URL of a storage that is not AWS.
        config: a walrust.toml; else that of the working directory, if it is there.
        program: the program, if it is not ``walrust`` on the PATH or what WALRUST_BIN names; a path, or a
            command with its first arguments such as ``["node", "dist/cli.js"]``.
        env: the environment that credentials come from; that of this process if not given.

    Every method raises a WalrustError when it fails.
    """

    def __init__(
        self,
        bucket: str,
        endpoint: Optional[str] = None,
        *,
        config: Optional[Path] = None,
        program: Optional[Program] = None,
        env: Optional[Mapping[str, str]] = None,
    ) -> None:
        self._env = environment(env)
        self._program = find_program(program, self._env)
        self._common = ["--bucket", bucket]
        if endpoint is not None:
            self._common += ["--endpoint", endpoint]
        if config is not None:
            self._common += ["--config", os.fspath(config)]

    def snapshot(self, database: Path) -> Snapshot:
        """Takes one full snapshot now, also beside a running watch of the same database."""
        return Snapshot.from_document(self._run("snapshot", [], [os.fspath(database)]))

    def restore(
        self,
        name: str,
        output: Path,
        point_in_time: Optional[PointInTime] = None,
        *,
        nearest: bool = False,
        force: bool = False,
        integrity_check: str = "quick",
    ) -> Restored:
        """Restores a database to ``output``, which appears whole or not at all.

        Args:
            point_in_time: the last commit at or before a time, or exactly a TXID; the latest state if not given.
            nearest: where the history of that time has a hole, take the point before it.
            force: replace ``output`` if it exists.
            integrity_check: SQLite's check of the result: ``none``, ``quick`` or ``full``.
        """
        options = ["--output", os.fspath(output), "--integrity-check", integrity_check]
        if point_in_time is not None:
            options += ["--point-in-time", _point_text(point_in_time)]
        options += _flags(nearest=nearest, force=force)
        return Restored.from_document(self._run("restore", options, [name]))

    def list(self) -> List[str]:
        """The names of the databases that the storage has."""
        return [database.name for database in self.databases()]

    def databases(self) -> List[Database]:
        """The databases that the storage has, with their newest TXID, age and size."""
        return [Database.from_document(document) for document in self._run("list")["databases"]]

    def restore_points(self, name: str) -> RestorePoints:
        """What can be restored of one database."""
        return RestorePoints.from_document(self._run("list", [], [name]))

    def verify(self, name: str, *, fix: bool = False, restore: bool = False) -> Verification:
        """Reads every byte of a backup. What is wrong with it is no exception, but in ``findings``.

        Args:
            fix: rewrite the manifest from the objects; what is lost stays lost.
            restore: also restore it to a temporary file, with a full check; raises what that fails with.
        """
        [document] = self._run("verify", _flags(fix=fix, restore=restore), [name])["databases"]
        if document["restore_error"] is not None:
            raise error_from_document(document["restore_error"])
        return Verification.from_document(document)

    def compact(
        self,
        name: str,
        *,
        force: bool = False,
        hourly: Optional[int] = None,
        daily: Optional[int] = None,
        weekly: Optional[int] = None,
        monthly: Optional[int] = None,
    ) -> Compaction:
        """Says what retention would delete and merge; does it only with ``force``.

        Args:
            hourly, daily, weekly, monthly: of how many hours, days, weeks and months a snapshot stays; what is
                not given is as configured.
        """
        options = _flags(force=force, hourly=hourly, daily=daily, weekly=weekly, monthly=monthly)
        return Compaction.from_document(self._run("compact", options, [name]))

    def watch(
        self, databases: Sequence[Path] = (), on_event: Optional[OnEvent] = None, **options: Any
    ) -> Watch:
        """Keeps copies of databases, paths or patterns, until it is stopped or this process ends.

        Args:
            databases: those of the configuration file if not given.
            on_event: called in a thread of its own with each event, as docs/json.md shows them.
            options: flags of ``walrust watch``: ``wal_sync_interval="500ms"``, ``no_metrics=True``.
        """
        if isinstance(databases, (str, os.PathLike)):
            databases = [databases]
        command = self._command("watch", _flags(**options), [os.fspath(database) for database in databases])
        return Watch(command, self._env, on_event)

    def _run(self, command: str, options: Sequence[str] = (), operands: Sequence[str] = ()) -> Any:
        return run_json(self._command(command, options, operands), self._env)

    def _command(self, command: str, options: Sequence[str], operands: Sequence[str]) -> List[str]:
        # behind `--` a name that begins with a dash is no option
        return [*self._program, command, "--json", *options, *self._common, "--", *operands]


def snapshot(database: Path, bucket: str, endpoint: Optional[str] = None) -> Snapshot:
    """See Walrust.snapshot()."""
    return Walrust(bucket, endpoint).snapshot(database)


def restore(
    name: str,
    output: Path,
    bucket: str,
    endpoint: Optional[str] = None,
    point_in_time: Optional[PointInTime] = None,
) -> Restored:
    """See Walrust.restore()."""
    return Walrust(bucket, endpoint).restore(name, output, point_in_time)


def list_databases(bucket: str, endpoint: Optional[str] = None) -> List[str]:
    """See Walrust.list()."""
    return Walrust(bucket, endpoint).list()


def _point_text(point: PointInTime) -> str:
    if not isinstance(point, datetime):
        return str(point)
    if point.tzinfo is None:
        raise UsageError(f"{point!r} has no time zone", code="USAGE", exit_code=2)
    return point.isoformat(timespec="milliseconds")


def _flags(**options: Any) -> List[str]:
    """``no_metrics=True, wal_sync_interval="1s"``: what is False or None is not said."""
    flags: List[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            flags.append(flag)
        elif value is not None and value is not False:
            flags += [flag, str(value)]
    return flags
