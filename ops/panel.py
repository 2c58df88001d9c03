"""The live panel of a person's terminal: the tree, the market, the last orders, latency."""

from collections import deque
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, Group
from rich.live import Live
from rich.panel import Panel as Box
from rich.table import Table
from rich.text import Text

from decisions.spoken import spoken_money, spoken_price, spoken_quantity
from messages.ids import base_of, quote_of
from messages.lifecycle import Supervision
from messages.orders import OrderUpdate
from ops.config import Config, FeedType
from ops.demo_kill import KillShown
from ops.final_word import final_word, is_demonstration, verdict_lines
from ops.health_text import one_line
from ops.moments import utc
from ops.narrator import Observations
from ops.paper_equity import PaperEquity
from ops.snapshot import Snapshots

_COLOURS = {"running": "green", "backoff": "yellow", "starting": "yellow", "reconciling": "yellow"}
_PROOF = {True: "bold green", False: "bold red", None: "yellow"}


class _Screen(Console):
    """Leaves room at the end of each line for the `^C` that a terminal shows where the cursor is.

    It would go on in the next line, and what is to be wiped out would be counted from there.
    """

    @property
    def options(self) -> ConsoleOptions:
        """What the terminal has, less that."""
        whole = super().options
        return whole.update_width(max(whole.max_width - len("^C"), 1))


class Panel:
    """Redrawn twice a second from a health snapshot; see `ops.narrator.Narrator`."""

    snapshots: Snapshots

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen = Observations()
        self._orders: dict[str, OrderUpdate] = {}
        self._story: deque[str] = deque(maxlen=4)
        # What a venue or an error says may look like markup, and be none.
        self._console = _Screen(markup=False, emoji=False, highlight=False)
        self._live: Live | None = None
        self._ticks = 0
        self._equity = PaperEquity(config)
        self._kill: KillShown | None = None

    def observe(self, message: Any) -> None:
        """See `Narrator.observe`."""
        self._seen.take(message, self.snapshots)

    def killed(self, actor: str, reason: str) -> None:
        """See `Narrator.killed`; from now on, what came of it is shown."""
        del actor, reason
        self._kill = KillShown(self._config.run_dir)

    def begin(self) -> None:
        """Say in one line what this is, then draw."""
        self._console.print(_headline(self._config))
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def refresh(self) -> None:
        """Draw twice a second."""
        self._take_in()
        self._ticks += 1
        if self._live is not None and self._ticks % 5 == 1:
            self._live.update(self._draw(self.snapshots.take()), refresh=True)

    def end(self, reason: str, code: int) -> None:
        """Leave the terminal as it was, and print the verdict."""
        self._take_in()
        if self._live is not None:
            # Nothing: what is drawn last is drawn whole, and of what is higher than the screen the
            # top would stay on it.
            self._live.update(Text(""), refresh=True)
            self._live.stop()
        word = final_word(self.snapshots, self._config, reason, code)
        for line in verdict_lines(word, is_demonstration=is_demonstration(self._config)):
            self._console.print(one_line(line), soft_wrap=True)  # a path stays in one piece

    # ------------------------------------------------------------ drawing

    def _take_in(self) -> None:
        with self._seen.lock:
            updates, told = list(self._seen.orders), list(self._seen.supervision)
            self._seen.orders.clear()
            self._seen.supervision.clear()
        for update in updates:
            before = self._orders.pop(update.order_key, None)
            if before is not None and not update.reason:
                update = msgspec.structs.replace(update, reason=before.reason)
            self._orders[update.order_key] = update
        while len(self._orders) > 5:
            del self._orders[next(iter(self._orders))]
        self._story.extend(_sentence(report) for report in told if report.event != "started")

    def _draw(self, snapshot: dict[str, Any]) -> Group:
        parts: list[Any] = [self._market(snapshot), _tree(snapshot), self._order_table()]
        if self._story:
            parts.append(Text("\n".join(self._story), style="yellow"))
        return Group(*parts)

    def _market(self, snapshot: dict[str, Any]) -> Box:
        counters = snapshot["counters"]
        market, profit = snapshot["market"].items(), self._profit()
        prices = "  ".join(f"{s} {spoken_price(p)}" for s, p in market) or "no price yet"
        pnl = " ".join(f"{'+' * (v > 0)}{spoken_money(v)} {q}" for q, v in profit.items()) or "0"
        why = f"{one_line(snapshot['why'])}\n" if snapshot["why"] else ""
        text = Text(why)
        if self._kill is not None:  # below the alarm that it raised
            told = self._kill.sentence()
            text.append(f"{told}\n", style=_PROOF[self._kill.is_well])
        text.append(
            f"{self._market_time()}{prices}   position {self._positions()}"
            f"   stops {self.snapshots.open_stops()}   profit {pnl}{self._worth(profit)}\n"
            f"candles {counters['processed']}  orders {counters['allowed']}  "
            f"filled {counters['filled']}  refused {counters['rejected']}  "
            f"duplicates filtered {counters['dupes_filtered']}"
        )
        colour = {"OK": "green", "WARNING": "yellow"}.get(snapshot["verdict"], "red")
        title = f"watchkeeper  {snapshot['mode']}  {snapshot['verdict']}"
        return Box(text, title=title, border_style=colour)

    def _market_time(self) -> str:
        """Say which day it is in a market of another time than ours."""
        at_ns = None if self._config.feed.is_live else self.snapshots.market_at_ns()
        return "" if at_ns is None else f"market of {utc(at_ns)[:16]}Z\n"

    def _profit(self) -> dict[str, Decimal]:
        totals: dict[str, Decimal] = {}
        for symbol, holding in list(self.snapshots.portfolio.holdings.items()):
            quote = quote_of(symbol)
            totals[quote] = totals.get(quote, Decimal(0)) + holding.profit
        return totals

    def _worth(self, profit: dict[str, Decimal]) -> str:
        equity = self._equity.of(profit) if self.snapshots.money.is_whole else {}
        told = " ".join(f"{spoken_money(amount)} {quote}" for quote, amount in equity.items())
        return f"   equity {told}" if told else ""

    def _positions(self) -> str:
        held = [
            f"{spoken_quantity(holding.quantity)} {base_of(symbol)}"
            for symbol, holding in list(self.snapshots.portfolio.holdings.items())
            if holding.quantity
        ]
        return ", ".join(held) or "flat"

    def _order_table(self) -> Table:
        table = Table(
            title="last orders", expand=True, title_justify="left", box=None, padding=(0, 1, 0, 0)
        )
        for name in ("decided", "key", "symbol", "side", "quantity", "state", "price"):
            table.add_column(name, no_wrap=True, min_width=4)
        table.add_column("why", no_wrap=True, ratio=1)  # what is left of a narrow terminal
        for order in reversed(self._orders.values()):
            price = "" if order.average_price is None else spoken_price(order.average_price)
            cells = (
                f"{utc(order.decided_at_ns)[11:19]}Z",
                order.order_key[:18],
                order.symbol,
                order.side,
                spoken_quantity(order.quantity),
                order.state,
                price,
                order.reason,
            )
            table.add_row(*map(_cell, cells))
        return table


