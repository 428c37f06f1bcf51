"""A real application for end-to-end tests: writes rows whose content follows from their number.

    python3 writer.py '{"database": "app.db", "rate": 500}'

Options (JSON): see WriterOptions in start-writer.ts. Prints one JSON object a line:
    {"ready": true}              the tables exist, the first transaction may follow
    {"acknowledged": 17}         every row up to this one is committed; at most one line each 2 ms
    {"report": {...}}            the last line, after SIGTERM or `transactions`
"""
import json
import random
import signal
import sqlite3
import sys
import time

options = json.loads(sys.argv[1])
chance = random.Random(options.get("seed", 1))
rate = options.get("rate", 0)
modes = options.get("checkpoints", [])
checkpoint_every = options.get("checkpointEveryMs", 50) / 1000
busy_timeout_ms = options.get("busyTimeoutMs", 5000)
report = {"transactions": 0, "rows": 0, "busy": 0, "slowestCommitMs": 0.0, "checkpoints": []}
stopped = False


def stop(_signal, _frame):
    global stopped
    stopped = True


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def body(seq):
    """The same as bodyOf in assert-prefix.ts."""
    return (f"{seq}:" * 200)[: 20 + seq * 7919 % 400]


def connect():
    connection = sqlite3.connect(options["database"], isolation_level=None, timeout=busy_timeout_ms / 1000)
    connection.execute(f"PRAGMA synchronous={options.get('synchronous', 'NORMAL')}")
    connection.execute(f"PRAGMA wal_autocheckpoint={options.get('autocheckpoint', 1000)}")
    if "cachePages" in options:
        connection.execute(f"PRAGMA cache_size={options['cachePages']}")
    return connection


def create(connection):
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        connection.execute(f"PRAGMA page_size={options.get('pageSize', 4096)}")
        connection.execute(f"PRAGMA auto_vacuum={options.get('autoVacuum', 'NONE')}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, body TEXT NOT NULL)")
    connection.execute("CREATE INDEX IF NOT EXISTS log_body ON log(body)")
    # Written in each transaction: shows a state that mixes two of them.
    connection.execute("CREATE TABLE IF NOT EXISTS last(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL)")
    connection.execute("INSERT OR IGNORE INTO last VALUES(1, 0)")


def write(connection, first, rows):
    """One transaction. Returns the last row's number."""
    last = first + rows - 1
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany("INSERT INTO log(seq, body) VALUES(?, ?)", ((n, body(n)) for n in range(first, last + 1)))
        connection.execute("UPDATE last SET seq=?", (last,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return last


def roll_back(connection, first):
    """Leaves frames with current salts behind the end of the log: the cache spills, then everything is undone."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO log(seq, body) VALUES(?, ?)", ((n, "never " * 50) for n in range(first, first + 300)))
    connection.execute("ROLLBACK")


def checkpoint(connection):
    mode = chance.choice(modes)
    begun = time.perf_counter()
    busy, log, done = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    ms = (time.perf_counter() - begun) * 1000
    report["checkpoints"].append({"mode": mode, "ok": busy == 0 and (mode == "PASSIVE" or log == done), "ms": round(ms, 2)})


def main():
    signal.signal(signal.SIGTERM, stop)
    connection = connect()
    create(connection)
    seq = connection.execute("SELECT seq FROM last").fetchone()[0]
    say(ready=True, acknowledged=seq)
    said = next_checkpoint = next_write = time.monotonic()
    while not stopped and report["transactions"] < options.get("transactions", 1 << 60):
        number = report["transactions"] + 1
        large = options.get("largeEvery", 0)
        rows = options.get("largeRows", 2000) if large and number % large == 0 else options.get("rowsPerTransaction", 1)
        begun = time.perf_counter()
        try:
            seq = write(connection, seq + 1, rows)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            report["busy"] += 1
            continue
        report["slowestCommitMs"] = max(report["slowestCommitMs"], round((time.perf_counter() - begun) * 1000, 2))
        report["transactions"] = number
        report["rows"] += rows
        now = time.monotonic()
        if rate or now - said > 0.002:
            say(acknowledged=seq)
            said = now
        if options.get("rollbackEvery", 0) and number % options["rollbackEvery"] == 0:
            roll_back(connection, seq + 1)
        if options.get("vacuumEvery", 0) and number % options["vacuumEvery"] == 0:
            connection.execute("VACUUM")
        if modes and now >= next_checkpoint:
            checkpoint(connection)
            next_checkpoint = time.monotonic() + checkpoint_every
        if options.get("reopen", False):
            connection.close()
            connection = connect()
        if rate:
            next_write = max(next_write + 1 / rate, now - 0.1)
            time.sleep(max(0, next_write - time.monotonic()))
    say(acknowledged=seq)
    connection.close()
    say(report=report)


main()
