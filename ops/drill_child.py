"""The process that the crash rehearsal kills: a whole run against the parent's exchange.

It says on its standard output, a JSON object a line, how far it is. It runs until SIGTERM, or
until it is killed, or until its standard input ends. `ops.drill_nursery` starts it.
"""

import contextlib
import os
import signal
import threading
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import Any

import msgspec

import strategies
from decisions.drill import LEDGER_BLOWS, Blow, Point
from decisions.drill_cancel import CancelPoint
from decisions.drill_exit import ExitPoint
from decisions.drill_stop import StopPoint
from decisions.order_keys import client_order_id
from exchanges.capabilities import Capability, capability_of
from exchanges.ccxt_settings import CcxtSettings
from exchanges.facts import VenueFacts
from exchanges.venue_loop import VenueLoop
from messages.errors import VenueRefused
from messages.exit_codes import EXIT_EXHAUSTED, EXIT_OK
from messages.ids import MINUTE_NS, NS_PER_MS, NS_PER_S
from messages.learning import learn
from messages.lifecycle import ActorState
from messages.orders import OrderIntent
from ops.config import Config, FeedType, IdempotencyBackend, Mode, VenueType, demo_config, load
from ops.drill_cancel_traps import (
    CancelLedger,
    CancelRuntime,
    CancelTrap,
    CancelVenue,
    Operator,
    notice_gateway,
)
from ops.drill_exit_traps import ExitLedger, ExitRuntime, ExitTrap
from ops.drill_leaving import PRICES as LEAVING_PRICES
from ops.drill_leaving import leaving_config
from ops.drill_led_traps import LedRuntime
from ops.drill_ledger import GO_ON, watched
from ops.drill_refusal import Refusal
from ops.drill_replace_traps import ReplaceRuntime, ReplaceTrap
from ops.drill_replaced import PRICES, replaced_config
from ops.drill_resting import RESTING, resting_config
from ops.drill_stop_traps import StopLedger, StopRuntime, StopTrap
from ops.drill_stopped import shown_from, stopped_config
from ops.drill_trap import Target, Trap
from ops.drill_traps import EXCHANGE, DrillLedger, DrillRuntime, DrillVenue
from ops.live_venue import LiveVenue
from ops.logs import set_up_logging
from ops.run_dir import RunDir
from ops.run_files import LEDGER, LOG
from ops.wiring import build
from persistence.ledger_place import LedgerPlace, words_of

TIMEOUT_MS = 1_000
RECV_WINDOW_MS = 2_000
SETTLE_MS = 1_500
"""How long after the window an order may still come into sight at the local exchange. Binance's
engine may take ten seconds and its queries lag two; the local one is as late as it is told to
be, at most this."""
OPENINGS_MAX = 5
AWAY_S = 15
"""Who waits for a server that is gone does not hang."""
MARKET = "market.csv"


class Job(msgspec.Struct, kw_only=True):
    """One life of the bot."""

    config: str | None
    """None is the demo's."""
    run_dir: str
    candles: int
    seed: int | None
    ccxt: dict[str, Any]
    api_key: str
    secret: str
    target: Target | None = None
    point: Point | None = None
    blow: Blow = Blow.NONE
    cancels: bool = False
    """Whether it rehearses cancels, with orders of its own that rest, instead of the config's."""
    cancel_point: CancelPoint | None = None
    stop_begins_ms: int | None = None
    """When the market begins in which a stop is rehearsed, with an entry of its own; None: it is
    not a stop."""
    stop_point: StopPoint | None = None
    stop_halts: bool = False
    """Whether trading is halted while that market falls."""
    replace_begins_ms: int | None = None
    """The same, of a replacement, with a strategy of its own; None: it is not one."""
    exit_begins_ms: int | None = None
    """The same, of an exit that its entry has to fill for; None: it is not one."""
    exit_skips: int = 0
    """How many of its candles an earlier life has seen: a live market shows nothing again."""
    exit_point: ExitPoint | None = None
    first: Target | None = None
    """The order that is replaced by the target, or the entry of the exit."""
    leaves: Target | None = None
    """The exit, which the target is or follows."""
    refuses: bool = False
    """Whether nobody listens where the target is sent to next, once."""
    ledger: LedgerPlace | None = None
    """None is the run directory's own file."""


learn(Job)


