"""One case of the crash rehearsal: an exchange, a bot that is struck, a restart, the verdict."""

import signal
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any, Self

from decisions.drill import LEDGER_BLOWS, RESTART, Blow, Case, Point
from decisions.drill_cancel import CancelCase, CancelPoint
from decisions.drill_exit import ExitCase
from decisions.drill_faults import EVERYWHERE, HALTING, PROVED
from decisions.drill_replace import ReplaceCase
from decisions.drill_stop import StopCase
from decisions.drill_verdict import (
    AtExchange,
    InLedger,
    beyond_repair,
    came_late,
    expected_at_exchange,
    problems,
    wrong_words,
)
from exchanges.local.faults import Fault
from exchanges.local.server import RunningExchange, running_exchange
from exchanges.local.settings import DEFAULT_BALANCES, Settings
from messages.errors import DataError, LedgerUnavailable
from messages.exact import NOTHING
from messages.exit_codes import EXIT_EXHAUSTED
from messages.ids import ClientOrderId, Symbol, base_of, quote_of
from messages.values import OrderState, Side
from ops.drill_child import Job
from ops.drill_faults import arm
from ops.drill_life import Life
from ops.drill_setting import IN_VAIN, Baseline, Result, Setting
from ops.drill_trap import FROZEN_S, Target
from ops.run_files import LEDGER
from persistence.ledger import LedgerEntry, read_orders
from persistence.ledger_place import LedgerPlace

STOP_LIMIT_S = 40.0
CALM_S = 0.3
"""How long all must have been well before it is believed."""
LIVES_MAX = 4
_POLL_S = 0.1
_DELAYED = frozenset({Fault.DELAYED_DELIVERY, Fault.DELAYED_ENGINE})
_PLENTY = Decimal(1_000_000_000)


def find_baseline(setting: Setting) -> Baseline:
    """Run without faults and blows, and choose the decision to rehearse.

    Raises:
        DataError: an undisturbed run breaks the promise already.
    """
    with Rehearsal(setting, None, None) as rehearsal:
        rehearsal.run(None, Blow.NONE)
        decided = rehearsal.entries()
        entries = [entry for entry in decided if entry.state is not OrderState.REFUSED]
        wrong = rehearsal.problems(frozenset(), decided)
    if wrong:
        raise DataError(f"an undisturbed run fails already: {'; '.join(wrong)}")
    chosen = entries[:2][-1:]
    target = next(
        (Target(order_key=e.order_key, client_order_id=e.client_order_id) for e in chosen), None
    )
    return Baseline(target=target, sent=frozenset(entry.client_order_id for entry in entries))


def rehearse(setting: Setting, baseline: Baseline, case: Case) -> Result:
    """Play one case to its end."""
    with Rehearsal(setting, case, baseline) as rehearsal:
        return rehearsal.play()


