"""Claims on SQLite and PostgreSQL, against their bare drivers, with 1, 4 and 16 writers at once.

A writer is a process with a ledger of its own, as a bot is: a file, or a schema of one server. A
claim is one order, claimed and sent in one commit. The bare driver inserts a row as long into a
table of its own, one commit each. All four are taken by turns in one run. Then a ledger of each
kind that holds many rows: what a claim, a look-up of an old key and an opening cost there.

The server is the one that pip brings, unless WATCHKEEPER_BENCH_DATABASE holds an address.
"""

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.bare_claims import BARE_INSERT, BARE_TABLE, BODY
from benchmarks.common import Options, Result, median, percentile, say, scratch
from benchmarks.live import FIRST_NS, intent
from decisions.order_keys import client_order_id
from persistence.entries import Claim, fingerprint
from persistence.ledger import Ledger, SqliteLedger
from persistence.ledger_place import LedgerPlace

URL_ENV = "WATCHKEEPER_BENCH_DATABASE"
WRITERS = (1, 4, 16)
KINDS = ("bare sqlite3", "SQLite ledger", "bare psycopg", "PostgreSQL ledger")
GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)
_COPY = 10_000


def run(options: Options) -> list[Result]:
    """Measure; without a server nothing of it can be."""
    with scratch(options) as folder, _database() as reason:
        if reason:
            return [Result(name="postgres", note=reason)]
        return [*_writers(folder, options), *_growth(folder, options)]


# ---------------------------------------------------------------- writers at once


def _writers(folder: Path, options: Options) -> Iterator[Result]:
    seconds, rounds = options.pick(1, 3), options.pick(2, 5)
    for writers in WRITERS:
        rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in KINDS:
                say(f"{writers} writers, round {number + 1} of {rounds}: {kind}")
                latencies = _together(kind, folder, writers, seconds)
                rates[kind].append(len(latencies) / seconds)
                taken[kind] += latencies
        for kind in KINDS:
            against = KINDS[KINDS.index(kind) & ~1]
            p50, p99 = (percentile(taken[kind], percent) for percent in (50, 99))
            yield Result(
                name=f"{kind}, {writers} writers",
                value=median(rates[kind]),
                unit="claims/s",
                reference=None if kind == against else median(rates[against]),
                against=against,
                note=f"a claim takes p50 {p50:,.0f} us, p99 {p99:,.0f} us",
            )


def _together(kind: str, folder: Path, writers: int, seconds: float) -> list[float]:
    """Let that many processes claim at once; give how long each claim took, in us."""
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(writers), context.Queue()
    stamp = time.time_ns()
    started = [
        context.Process(
            target=_write, args=(kind, str(folder), f"{stamp}_{at}", seconds, ready, answers)
        )
        for at in range(writers)
    ]
    for one in started:
        one.start()
    latencies = [value for _ in started for value in answers.get(timeout=120)]
    for one in started:
        one.join()
    return latencies


def _write(kind: str, folder: str, name: str, seconds: float, ready: Any, answers: Any) -> None:
    with _claiming(kind, Path(folder), name) as claim:
        for number in range(50):
            claim(number)
        ready.wait(120)
        taken, number, end = [], 50, time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            claim(number)
            number += 1
            taken.append((time.perf_counter() - begun) * 1e6)
    answers.put(taken)


@contextmanager
def _claiming(kind: str, folder: Path, name: str) -> Iterator[Callable[[int], object]]:
    if kind.startswith("bare"):
        bare = _bare_file if kind == "bare sqlite3" else _bare_server
        with bare(folder, name) as insert:
            yield insert
        return
    with closing(_ledger(kind, folder, name)) as ledger:
        yield lambda number: ledger.claim([_claim(number)], FIRST_NS)