def rehearsed(config: Config, job: Job) -> Config:
    """Give the user's config with a generated market and times that suit a rehearsal.

    Strategies and risk limits stay as they are.
    """
    replace = msgspec.structs.replace
    feed = replace(
        config.feed,
        type=FeedType.DEMO,
        paths={},
        speed=0,
        timeframe="1m",
        limit=job.candles,
        seed=config.feed.seed if job.seed is None else job.seed,
        window=max(config.feed.window, 2 * job.candles * len(config.feed.symbols)),
    )
    if job.cancels:
        feed = replace(feed, window=RESTING, batch=RESTING)
    if job.replace_begins_ms is not None or job.exit_begins_ms is not None:
        feed = replace(feed, window=1, batch=1)
    return replace(
        config,
        run_dir=Path(job.run_dir),
        mode=Mode.PAPER,
        feed=feed,
        venue=replace(config.venue, type=VenueType.PAPER, exchange=EXCHANGE),
        idempotency=replace(config.idempotency, backend=IdempotencyBackend.SQLITE),
        metrics=replace(config.metrics, enabled=False),
        supervision=replace(
            config.supervision,
            backoff_min_ms=20,
            backoff_max_ms=200,
            hang_after_s=AWAY_S if job.blow in LEDGER_BLOWS else 1,
        ),
    )


def config_of(job: Job) -> Config:
    """Read the config of a rehearsal.

    Raises:
        ConfigError: every mistake in the user's file.
    """
    if job.cancels:
        return rehearsed(resting_config(), job)
    if job.stop_begins_ms is not None:
        market = Path(job.run_dir) / MARKET
        return shown_from(market, job.stop_begins_ms, rehearsed(stopped_config(), job))
    if job.replace_begins_ms is not None:
        market, config = Path(job.run_dir) / MARKET, rehearsed(replaced_config(), job)
        return shown_from(market, job.replace_begins_ms, config, PRICES)
    if job.exit_begins_ms is not None:
        market, config = Path(job.run_dir) / MARKET, rehearsed(leaving_config(), job)
        skips = job.exit_skips
        begins_ms = job.exit_begins_ms + skips * MINUTE_NS // NS_PER_MS
        return shown_from(market, begins_ms, config, LEAVING_PRICES[skips:])
    check = strategies.check_params
    config = demo_config({}, check) if job.config is None else load(Path(job.config), {}, check)
    return rehearsed(config, job)


def run(text: bytes) -> int:
    """Run a job, which is JSON; give the exit code."""
    job = msgspec.json.decode(text, type=Job)
    over: list[int] = []  # not an Event: a handler would wait for the lock its own thread holds
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    orders: SimpleQueue[bytes] = SimpleQueue()
    point = job.stop_point or job.cancel_point or job.exit_point or job.point
    trap = _trap_of(job)(job.target, point, job.blow, _tell)
    if isinstance(trap, ReplaceTrap):
        trap.first = job.first
    elif isinstance(trap, ExitTrap):
        trap.entry, trap.exit = job.first, job.leaves
    threading.Thread(target=_hear_the_parent, args=(orders, trap), daemon=True).start()
    with RunDir(job.run_dir) as run_dir:
        set_up_logging(run_dir.path / LOG, secrets=[], screen_level="CRITICAL")
        if job.ledger is not None:  # as a start writes it: all that reads looks there
            run_dir.atomic_write(LEDGER, words_of(job.ledger))
        return _run(config_of(job), job, run_dir, trap, orders, over)


def _trap_of(job: Job) -> type[Trap]:
    if job.stop_begins_ms is not None:
        return StopTrap
    if job.replace_begins_ms is not None:
        return ReplaceTrap
    if job.exit_begins_ms is not None:
        return ExitTrap
    return CancelTrap if job.cancels else Trap


