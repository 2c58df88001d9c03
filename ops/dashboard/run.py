"""The model of one run: everything that the page shows of it, as JSON has it.

Sections are made apart, so that a live page sends those that changed. Money is text; the numbers
beside it are for drawing.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from decisions.chart_numbers import seconds
from messages.errors import DataError, LedgerUnavailable
from ops.dashboard.equity import equities
from ops.dashboard.facts import config_of, facts, toml_text
from ops.dashboard.fold import RunFold
from ops.dashboard.internals import internals
from ops.dashboard.journal_market import JournalMarket
from ops.dashboard.lines import LineTail
from ops.dashboard.market import MOST_EVENTS, Market, feed_of
from ops.dashboard.orders import Ledgered, read_ledger
from ops.dashboard.standing import standing
from ops.run_files import JOURNAL, METRICS, METRICS_SUMMARY, STATUS, no_run
from ops.run_state import read_object, run_state
from persistence.ledger_place import place_in

Model = dict[str, Any]
_MOST_BARS = 3_000
"""Of all symbols together; a chart is a third as many points wide, and more take longer to draw."""
_FEWEST_BARS = 400
_LARGEST_STATUS = 8 << 20


class RunModel:
    """Reads a run directory again at each `refresh`; what is unchanged is not read anew.

    Raises:
        DataError: there is no such directory.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        most_orders: int,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not run_dir.is_dir():
            raise DataError(no_run(run_dir))
        self._run_dir, self._most_orders, self._now_ns = run_dir, most_orders, now_ns
        self._tail, self._fold = LineTail(run_dir), RunFold()
        self._config, self._config_problem = config_of(run_dir)
        feed = feed_of(self._config)
        self._is_live_market = feed.type == "ccxt"
        most_bars = max(_MOST_BARS // max(len(feed.symbols), 1), _FEWEST_BARS)
        self._market: Market | JournalMarket = Market(feed, most_bars)
        self._journal = JournalMarket(run_dir / JOURNAL, most_bars)
        self._ledger = Ledgered()
        self._seen: tuple[object, ...] = ()
        self._is_alive = False
        self._stepped: set[tuple[str, str]] = set()
        self._drawn: tuple[tuple[int, ...], Model] = ((), {})

    def close(self) -> None:
        """Let go of the files."""
        self._tail.close()

    def refresh(self) -> Model:
        """Give the model as of now."""
        return self._model(self.read(), is_alive=self._is_alive)

    def read(self) -> Model:
        """Read what there is now; give the last status."""
        for lines in self._tail.read():
            self._fold.take(lines)
        status = _object(self._run_dir / STATUS)
        self._is_alive = run_state(self._run_dir).is_alive
        self._read_ledger(is_alive=self._is_alive)
        self._read_market()
        return status

    @property
    def config(self) -> Model:
        """The effective config, secrets masked; empty where it is not readable."""
        return self._config

    @property
    def market(self) -> Market | JournalMarket:
        """What the run saw of the market, as far as it was read."""
        return self._market

    @property
    def ledger(self) -> Ledgered:
        """What the ledger held when it was read."""
        return self._ledger

    def missing(self, status: Model) -> list[str]:
        """Say what is not there, or not readable."""
        return self._missing(status)

    def _read_ledger(self, *, is_alive: bool) -> None:
        """Read it if it was written since: a database in WAL mode shows it in these files."""
        seen = (is_alive, *map(_stamp, self._ledger_files()))
        if seen == self._seen:
            return
        self._seen = seen
        self._ledger = read_ledger(self._run_dir, most_orders=self._most_orders, is_alive=is_alive)
        if self._fold.totals["stage_lines"]:
            return
        for name, (at_ns, latency_ns) in self._ledger.steps.items():
            if name not in self._stepped:
                self._stepped.add(name)
                self._fold.latency(name[1], at_ns, latency_ns)

    def _ledger_files(self) -> list[Path]:
        file, log = (self._run_dir / f"ledger.db{suffix}" for suffix in ("", "-wal"))
        # One in a database shows nothing here: as long as the run says something, it is read.
        return [file, log] if _is_file(file) else [file, self._run_dir / STATUS]

    def _read_market(self) -> None:
        market = self._market
        if (self._is_live_market or market is self._journal) and self._read_journal():
            return
        assert isinstance(market, Market), "what the journal told stays told"
        if self._is_live_market:
            market.lines(self._fold.prices)
            return
        furthest = sum(self._fold.furthest.values())
        last = max(self._ledger.last_decided_ns, *[e[0] for e in self._ledger.executions[-1:]], 0)
        if furthest:
            market.advance(furthest)
        elif last:
            market.advance(MOST_EVENTS, until_ns=last)
        if market.is_unreadable:
            self._read_journal()

    def _read_journal(self) -> bool:
        """Go on in the journal, and say whether it tells of the market."""
        self._journal.read()
        if self._journal.events:
            self._market = self._journal
        return bool(self._journal.events)

    def _model(self, status: Model, *, is_alive: bool) -> Model:
        ledger, now_ns = self._ledger, self._now_ns()
        inside = internals(self._fold, status)
        return {
            "name": str(self._config.get("name") or status.get("name") or self._run_dir.name),
            "run_dir": str(self._run_dir),
            "mode": str(self._config.get("mode") or status.get("mode") or ""),
            "is_alive": is_alive,
            "standing": standing(
                status,
                is_alive=is_alive,
                states=ledger.states,
                halted=ledger.halted,
                ledger_problem=ledger.problem,
                firing=len(inside["firing"]),
                now_ns=now_ns,
            ),
            "equity": self._equity(),
            "market": self._bars(),
            "orders": {**ledger.table, "states": ledger.states, "problem": ledger.problem},
            "internals": inside,
            "facts": facts(self._run_dir, self._config, status),
            "config": toml_text(self._config),
            "missing": self._missing(status),
            "at": seconds(now_ns),
        }

    def _equity(self) -> Model:
        points, executions = self._market.points, self._ledger.executions
        size = (self._market.events, len(points), len(executions))
        if size != self._drawn[0]:
            self._drawn = (size, equities(self._config, points, executions))
        return self._drawn[1]

    def _bars(self) -> Model:
        marks: dict[str, list[Any]] = {}
        for symbol, *mark in self._ledger.marks:
            marks.setdefault(symbol, []).append(mark)
        symbols = list(dict.fromkeys([*self._market.bars, *marks]))
        return {
            "sentence": self._market.sentence,
            "symbols": {symbol: self._symbol(symbol, marks.get(symbol, [])) for symbol in symbols},
        }

    def _symbol(self, symbol: str, marks: list[Any]) -> Model:
        bars = self._market.bars.get(symbol)
        rows = bars.rows if bars is not None else []
        return {
            "bars": [[row[0], *[float(f"{x:.9g}") for x in row[1:]]] for row in rows],
            "width_s": bars.shown_width_ns / 10**9 if bars is not None else 0,
            "gaps": bars.gaps if bars is not None else [],
            "is_line": self._market.is_line,
            "fills": marks[-self._most_orders :],
            "fills_total": len(marks),
        }

    def _missing(self, status: Model) -> list[str]:
        found, lines = [], self._tail.found
        if self._config_problem:
            found.append(f"{self._config_problem}: the market and the start capital are unknown.")
        if not status:
            found.append(f"{STATUS} is missing or not readable: the last health is unknown.")
        if not _object(self._run_dir / METRICS_SUMMARY):
            found.append(f"{METRICS_SUMMARY} is missing or not readable.")
        if self._ledger.problem:
            found.append(f"No orders and no equity: {self._ledger.problem}")
        if self._ledger.insane:
            found.append(f"{self._ledger.insane} executions hold numbers that cannot be money.")
        if not lines.lines:
            found.append(f"{METRICS} is missing or empty: latency and time line are unknown.")
        if self._fold.broken:
            found.append(f"{self._fold.broken:,} of {lines.lines:,} metric lines do not parse.")
        if lines.too_long:
            found.append(f"{lines.too_long:,} metric lines are over 1 MB and were passed over.")
        return [*found, *[f"{problem}." for problem in lines.problems[:20]]]


def _is_file(ledger: Path) -> bool:
    try:
        return place_in(ledger) is None
    except LedgerUnavailable:
        return True  # of a newer version: who reads it says so


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _object(path: Path) -> Model:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_STATUS:
            return {}
    except OSError:
        return {}
    return read_object(path)