@contextmanager
def _bare_file(folder: Path, name: str) -> Iterator[Callable[[int], object]]:
    connection = sqlite3.connect(folder / f"{name}.bare", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(BARE_TABLE)
    yield lambda number: connection.execute(BARE_INSERT, (f"{number:032x}", BODY))
    connection.close()


@contextmanager
def _bare_server(folder: Path, name: str) -> Iterator[Callable[[int], object]]:
    import psycopg

    with psycopg.connect(os.environ[URL_ENV], autocommit=True, prepare_threshold=0) as connection:
        connection.execute(f'CREATE TABLE "b{name}" (key TEXT PRIMARY KEY, body TEXT NOT NULL)')
        text = f'INSERT INTO "b{name}" VALUES (%s, %s) ON CONFLICT DO NOTHING'
        yield lambda number: connection.execute(text, (f"{number:032x}", BODY))
        connection.execute(f'DROP TABLE "b{name}"')


def _ledger(kind: str, folder: Path, name: str) -> Ledger:
    if kind == "SQLite ledger":
        return SqliteLedger(folder / f"{name}.db")
    from persistence.postgres.ledger import PostgresLedger

    return PostgresLedger(_place(name))


def _place(name: str) -> LedgerPlace:
    return LedgerPlace(schema=f"wk_bench_{name}", url_env=URL_ENV)


def _claim(number: int) -> Claim:
    order = intent(number, FIRST_NS)
    return Claim(order, fingerprint(order), client_order_id(order.order_key), None, sent=True)


# ---------------------------------------------------------------- many rows


def _growth(folder: Path, options: Options) -> Iterator[Result]:
    sizes = [size for size in GROWTH if size <= options.rows]
    for kind in KINDS[1::2]:
        held = 0
        with closing(_ledger(kind, folder, "growth")) as ledger:
            ledger.claim([_claim(0)], FIRST_NS)
        for size in sizes:
            say(f"{kind}: up to {size:,} rows")
            _fill(kind, folder, held, size)
            held = size
            yield from _with_rows(kind, folder, size)


def _with_rows(kind: str, folder: Path, size: int) -> Iterator[Result]:
    begun = time.perf_counter()
    with closing(_ledger(kind, folder, "growth")) as ledger:
        opened_ms = (time.perf_counter() - begun) * 1e3
        claims = [_claim(size * 1_000 + number) for number in range(300)]
        taken, looked = [], []
        for claim in claims:
            begun = time.perf_counter()
            ledger.claim([claim], FIRST_NS)
            taken.append((time.perf_counter() - begun) * 1e6)
        for number in range(300):
            key = _old_key((number * 7_919) % size)
            begun = time.perf_counter()
            assert ledger.lookup([key])
            looked.append((time.perf_counter() - begun) * 1e6)
    yield Result(
        name=f"{kind} of {size:,} rows",
        value=percentile(taken, 50),
        unit="us a claim",
        note=f"p99 {percentile(taken, 99):,.0f} us; an old key is looked up in"
        f" {percentile(looked, 50):,.0f} us (p99 {percentile(looked, 99):,.0f}); opened in"
        f" {opened_ms:,.0f} ms",
    )


def _old_key(number: int) -> Any:
    return f"{number:012x}{number * 2_654_435_761 % 2**80:020x}"


def _old_rows(first: int, last: int) -> Iterator[tuple[object, ...]]:
    """Orders that ended long ago, in the columns of `orders`."""
    amount = str(Decimal("0.01"))
    for number in range(first, last):
        key = _old_key(number)
        yield (
            key, key, f"wk-{key[:22]}", "binance", "sma-1", "BTC/USDT", "buy", "market", "gtc",
            amount, None, "61480.5", number * 1_000_000, "fast above slow", "filled", "", amount,
            "61480.5", f"venue-{number}", number * 1_000_000, None, number * 1_000_000,
        )  # fmt: skip


def _fill(kind: str, folder: Path, held: int, size: int) -> None:
    if kind == "SQLite ledger":
        marks = ", ".join("?" * 22)
        with closing(sqlite3.connect(folder / "growth.db")) as raw, raw:
            raw.execute("PRAGMA journal_mode=OFF")  # of the filling alone; a ledger sets its own
            raw.execute("PRAGMA synchronous=OFF")
            raw.execute("PRAGMA cache_size=-1000000")
            raw.executemany(f"INSERT INTO orders VALUES ({marks})", _old_rows(held, size))
        return
    for first in range(held, size, _COPY):
        _copy(_old_rows(first, min(first + _COPY, size)))


def _copy(rows: Iterator[tuple[object, ...]]) -> None:
    from persistence.postgres.ledger import open_writing

    with closing(open_writing(_place("growth"), None)) as session:
        names = [one for (one,) in session.say(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'"
            " AND table_schema = current_schema() ORDER BY ordinal_position"
        )]  # fmt: skip
        session.take_time()
        session.copy_in("orders", names, list(rows))


# ---------------------------------------------------------------- a server


@contextmanager
def _database() -> Iterator[str]:
    """Set the variable to a server's address; give a reason where there is none."""
    if os.environ.get(URL_ENV):
        yield ""
        return
    from tests.persistence.postgres_server import Server, why_not

    if reason := why_not():
        yield reason
        return
    server = Server()
    os.environ[URL_ENV] = server.url
    try:
        yield ""
    finally:
        del os.environ[URL_ENV]
        server.close()
