"""An application of a long run: writes databases of bounded size whose content follows from how far it has come.

    python3 application.py '{"role": "steady", "databases": ["/x/busy.db"], "rate": 100, "slots": 4000, "seed": 1}'

A database is a ring of `slots` rows: transaction after transaction, row `seq % slots` gets the content of `seq` (content_of in records.ts
says the same), and table `last` says how far it is, within the same transaction. `life` counts how often the file was made anew.

Roles: steady (commits at `rate`, autocheckpoint as it comes), bursty (bursts and pauses), brief (open, commit, close), quiet (seldom, one
database of many), tended (VACUUM, and checkpoints in all modes), read (steady, with transactions of a reader that stay open for long),
coming (files that appear and vanish).

Reads lines on stdin: `pause`, `go`, `stop`. Prints one JSON object a line, twice a second and after each of those:
    {"paused": false, "commits": 50, "locked": 0, "stallsMs": [0.2, ...], "databases": {"/x/busy.db": [life, acknowledged, begun, there]}}
`stallsMs`: the slowest commits since the line before, and every 20th other one. `locked`: transactions that were refused although they waited.
"""
import json
import os
import random
import sqlite3
import sys
import threading
import time

options = json.loads(sys.argv[1])
chance = random.Random(options["seed"])
slots = options.get("slots", 300)
rate = options.get("rate", 10)
role = options["role"]
BUSY_TIMEOUT_S = 10
orders = []
asked = threading.Condition()


def listen():
    for line in sys.stdin:
        with asked:
            orders.append(line.strip())
            asked.notify()
    with asked:
        orders.append("stop")
        asked.notify()


def content_of(life, seq):
    return (f"{life}.{seq}:" * 300)[: 100 + seq * 7919 % 800]


class Ring:
    """One database."""

    def __init__(self, path):
        self.path = path
        self.life = 0
        self.acknowledged = self.begun = 0
        self.connection = None

    def open(self):
        if self.connection is None:
            self.connection = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
            self.connection.execute("PRAGMA synchronous=NORMAL")
        return self.connection

    def create(self):
        connection = self.open()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS ring(slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, content TEXT NOT NULL)")
        connection.execute("CREATE TABLE IF NOT EXISTS last(id INTEGER PRIMARY KEY, life INTEGER NOT NULL, seq INTEGER NOT NULL)")
        connection.execute("INSERT OR IGNORE INTO last VALUES(1, ?, 0)", (self.life,))
        connection.execute("COMMIT")

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def commit(self, rows=1):
        connection = self.open()
        first, last = self.acknowledged + 1, self.acknowledged + rows
        self.begun = last
        begun = time.perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO ring VALUES(?, ?, ?)",
                ((seq % slots, seq, content_of(self.life, seq)) for seq in range(first, last + 1)),
            )
            connection.execute("UPDATE last SET seq=?", (last,))
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if "locked" not in str(error):
                raise
            report.locked += 1
            return
        self.acknowledged = last
        report.commits += 1
        report.stalls.append((time.perf_counter() - begun) * 1000)

    def vanish(self):
        self.close()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(self.path + suffix):
                os.remove(self.path + suffix)


class Report:
    def __init__(self):
        self.said = 0.0
        self.clear()

    def clear(self):
        self.commits = self.locked = 0
        self.stalls = []

    def say(self, paused):
        slowest = sorted(self.stalls, reverse=True)
        line = {
            "paused": paused,
            "commits": self.commits,
            "locked": self.locked,
            "stallsMs": [round(ms, 2) for ms in slowest[:5] + slowest[5::20]],
            "databases": {ring.path: [ring.life, ring.acknowledged, ring.begun, os.path.exists(ring.path)] for ring in rings},
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        self.said = time.monotonic()
        self.clear()


report = Report()
rings = [Ring(path) for path in options["databases"]]


def until(seconds):
    """Waits; ends the program, or rests, if told to."""
    end = time.monotonic() + seconds
    resting = False
    while True:
        now = time.monotonic()
        if now - report.said > 0.5 and not resting:
            report.say(False)
        if now >= end and not resting:
            return
        with asked:
            if not orders:
                asked.wait(None if resting else min(0.25, max(0, end - now)))
            order = orders.pop(0) if orders else None
        if order == "pause":
            resting = True
            report.say(True)
        elif order == "go":
            resting = False
        elif order == "stop":
            report.say(True)
            for ring in rings:
                ring.close()
            sys.exit(0)


def rows():
    """Of a transaction: mostly few, now and then so many that the cache spills."""
    return slots // 2 if chance.random() < 0.002 else chance.randint(1, 5)


def steady():
    for ring in rings:
        ring.create()
    next_write = time.monotonic()
    while True:
        for ring in rings:
            ring.commit(rows())
        next_write = max(next_write + 1 / rate, time.monotonic() - 0.1)
        until(next_write - time.monotonic())


def bursty():
    for ring in rings:
        ring.create()
    while True:
        ring = chance.choice(rings)
        for _ in range(chance.randint(10, 150)):
            ring.commit(rows())
            until(0)
        until(chance.uniform(0.2, 6))


def brief():
    for ring in rings:
        ring.create()
    while True:
        for ring in rings:
            ring.commit(rows())
            # the last close deletes the log
            ring.close()
        until(1 / rate)


def quiet():
    for ring in rings:
        ring.create()
        ring.commit(rows())
        if chance.random() < 0.7:
            ring.close()
        until(0)
    while True:
        ring = chance.choice(rings)
        stays_open = ring.connection is not None
        for _ in range(chance.randint(1, 3)):
            ring.commit(rows())
        if not stays_open:
            ring.close()
        until(1 / rate)


def tended():
    (ring,) = rings
    ring.create()
    while True:
        for _ in range(chance.randint(5, 40)):
            ring.commit(rows())
            until(1 / rate)
        mode = chance.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE", "VACUUM"))
        connection = ring.open()
        try:
            connection.execute("PRAGMA busy_timeout=200")
            connection.execute("VACUUM" if mode == "VACUUM" else f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        finally:
            connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")


def read():
    (ring,) = rings
    ring.create()
    reader = sqlite3.connect(ring.path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    while True:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM ring").fetchone()
        end = time.monotonic() + chance.uniform(3, 15)
        while time.monotonic() < end:
            ring.commit(rows())
            until(1 / rate)
        reader.execute("COMMIT")
        # Transactions of readers without a gap would keep SQLite itself from ever beginning its log anew.
        end = time.monotonic() + chance.uniform(0.5, 3)
        while time.monotonic() < end:
            ring.commit(rows())
            until(1 / rate)


def coming():
    while True:
        ring = chance.choice(rings)
        if os.path.exists(ring.path):
            ring.vanish()
        else:
            ring.life += 1
            ring.acknowledged = ring.begun = 0
            ring.create()
        for _ in range(chance.randint(5, 30)):
            for there in rings:
                if os.path.exists(there.path):
                    there.commit(rows())
            until(1 / rate)


threading.Thread(target=listen, daemon=True).start()
ROLES = {"steady": steady, "bursty": bursty, "brief": brief, "quiet": quiet, "tended": tended, "read": read, "coming": coming}
ROLES[role]()
