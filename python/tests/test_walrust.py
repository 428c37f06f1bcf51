"""Drives the real program, with a folder as storage. Run with WALRUST_BIN=dist/cli.js."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

import walrust
from walrust import DatabaseError, RestoreError, StorageError, UsageError, Walrust, WalrustError

LIMIT_S = 60.0


def until(what, condition):
    """Waits for a condition, with a limit."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.02)


class WithStorage(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="walrust-python-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.storage = self.folder / "storage"
        self.storage.mkdir()
        self.bucket = self.storage.as_uri()
        self.walrust = Walrust(self.bucket)
        self.database = self.folder / "app.db"
        self.app = sqlite3.connect(str(self.database))
        self.addCleanup(self.app.close)
        self.app.execute("PRAGMA journal_mode = WAL")
        self.app.execute("CREATE TABLE notes (text)")
        self.note("first")

    def note(self, text):
        with self.app:
            self.app.execute("INSERT INTO notes VALUES (?)", (text,))

    def notes_in(self, path):
        connection = sqlite3.connect(str(path))
        try:
            return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]
        finally:
            connection.close()

    def restored(self, **options):
        out = self.folder / f"out-{len(list(self.folder.iterdir()))}.db"
        result = self.walrust.restore("app", out, **options)
        return result, self.notes_in(out)


class TheOriginalsApi(WithStorage):
    def test_snapshot_list_restore(self):
        self.walrust.snapshot(str(self.database))
        self.assertEqual(self.walrust.list(), ["app"])
        self.assertIn("app", self.walrust.list())
        self.walrust.restore("app", str(self.folder / "out.db"))
        self.assertEqual(self.notes_in(self.folder / "out.db"), ["first"])

    def test_functions_of_the_module(self):
        walrust.snapshot(str(self.database), self.bucket)
        self.assertEqual(walrust.list_databases(self.bucket), ["app"])
        walrust.restore("app", str(self.folder / "out.db"), self.bucket, point_in_time="1")
        self.assertEqual(self.notes_in(self.folder / "out.db"), ["first"])

    def test_errors_are_runtime_errors(self):
        with self.assertRaises(RuntimeError):
            self.walrust.snapshot(str(self.folder / "gone.db"))


class Results(WithStorage):
    def test_snapshot(self):
        taken = self.walrust.snapshot(self.database)
        self.assertEqual((taken.name, taken.taken_by), ("app", "here"))
        self.assertEqual((self.storage / taken.key).stat().st_size, taken.size)
        self.assertEqual(taken.path, os.path.realpath(self.database))

    def test_databases_and_restore_points(self):
        taken = self.walrust.snapshot(self.database)
        [database] = self.walrust.databases()
        self.assertEqual((database.name, database.txid, database.files), ("app", taken.txid, 1))
        self.assertLess(abs(datetime.now(timezone.utc) - database.last_modified), timedelta(minutes=5))
        points = self.walrust.restore_points("app")
        self.assertEqual([point.txid for point in points.points], [taken.txid])
        self.assertTrue(points.points[0].is_snapshot)
        self.assertEqual((points.head_txid, points.missing), (taken.txid, []))

    def test_points_in_time(self):
        first = self.walrust.snapshot(self.database)
        [point] = self.walrust.restore_points("app").points
        self.note("second")
        self.walrust.snapshot(self.database)
        for at in (first.txid, str(first.txid), point.timestamp, point.timestamp.isoformat()):
            result, notes = self.restored(point_in_time=at)
            self.assertEqual((result.txid, result.match, notes), (first.txid, "exact", ["first"]), at)
        elsewhere = point.timestamp.astimezone(timezone(timedelta(hours=5, minutes=30)))
        self.assertEqual(self.restored(point_in_time=elsewhere)[0].txid, first.txid)
        later = datetime.now(timezone.utc) + timedelta(days=1)
        result, notes = self.restored(point_in_time=later)
        self.assertEqual((result.match, notes), ("after-last", ["first", "second"]))
        with self.assertRaises(UsageError):
            self.restored(point_in_time=datetime.now())

    def test_an_output_that_exists(self):
        self.walrust.snapshot(self.database)
        out = self.folder / "precious.db"
        out.write_text("precious")
        with self.assertRaises(UsageError) as raised:
            self.walrust.restore("app", out)
        self.assertEqual(raised.exception.code, "OUTPUT_EXISTS")
        self.assertEqual(out.read_text(), "precious")
        self.walrust.restore("app", out, force=True, integrity_check="full")
        self.assertEqual(self.notes_in(out), ["first"])

    def test_verify(self):
        taken = self.walrust.snapshot(self.database)
        sound = self.walrust.verify("app", restore=True)
        self.assertEqual((sound.ok, sound.findings, sound.fix), (True, [], None))
        self.assertEqual((sound.newest_restorable_txid, sound.restore_points), (taken.txid, 1))

        (self.storage / "app" / "manifest.json").write_text("{")
        [finding] = self.walrust.verify("app").findings
        self.assertEqual((finding.kind, finding.object), ("damaged", "app/manifest.json"))
        fixed = self.walrust.verify("app", fix=True)
        self.assertEqual((fixed.ok, fixed.fix.manifest, fixed.fix.named), (True, "written", 1))
        self.assertTrue(fixed.findings[0].fixed)

        (self.storage / taken.key).unlink()
        lost = self.walrust.verify("app")
        self.assertFalse(lost.ok)
        self.assertEqual([(one.min_txid, one.max_txid) for one in lost.lost], [(taken.txid, taken.txid)])


    def test_compact(self):
        for text in ("second", "third"):
            self.walrust.snapshot(self.database)
            self.note(text)
        newest = self.walrust.snapshot(self.database)
        objects = len(list(self.storage.rglob("*.ltx")))
        planned = self.walrust.compact("app", hourly=1, daily=0, weekly=0, monthly=0)
        self.assertFalse(planned.done)
        self.assertEqual(len(list(self.storage.rglob("*.ltx"))), objects)
        done = self.walrust.compact("app", hourly=1, daily=0, weekly=0, monthly=0, force=True)
        self.assertTrue(done.done)
        self.assertEqual([snapshot.key for snapshot in done.snapshots], [newest.key])
        self.assertIn("newest", done.snapshots[0].reasons)
        self.assertEqual({one.key for one in done.deletions}, {one.key for one in planned.deletions})
        left = {path.name for path in self.storage.rglob("*.ltx")}
        self.assertFalse(left & {one.key.rsplit("/", 1)[1] for one in done.deletions})
        self.assertLess(done.size_after, done.size_before)
        self.assertEqual(self.restored()[1], ["first", "second", "third"])