class Rehearsal:
    """Owns the exchange, the run directory and the living process."""

    def __init__(
        self,
        setting: Setting,
        case: Case | CancelCase | StopCase | ReplaceCase | ExitCase | None,
        baseline: Baseline | None,
    ) -> None:
        self._setting, self._case, self._baseline = setting, case, baseline
        self._lives = 0
        self._reached = False
        self._refused = False
        """Whether the connection has been refused that is to be."""
        self._began = time.monotonic()
        self._failed = ""
        self._revoked_before = 0
        self._place = setting.database.place() if setting.database else None
        self._dead: set[ClientOrderId] = set()
        """Decisions that some life reported as dead letters."""

    def __enter__(self) -> Self:
        undisturbed = f"undisturbed-{self._setting.candles}"
        name = str(self._case).replace("/", "-") if self._case else undisturbed
        self._folder = tempfile.TemporaryDirectory(prefix=f"drill-{name}-")
        self._run_dir = _new(self._setting.keep or Path(self._folder.name), name)
        self._serving = running_exchange(_exchange_settings(self._setting))
        self._exchange: RunningExchange = self._serving.__enter__()
        return self

    def stand_at(self, price: Decimal) -> None:
        """Have the exchange's markets stand at a price, whatever the seed made of them."""
        for symbol in self._setting.config.traded_symbols:
            self._exchange.exchange.set_price(symbol, price)

    def __exit__(self, *error: Any) -> None:
        self._serving.__exit__(*error)
        self._folder.cleanup()
        if self._setting.database is not None and self._place is not None:
            self._setting.database.drop(self._place)

    def play(self) -> Result:
        """Play the case."""
        case, baseline = self._case, self._baseline
        assert isinstance(case, Case)
        assert baseline is not None
        assert baseline.target is not None, "there is nothing to rehearse"
        arm(self._exchange, case, baseline.target.client_order_id)
        if case.point in RESTART:
            self.run(Point.ANSWER_RECEIVED, Blow.KILL)
        point = case.point if case.blow is not Blow.NONE else None
        return self._played(baseline, point, case.blow)

    def _played(self, baseline: Baseline, point: StrEnum | None, blow: Blow) -> Result:
        """Live until it is settled, and judge."""
        assert baseline.target is not None, "there is nothing to rehearse"
        ended = self.run(point, blow)
        while (
            ended and self._lives < LIVES_MAX and not self._setting.over.is_set()
        ):  # it was killed, or gave up and is started anew
            ended = self.run(None, Blow.NONE)
        if self._came_late() and not self._setting.over.is_set():
            self.run(None, Blow.NONE)  # it was ended a moment too early: one start must do
        seconds = time.monotonic() - self._began
        entries = self.entries()
        wrong = self.problems(baseline.sent, entries)
        if point is not None and not self._reached:
            wrong.append(f"the order did not come by {point}: {IN_VAIN}")
        wrong += self._wrong_besides(entries)
        if self._failed:
            wrong.append(self._failed)
        name = self._rehearsed(baseline.target, entries)
        ours = next((one for one in _in_ledger(entries) if one.client_order_id == name), None)
        return self._result(name, ours, wrong, seconds)

    def _rehearsed(self, target: Target, entries: Sequence[LedgerEntry]) -> ClientOrderId:  # noqa: ARG002 - for those of another kind
        """Name the order that the result is about."""
        return target.client_order_id

    def _wrong_besides(self, entries: Sequence[LedgerEntry]) -> list[str]:  # noqa: ARG002 - for those of another kind
        """Say what else is wrong at the end."""
        case = self._case
        if case is not None and case.fault in PROVED:
            return self._wrong_unless_refused(case.fault)
        if not isinstance(case, Case) or case.fault in EVERYWHERE:
            return []  # some of those are at points that lie ahead of any request
        sent, *asked = self._exchange.exchange.armed()  # a list may tell what a question would
        if sent.struck and (not asked or any(armed.struck for armed in asked)):
            return []
        return [f"{case.fault} did not strike: {IN_VAIN}"]

    def _wrong_unless_refused(self, fault: str) -> list[str]:
        """Say that a placement arrived and none was refused; a decision that died sends none."""
        target = self._baseline.target if self._baseline is not None else None
        name = target.client_order_id if target is not None else None
        arrived = self._exchange.exchange.requests(operation="place", client_order_id=name)
        return [f"{fault} did not strike: {IN_VAIN}"] if arrived and not self._refused else []

    def _result(
        self, name: ClientOrderId, entry: InLedger | None, wrong: Sequence[str], seconds: float
    ) -> Result:
        exchange = self._exchange.exchange
        return Result(
            case=str(self._case),
            at_exchange=len(exchange.orders_with(name)),
            expected=expected_at_exchange(entry),
            state=str(entry.state) if entry else self._where(name),
            placements=len(exchange.requests(operation="place", client_order_id=name)),
            lives=self._lives,
            seconds=round(seconds, 2),
            problems=tuple(wrong),
        )

    def _where(self, name: ClientOrderId) -> str:
        return "dead letter" if name in self._dead else "not in the ledger"

    # ------------------------------------------------------------ one life

    def run(self, point: StrEnum | None, blow: Blow) -> bool:
        """Start the bot; give whether it ended by itself instead of settling."""
        self._lives += 1
        self._revoked_before = self._revoked()
        life = self._setting.nursery.bear(self._job(point, blow), self._dead)
        try:
            ended = self._watch(life, blow)
        finally:
            life.stop(0 if self._setting.over.is_set() else STOP_LIMIT_S)
        self._reached = life.has("reached") if point is not None else self._reached
        self._refused = self._refused or life.has("refused")
        heard = self._has_heard() and life.returncode != -signal.SIGKILL
        hung = blow is Blow.METRICS_HANG and life.has("reached")
        wrong = wrong_words(life.errors, key_refused=heard, metrics_hang=hung)
        if life.returncode == EXIT_EXHAUSTED or wrong:
            self._failed = f"a process failed: {wrong[-300:] or 'it did not start'}"
        return ended

    def _has_heard(self) -> bool:
        """Whether this life has been told that its key is refused, and must halt."""
        return self._revoked() > self._revoked_before

    def _revoked(self) -> int:
        """Count how often the key was refused where it halts, if the case expects that it is.

        A cancel that is refused does not halt: the question that follows it would tell.
        """
        if self._case is None or self._case.fault not in HALTING:
            return 0
        return sum(
            armed.struck
            for armed in self._exchange.exchange.armed()
            if armed.plan.fault is Fault.KEY_REVOKED and armed.plan.operation != "cancel"
        )

    def _watch(self, life: Life, blow: Blow) -> bool:
        limit = time.monotonic() + self._setting.settle_limit_s
        calm_since: float | None = None
        struck = False
        over = self._setting.over
        while time.monotonic() < limit and not self._is_hopeless() and not over.is_set():
            if not struck and life.has("reached"):
                struck, self._began = True, time.monotonic()
                self._take_ledger(life, blow)
            if struck and blow is Blow.FREEZE and time.monotonic() - self._began > FROZEN_S:
                life.thaw()
            if not life.alive(_POLL_S):
                return True
            if not self._is_settled(life, blow):
                calm_since = None
            elif calm_since is None:
                calm_since = time.monotonic()
            elif time.monotonic() - calm_since > CALM_S:
                return False
        return False

    def _take_ledger(self, life: Life, blow: Blow) -> None:
        database, place = self._setting.database, self._place
        if blow in LEDGER_BLOWS and database is not None and place is not None:
            database.lose(place, life.go_on)

    def _is_hopeless(self) -> bool:
        """Whether it has failed already."""
        return bool(self._exchange.exchange.doubled())

    def _is_settled(self, life: Life, blow: Blow) -> bool:
        if not life.has("market_done"):
            return False
        if blow is not Blow.NONE and life.has("reached") and not life.has("recovered"):
            return False
        on_its_way = [
            request
            for request in self._exchange.exchange.requests(operation="place")
            if request.fault in _DELAYED and request.engine == "not reached"
        ]
        expected = self._baseline.sent if self._baseline else frozenset()
        if on_its_way:
            return False
        entries = self.entries()
        unknown = any(entry.state is OrderState.UNKNOWN for entry in entries)
        return not unknown and not self.problems(expected, entries)

    def _job(self, point: StrEnum | None, blow: Blow) -> Job:
        setting = self._setting
        ccxt = self._exchange.ccxt_config()
        return Job(
            config=str(setting.config_path) if setting.config_path else None,
            run_dir=str(self._run_dir),
            candles=setting.candles,
            seed=setting.seed,
            api_key=ccxt.pop("apiKey"),
            secret=ccxt.pop("secret"),
            ccxt=ccxt,
            target=self._baseline.target if self._baseline else None,
            point=point if isinstance(point, Point) else None,
            cancel_point=point if isinstance(point, CancelPoint) else None,
            cancels=setting.cancels,
            refuses=self._case is not None and self._case.fault in PROVED and not self._refused,
            blow=blow,
            ledger=self._place,
        )

    # ------------------------------------------------------------ the two truths

    def problems(
        self, expected: frozenset[ClientOrderId], entries: Sequence[LedgerEntry]
    ) -> list[str]:
        """Hold the exchange's book against the ledger."""
        return problems(self._at_exchange(), _in_ledger(entries), expected, frozenset(self._dead))

    def _came_late(self) -> bool:
        return came_late(_in_ledger(self.entries()), self._dead)

    def _is_beyond_repair(self) -> bool:
        return beyond_repair(self._at_exchange(), _in_ledger(self.entries()))

    def _at_exchange(self) -> list[AtExchange]:
        return [
            AtExchange(
                client_order_id=ClientOrderId(order.client_order_id),
                symbol=Symbol(order.symbol),
                side=order.side,
                filled=order.filled,
                is_open=order.is_open,
            )
            for order in self._exchange.exchange.orders()
        ]

    def traded(self) -> tuple[Decimal, Decimal, Decimal]:
        """Give what was bought, what was sold, and what open orders may yet sell."""
        bought = sold = selling = NOTHING
        for order in self._exchange.exchange.orders():
            if order.side is Side.BUY:
                bought += order.filled
            else:
                sold += order.filled
                selling += order.quantity - order.filled if order.is_open else NOTHING
        return bought, sold, selling

    @property
    def _ledger_at(self) -> Path | LedgerPlace:
        return self._place or self._run_dir / LEDGER

    def entries(self) -> list[LedgerEntry]:
        """Read the ledger as it is now."""
        try:
            return list(read_orders(self._ledger_at))
        except LedgerUnavailable:
            return []  # killed before there was one


def _in_ledger(entries: Sequence[LedgerEntry]) -> list[InLedger]:
    return [
        InLedger(
            client_order_id=entry.client_order_id,
            symbol=entry.symbol,
            side=entry.side,
            state=entry.state,
            filled=entry.filled_quantity,
            reason=entry.state_reason,
        )
        for entry in entries
    ]


def _new(folder: Path, name: str) -> Path:
    """Give the first place of that name with nothing in it: a case may have been played before."""
    places = (folder / f"{name}{f'-{number}' if number else ''}" for number in count())
    return next(place for place in places if not place.exists())


def _exchange_settings(setting: Setting) -> Settings:
    symbols = setting.config.traded_symbols
    assets = {asset for symbol in symbols for asset in (base_of(symbol), quote_of(symbol))}
    balances = DEFAULT_BALANCES | dict.fromkeys(assets, _PLENTY)
    return Settings(
        seed=13 if setting.seed is None else setting.seed,
        symbols=symbols,
        speed=0,
        balances=balances,
    )
