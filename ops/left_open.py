"""What a live run leaves behind at its end: orders that may still fill, stops that nobody keeps."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from messages.errors import WatchkeeperError
from ops.run_files import LEDGER, typed
from persistence.reader import LedgerReader


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """As the ledger has it once the executor has ended."""

    orders: dict[str, int]
    """How many have not ended, by symbol."""
    stops: dict[str, int]
    """How many are not done, by symbol: a stop is kept by the process, not at the exchange."""
    problem: str
    """Why none of it is known; empty where it is."""
    texts: list[str]
    """A sentence for each kind: how many, of which symbol, and what to do; none where all ended."""


def left_open(run_dir: Path) -> Left:
    """Read it, on any thread; a ledger that cannot be read is a sentence too."""
    try:
        with LedgerReader(run_dir / LEDGER) as ledger, ledger.one_moment():
            keys = sorted(ledger.open_keys())
            orders = Counter(str(one.symbol) for one in ledger.lookup(keys).values())
            stops = Counter(str(one.symbol) for one in ledger.kept_stops())
    except (WatchkeeperError, OSError) as error:
        text = f"what is left at the exchange is not known ({error}): look there"
        return Left(orders={}, stops={}, problem=str(error), texts=[text])
    texts = [*_of_orders(orders, run_dir), *_of_stops(stops)]
    return Left(orders=dict(orders), stops=dict(stops), problem="", texts=texts)


def left_fields(run_dir: Path) -> dict[str, Any]:
    """Give it as `status.json` and the last line of `start` have it."""
    fields: dict[str, Any] = msgspec.to_builtins(left_open(run_dir))
    return fields


def _of_orders(by_symbol: Mapping[str, int], run_dir: Path) -> Iterator[str]:
    if count := sum(by_symbol.values()):
        yield (
            f"{count} order{'s' * (count != 1)} may still fill at the exchange, and nobody follows"
            f" {'them' if count != 1 else 'it'} ({_named(by_symbol)}): start again, or cancel all"
            f" with `watchkeeper halt {typed(run_dir)}`"
        )


def _of_stops(by_symbol: Mapping[str, int]) -> Iterator[str]:
    if count := sum(by_symbol.values()):
        yield (
            f"{count} stop{'s act' if count != 1 else ' acts'} only while a process runs"
            f" ({_named(by_symbol)}): start again, or close by hand what is held"
        )


def _named(by_symbol: Mapping[str, int]) -> str:
    return ", ".join(f"{symbol} {count}" for symbol, count in sorted(by_symbol.items()))