def _headline(config: Config) -> str:
    symbols = ", ".join(config.feed.symbols)
    if config.feed.type is FeedType.DEMO:
        speed = config.feed.speed
        how = f"{speed:g} times as fast as real" if speed else "as fast as this machine can"
        return (
            f"Demo: a generated market ({symbols}, {how}) on a paper venue. "
            "No edge claimed, nothing leaves this machine. Ctrl-C stops it."
        )
    return f"{config.name}: {config.feed.type} {symbols} on a {config.venue.type} venue."


def _tree(snapshot: dict[str, Any]) -> Table:
    table = Table(expand=True)
    for name in ("actor", "state", "restarts", "mailbox", "handled", "p50/p99 us"):
        table.add_column(name, no_wrap=True)
    table.add_column("last error", no_wrap=True, ratio=1)
    for actor in snapshot["actors"]:
        depth = actor["path"].count("/") + (actor["path"] != "root")
        table.add_row(
            Text("  " * depth + actor["path"].rpartition("/")[2]),
            Text(actor["state"], style=_COLOURS.get(actor["state"], "red")),
            str(actor["restarts"]),
            f"{actor['mailbox']}/{actor['capacity']}",
            str(actor["processed"]),
            f"{actor['p50_us']:.0f}/{actor['p99_us']:.0f}",
            _cell(actor["last_error"][:60]),
        )
    return table


def _cell(text: str) -> Text:
    """Give what is not ours to say as it stands there, and nothing that moves a terminal."""
    return Text(one_line(text))


def _sentence(report: Supervision) -> str:
    return one_line(f"{report.child} {report.event} {report.reason}")