def _run(
    config: Config,
    job: Job,
    run_dir: RunDir,
    trap: Trap,
    orders: "SimpleQueue[bytes]",
    over: list[int],
) -> int:
    events = job.candles * len(config.feed.symbols)
    runtime = _runtime(job, trap, events)
    live = _open_venue(config, job, trap)
    try:
        system = build(
            config,
            run_dir,
            runtime,
            live=live,
            open_ledger=lambda: watched(_ledger(trap), trap, job.ledger or run_dir.ledger),
            as_live=isinstance(trap, StopTrap | ReplaceTrap | ExitTrap),
        )
        if isinstance(trap, CancelTrap):
            notice_gateway(system.gateway, trap)
        trap.strategies, trap.feed = [*system.strategies.values()], system.feed
        started = runtime.start(system.root, 60 * NS_PER_S)
        if started.problem:
            _tell(event="failed", problem=started.problem)
            return EXIT_EXHAUSTED
        followers = {address.path for address in (*system.strategies.values(), system.executor)}
        if isinstance(runtime, StopRuntime):  # which is shown the last candle before the others
            followers = {system.executor.path}
        told, shown = set[str](), 0
        desk = Operator(system, runtime, trap, events, _tell)
        pause = threading.Event()
        while not over:
            pause.wait(0.02)
            if all(runtime.acknowledged.get(path, 0) >= events for path in followers):
                _tell_once(told, "market_done")
            if trap.recovered:
                _tell_once(told, "recovered")
            # What was decided while the executor was reconciling is nowhere to be seen yet.
            is_running = system.executor.cell.state is ActorState.RUNNING
            if isinstance(runtime, LedRuntime) and is_running and runtime.shown() != shown:
                shown = runtime.shown()
                _tell(event="shown", count=shown)
            if "counts as left and holds" in system.executor.cell.problem:
                _tell_once(told, "short")
            _tell_dead(told, runtime)
            desk.work(orders)
            if isinstance(runtime, StopRuntime):
                runtime.go_on_when_quiet(events, system.executor, system.board)
            if system.root.life is not None and system.root.life.gone.is_set():
                break
        runtime.stop(system.root, None)
    finally:
        live.close()
    return EXIT_OK


def _runtime(job: Job, trap: Trap, events: int) -> DrillRuntime:
    if isinstance(trap, StopTrap):
        return StopRuntime(trap, halts=job.stop_halts)
    if isinstance(trap, ReplaceTrap):
        return ReplaceRuntime(trap, 1)
    if isinstance(trap, ExitTrap):
        return ExitRuntime(trap, 1)
    if isinstance(trap, CancelTrap):  # an undisturbed run shows the whole market
        return CancelRuntime(trap, events if trap.target is None else 1)
    return DrillRuntime(trap, events)


def _ledger(trap: Trap) -> type[DrillLedger]:
    if isinstance(trap, StopTrap):
        return StopLedger
    if isinstance(trap, ExitTrap):
        return ExitLedger
    return CancelLedger if isinstance(trap, CancelTrap) else DrillLedger


def _open_venue(config: Config, job: Job, trap: Trap) -> LiveVenue:
    settings = CcxtSettings(
        exchange=EXCHANGE,
        api_key=job.api_key,
        secret=job.secret,
        timeout_ms=TIMEOUT_MS,
        recv_window_ms=RECV_WINDOW_MS,
        config=job.ccxt,
    )
    symbols = list(config.traded_symbols)
    make = CancelVenue if isinstance(trap, CancelTrap) else DrillVenue
    venue = make(settings, symbols, rng=Random(1), capability=_capability())  # noqa: S311 - the same in every run
    venue.trap = trap
    if job.refuses and job.target is not None:
        venue.refusal = Refusal(job.target.client_order_id, trap.say)
    loop = VenueLoop("venue")
    loop.start()
    return LiveVenue(venue, loop, _opened(venue, loop))


def _opened(venue: DrillVenue, loop: VenueLoop) -> VenueFacts:
    """Pass the gate. What fails at first is a machine too busy for such short timeouts."""
    for _ in range(OPENINGS_MAX - 1):
        with contextlib.suppress(VenueRefused):
            return loop.submit(venue.open()).result(30)
    return loop.submit(venue.open()).result(30)


def _capability() -> Capability:
    return msgspec.structs.replace(capability_of(EXCHANGE), settle_ms=SETTLE_MS)


def _hear_the_parent(orders: "SimpleQueue[bytes]", trap: Trap) -> None:
    """Pass on the lines that it says, until it lets go: then nobody is left to judge, so die."""
    rest = b""
    while more := os.read(0, 4096):  # not through `sys.stdin`, which a daemon thread must not lock
        *lines, rest = (rest + more).split(b"\n")
        for line in lines:
            if line == GO_ON:
                trap.gone_on.set()
            else:
                orders.put(line)
    os._exit(EXIT_EXHAUSTED)


def _tell(**facts: Any) -> None:
    os.write(1, msgspec.json.encode(facts) + b"\n")


def _tell_once(told: set[str], event: str) -> None:
    if event not in told:
        told.add(event)
        _tell(event=event)


def _tell_dead(told: set[str], runtime: DrillRuntime) -> None:
    """Report each decision that died on its way to the executor."""
    for letter in list(runtime.dead_letters.ring):
        if isinstance(letter.message, OrderIntent) and letter.message.order_key not in told:
            told.add(letter.message.order_key)
            _tell(event="dead_letter", order=client_order_id(letter.message.order_key))
