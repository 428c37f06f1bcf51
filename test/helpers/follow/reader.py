"""Readers of a replica: one process with a few connections that read transaction after transaction.

    python3 reader.py REPLICA '{"holdMs": 30}'

Each transaction must be one state: all of the counts are what `last` says, and never fewer than before. Prints one JSON object a line:
    {"n": 17}                    a state that was not seen before
    {"reads": 812, "busy": 3}    the last line, after SIGTERM
and ends with 1 and a message on stderr at the first state that is none. Options (JSON): `last` and `counts`, SQL that gives a number each;
`holdMs`, how long a transaction stays open; `readOnly`, opens with mode=ro; `mayBeHot`, a reader that may not write is told to wait
while a crash is not yet rolled back.
"""
import json
import signal
import sqlite3
import sys
import time

path = sys.argv[1]
options = json.loads(sys.argv[2])
stopped = False


def stop(_signal, _frame):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
mode = "ro" if options.get("readOnly") else "rw"
connection = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None, timeout=20)
seen = -1
reads = busy = 0
while not stopped:
    try:
        connection.execute("BEGIN")
        (n,) = connection.execute(options["last"]).fetchone()
        time.sleep(options.get("holdMs", 0) / 1000)
        counts = [connection.execute(sql).fetchone()[0] for sql in options["counts"]]
        if reads % 10 == 0:
            (ok,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            assert ok == "ok", ok
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        is_hot = options.get("mayBeHot") and "readonly" in str(error)
        assert is_hot or "locked" in str(error), str(error)
        busy += 1
        time.sleep(0.002)
        continue
    assert all(count == n for count in counts), f"half a state: {counts} of {n}"
    assert n >= seen, f"backwards: {n} after {seen}"
    reads += 1
    if n > seen:
        print(json.dumps({"n": n}), flush=True)
    seen = n
print(json.dumps({"reads": reads, "busy": busy}), flush=True)