class Errors(WithStorage):
    def caught(self, kind, act):
        with self.assertRaises(kind) as raised:
            act()
        self.assertIsInstance(raised.exception, WalrustError)
        return raised.exception

    def test_each_kind(self):
        error = self.caught(RestoreError, lambda: self.walrust.restore("nobody", self.folder / "out.db"))
        self.assertEqual((error.code, error.exit_code, error.retryable), ("RESTORE_NOTHING", 6, False))
        self.assertIn("walrust list", error.hint)
        self.assertIn("nobody", str(error))
        error = self.caught(DatabaseError, lambda: self.walrust.snapshot(self.folder / "gone.db"))
        self.assertEqual((error.code, error.exit_code), ("DATABASE_NOT_FOUND", 3))
        error = self.caught(StorageError, lambda: Walrust((self.folder / "gone").as_uri()).list())
        self.assertEqual((error.code, error.exit_code), ("STORAGE_BUCKET_NOT_FOUND", 4))
        error = self.caught(UsageError, lambda: Walrust("ftp://copies").list())
        self.assertEqual((error.code, error.exit_code), ("CONFIG_INVALID", 2))

    def test_details(self):
        self.walrust.snapshot(self.database)
        error = self.caught(RestoreError, lambda: self.restored(point_in_time=99))
        self.assertEqual(error.details["last_txid"], "1")

    def test_a_name_that_looks_like_an_option(self):
        self.caught(RestoreError, lambda: self.walrust.restore("--nobody", self.folder / "out.db"))

    def test_a_program_that_is_not_there(self):
        error = self.caught(UsageError, lambda: Walrust(self.bucket, program="walrust-is-not-there"))
        self.assertIn("npm install", error.hint)

    def test_a_program_that_is_another_one(self):
        other = Walrust(self.bucket, program=[sys.executable, "-c", "import sys; sys.exit('not walrust')"])
        error = self.caught(WalrustError, other.list)
        self.assertEqual(error.code, "INTERNAL")
        self.assertIn("not walrust", str(error))


class Watching(WithStorage):
    def watch(self, **options):
        self.events = []
        options = {"wal_sync_interval": "50ms", "no_metrics": True, **options}
        watch = self.walrust.watch([self.database], self.events.append, **options)
        self.addCleanup(self.stop_quietly, watch)
        return watch

    def stop_quietly(self, watch):
        try:
            watch.stop()
        except WalrustError:
            pass

    def events_of(self, kind):
        return [event for event in self.events if event["type"] == kind]

    def test_until_it_is_stopped(self):
        with self.watch() as watch:
            until("the first snapshot", lambda: self.events_of("snapshot"))
            self.note("second")
            self.assertFalse(watch.ended)
            self.assertIsNotNone(watch.pid)
        self.assertTrue(watch.ended)
        self.assertEqual(self.events[-1]["unpublished"], 0)
        self.assertEqual(self.restored()[1], ["first", "second"])

    def test_started_again_when_it_dies(self):
        watch = self.watch()
        until("the daemon is up", lambda: self.events_of("opened"))
        os.kill(watch.pid, signal.SIGKILL)
        until("the next daemon is up", lambda: len(self.events_of("opened")) == 2)
        watch.stop()

    def test_a_mistake_ends_it(self):
        watch = self.watch(wal_sync_interval="soon")
        with self.assertRaises(UsageError):
            watch.wait(LIMIT_S)
        self.assertTrue(watch.ended)

    def test_it_does_not_outlive_this_process(self):
        program = (
            "import sys, walrust\n"
            "watch = walrust.Walrust(sys.argv[1]).watch([sys.argv[2]], no_metrics=True,\n"
            "    on_event=lambda event: event['type'] == 'opened' and print(watch.pid, flush=True))\n"
            "watch.wait()\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", program, self.bucket, str(self.database)], stdout=subprocess.PIPE
        )
        with parent.stdout:
            pid = int(parent.stdout.readline())
            parent.kill()
            parent.wait()
            # its output ends with it
            self.assertEqual(parent.stdout.read(), b"")
        until("the daemon is gone", lambda: not is_running(pid))


def is_running(pid):
    """A process that nobody waits for stays as a zombie in some containers: it does not run either."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, check=False).stdout
    return state != b"" and not state.startswith(b"Z")


if __name__ == "__main__":
    unittest.main()
