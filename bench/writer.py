"""The application of the benchmarks, and the judge of what was restored.

Row n of table `rows` is a function of n alone, so the writer's record is one number, the last row whose COMMIT returned, and a restored
database is compared with it row by row. Every answer is one JSON document a line on stdout.

  writer.py fill DB --megabytes M [--page-size P]     a closed database of about M megabytes of text
  writer.py lone DB --commits K --least S --most S    single commits with random pauses, each with its time
  writer.py flood DB --seconds S                      one commit a row, as fast as SQLite takes them
  writer.py check DB --rows N                         integrity_check, and every row against the record; exit 1 if they differ
"""

import argparse
import json
import random
import sqlite3
import sys
import time

CORPUS_CHARACTERS = 1 << 20
LEAST_LENGTH = 80
MOST_LENGTH = 400


def make_corpus():
    dice = random.Random(20240607)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 11))) for _ in range(4000)]
    parts, length = [], 0
    while length < CORPUS_CHARACTERS + MOST_LENGTH:
        word = dice.choice(words) if dice.random() < 0.7 else str(dice.randrange(10**9))
        parts.append(word)
        length += len(word) + 1
    return " ".join(parts)


CORPUS = make_corpus()


def payload(n):
    spot = (n * 2654435761) & 0xFFFFFFFF
    start = spot % CORPUS_CHARACTERS
    return CORPUS[start : start + LEAST_LENGTH + spot % (MOST_LENGTH - LEAST_LENGTH)]


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def last_row(connection):
    return connection.execute("SELECT coalesce(max(n), 0) FROM rows").fetchone()[0]


def tell(**facts):
    print(json.dumps(facts), flush=True)


def fill(arguments):
    connection = sqlite3.connect(arguments.path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {arguments.page_size}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    n = 0
    while connection.execute("PRAGMA page_count").fetchone()[0] * arguments.page_size < arguments.megabytes * 1e6:
        more = max(10, int(arguments.megabytes * 40))
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", ((i, payload(i)) for i in range(n + 1, n + more + 1)))
        connection.execute("COMMIT")
        n += more
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()
    tell(rows=n, bytes=pages * arguments.page_size)


def lone(arguments):
    dice = random.Random(arguments.seed)
    connection = connect(arguments.path)
    n = last_row(connection)
    for _ in range(arguments.commits):
        time.sleep(dice.uniform(arguments.least, arguments.most))
        n += 1
        connection.execute("INSERT INTO rows VALUES (?, ?)", (n, payload(n)))
        tell(rows=n, committedNs=str(time.monotonic_ns()))
    sys.stdin.readline()
    connection.close()


def flood(arguments):
    connection = connect(arguments.path)
    n = first = last_row(connection)
    insert = "INSERT INTO rows VALUES (?, ?)"
    worst = 0
    start = before = time.monotonic_ns()
    end = start + int(arguments.seconds * 1e9)
    while before < end:
        n += 1
        connection.execute(insert, (n, payload(n)))
        now = time.monotonic_ns()
        if now - before > worst:
            worst = now - before
        before = now
    tell(rows=n, commits=n - first, seconds=(before - start) / 1e9, worstStallMs=worst / 1e6)
    sys.stdin.readline()
    connection.close()


def check(arguments):
    connection = sqlite3.connect(f"file:{arguments.path}?mode=ro", uri=True)
    verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    problem = None if verdict == "ok" else f"integrity_check: {verdict}"
    expected = 0
    for n, text in connection.execute("SELECT n, text FROM rows ORDER BY n"):
        expected += 1
        if problem is None and (n != expected or text != payload(n)):
            problem = f"row {expected} is not what was committed (found n = {n})"
    if problem is None and expected != arguments.rows:
        problem = f"{expected} rows, {arguments.rows} were committed"
    tell(rows=expected, problem=problem)
    sys.exit(0 if problem is None else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run in (fill, lone, flood, check):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        command.add_argument("path")
        if run is fill:
            command.add_argument("--megabytes", type=float, required=True)
            command.add_argument("--page-size", type=int, default=4096)
        if run is lone:
            command.add_argument("--commits", type=int, required=True)
            command.add_argument("--least", type=float, required=True)
            command.add_argument("--most", type=float, required=True)
            command.add_argument("--seed", type=int, default=1)
        if run is flood:
            command.add_argument("--seconds", type=float, required=True)
        if run is check:
            command.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
