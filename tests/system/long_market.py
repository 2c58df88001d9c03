"""A market of hours, compressed, with everything in processes of their own: a local exchange and
the bot as a user starts it, in live mode. A seeded plan breaks requests, streams and processes.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import psutil

import cli
from exchanges.local.orders import OPEN
from messages.order_states import FINAL_STATES
from messages.values import OrderState
from ops.client import NoAnswer, ask
from ops.run_files import CONTROL_SOCKET
from persistence.ledger import LedgerEntry, read_orders

ROOT = Path(cli.__file__).parent
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
FOLLOWED = "LTC/USDT"
"""Of an order whose cancel is asked about nobody's on its symbol is sent: it has one of its own."""
TRADER = Path(__file__).with_name("tick_trader.py")
FOLLOWING = Path(__file__).with_name("following_strategies.py")
READY_S, SETTLE_S, END_S = 120.0, 180.0, 60.0
QUIET_S = 3.0
"""How often the plan does something."""
LOOK_AGAIN_S, LOOK_S = 0.1, 5.0
STARTS = 3
GIVEN_UP = (2, 70)
"""How a start ends that its gate refused, or that was too slow for its own limits; no other way
is made good by starting again."""
MORE_TIMES, MORE_S = 2, 120.0
"""How much longer than planned a market may last, to have its least number of orders."""
NOT_ARRIVING = ("reset_before", "server_error_before", "delayed_delivery", "too_many_requests")
"""What keeps an order from the exchange keeps its symbol waiting until that is proved: 15 s."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "reset_after", "probability": 0.04},
    {"fault": "reset_before", "probability": 0.02},
    {"fault": "empty_body", "probability": 0.02},
    {"fault": "html_body", "probability": 0.02},
    {"fault": "server_error_after", "probability": 0.02},
    {"fault": "server_error_before", "probability": 0.01},
    {"fault": "delayed_delivery", "probability": 0.03, "delay_ms": 1500},
    {"fault": "delayed_reply", "probability": 0.03, "delay_ms": 700},
    {"fault": "too_many_requests", "probability": 0.01, "retry_after_s": 1},
    {"fault": "partial_fill", "probability": 0.1},
    {"fault": "reset_before", "operation": "query", "probability": 0.1},
    {"fault": "html_body", "operation": "query", "probability": 0.05},
    {"fault": "stale_read", "operation": "query", "probability": 0.2, "delay_ms": 500},
    {"fault": "server_error_before", "operation": "my_trades", "probability": 0.1},
    {"fault": "reset_before", "operation": "open_orders", "probability": 0.1},
)
EVENT_FAULTS = ("duplicate_event", "dropped_event", "out_of_order", "late_event")
CONFIG = """
name = "long"
run_dir = "{run_dir}"
mode = "live"
[feed]
type = "ccxt"
symbols = {symbols}
channels = ["ticks"]
{venue}
{strategies}
[risk]
max_order_notional = "1000"
max_orders_per_minute = 100000
price_collar_bps = "5000"
"""
FOLLOWER = """
[[strategy]]
id = "follower"
uses = "{file}:Follower"
symbol = "{symbol}"
order_notional = "50"
[strategy.params]
every = {pace.every}
"""
"""It ends and replaces orders that rest: the others' are all filled at once."""
STRATEGY = """
[[strategy]]
id = "trader-{number}"
uses = "{file}:TickTrader"
symbol = "{symbol}"
order_notional = "{notional}"
[strategy.params]
every = {pace.every}
at_once = {pace.at_once}
"""


SETTLE = """
import msgspec
from exchanges.capabilities import CAPABILITIES
row = CAPABILITIES["binance"]
CAPABILITIES["binance"] = msgspec.structs.replace(row, settle_ms={pace.settle_ms})
"""
"""The local exchange is never as late as Binance may be."""


class Ended(AssertionError):
    """A process ended by itself."""

    def __init__(self, process_id: int, code: int) -> None:
        super().__init__(f"process {process_id} ended by itself, with {code}")
        self.code = code


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long a market lasts, and how much happens in it."""

    market_s: float
    speed: float
    every: int
    """Ticks between two decisions of a strategy."""
    at_once: int = 1
    """Orders of one decision."""
    not_arriving: float = 1.0
    """What the probability of a fault that keeps an order from the exchange is multiplied by."""
    least_filled: int = 0
    """It goes on until so many orders are filled, but not for ever."""
    settle_ms: int | None = None
    """How long after the receive window an order may come into sight; None: as at Binance, 12 s."""

    @property
    def span_s(self) -> float:
        """How long it is planned to last here."""
        return self.market_s / self.speed


class Report(msgspec.Struct, kw_only=True):
    """What was measured. Memory is the resident set in MB, at each tenth of the time."""

    market_s: float
    seconds: float = 0.0
    lives: int = 0
    kills: int = 0
    bot_mb: dict[str, float] = msgspec.field(default_factory=dict)
    orders: dict[str, int] = msgspec.field(default_factory=dict)
    """How many decisions there had been then."""
    venue_late_mb: float = 0.0
    decisions: int = 0
    states: dict[str, int] = msgspec.field(default_factory=dict)
    at_exchange: int = 0
    struck: int = 0
    stream_faults: int = 0
    handled: int = 0
    """Messages, by all actors of all lives but the killed ones' last moments."""
    dead_letters: dict[str, int] = msgspec.field(default_factory=dict)
    failed_starts: list[int] = msgspec.field(default_factory=list)
    problems: list[str] = msgspec.field(default_factory=list)


class Venue:
    """The local exchange's process and its control port."""

    def __init__(self, folder: Path, seed: int, speed: float) -> None:
        self._out = (folder / "venue.json").open("wb")
        command = [sys.executable, "-P", "-m", "cli", "venue", "--json", "--seed", str(seed)]
        command += ["--speed", str(speed), "--symbols", ",".join((*SYMBOLS, FOLLOWED))]
        command += [f"--balance={asset}=100000000" for asset in ("USDT", "SOL", "BTC", "ETH")]
        self.process = subprocess.Popen(command, stdout=self._out, stderr=self._out, cwd=ROOT)
        path = folder / "venue.json"
        self.facts = _until(self.process, lambda: self._told(path), READY_S, "the venue's start")

    def _told(self, path: Path) -> Any:
        text = path.read_text()
        return json.loads(text) if text.endswith("\n") else None

    def ask(self, name: str) -> Any:
        return self._call(urllib.request.Request(f"{self.facts['control']}/{name}"))

    def do(self, name: str, **arguments: Any) -> Any:
        body, kind = json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(f"{self.facts['control']}/{name}", body, kind))

    def _call(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["result"]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(END_S)
        self._out.close()


class Bot:
    """The bot as a user starts it, one life after another on one run directory."""

    def __init__(self, folder: Path, venue: Venue, pace: Pace) -> None:
        self.run_dir = folder / "run"
        self._config = folder / "config.toml"
        self._config.write_text(_config(self.run_dir, venue.facts["toml"], pace))
        self._out = (folder / "bot.log").open("wb")
        if pace.settle_ms is not None:
            (folder / "sitecustomize.py").write_text(SETTLE.format(pace=pace))
        path = f"{folder}{os.pathsep}{ROOT}"
        self._env = {**os.environ, "PYTHONPATH": path, **venue.facts["environment"]}
        self.process: subprocess.Popen[bytes] | None = None
        self.pids: list[int] = []
        self.failed_starts: list[int] = []
        """The exit codes of those that ended by themselves."""
        self.ready_s = 0.0
        """How long its lives that have ended were ready."""
        self._ready_at: float | None = None

    def start(self) -> None:
        """Start it, and again where it was too slow for its own limits, as a service's keeper does.

        Raises:
            Ended: it ends at each start.
        """
        for left in reversed(range(STARTS)):
            self._begin()
            try:
                self.until(self._is_ready, READY_S, "the bot's start")
                break
            except Ended as error:
                self.failed_starts.append(error.code)
                if not left or error.code not in GIVEN_UP:
                    raise
        self._ready_at = time.monotonic()

    def _begin(self) -> None:
        command = [sys.executable, "-P", "-m", "cli", "start", str(self._config), "--json"]
        command.append("--i-understand-live")
        self.process = subprocess.Popen(
            command, stdout=self._out, stderr=self._out, cwd=ROOT, env=self._env
        )
        self.pids.append(self.process.pid)

    def _is_ready(self) -> bool:
        """Whether this life is; asked as `health` asks, without a process for each question."""
        assert self.process is not None
        try:
            health = ask(self.run_dir / CONTROL_SOCKET, "health", timeout_s=LOOK_S)
        except NoAnswer:
            return False
        return bool(health["ready"]) and health["pid"] == self.process.pid

    @property
    def ready_for_s(self) -> float:
        """How long it was ready, all lives together: a start's time does not count."""
        now = time.monotonic()
        return self.ready_s + (0.0 if self._ready_at is None else now - self._ready_at)

    def until(self, is_so: Any, limit_s: float, what: str) -> Any:
        """Wait for something that this life must come to."""
        assert self.process is not None
        return _until(self.process, is_so, limit_s, what)

    def lives_for(self, seconds: float) -> None:
        """Let time pass, in which it must not end."""
        assert self.process is not None
        _lives_for(self.process, seconds)

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.ready_s, self._ready_at = self.ready_for_s, None
        self.process.send_signal(number)
        self.process.wait(END_S)

    def health(self) -> Any:
        done = self.command("health", "--json")
        return json.loads(done.stdout) if done.stdout.startswith("{") else {}

    def command(self, name: str, *more: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "cli", name, "--run-dir", str(self.run_dir), *more]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, env=self._env
        )

    def resident_mb(self) -> float:
        assert self.process is not None
        return resident_mb(self.process.pid)

    def ledger(self) -> list[LedgerEntry]:
        return list(read_orders(self.run_dir / "ledger.db"))

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()


def resident_mb(process_id: int) -> float:
    return float(psutil.Process(process_id).memory_info().rss) / 1e6


def _config(run_dir: Path, venue: str, pace: Pace) -> str:
    notionals = (500, 300, 200)
    strategies = "".join(
        STRATEGY.format(number=number, file=TRADER, symbol=symbol, notional=notional, pace=pace)
        for number, (symbol, notional) in enumerate(zip(SYMBOLS, notionals, strict=True), 1)
    )
    strategies += FOLLOWER.format(file=FOLLOWING, symbol=FOLLOWED, pace=pace)
    symbols = json.dumps((*SYMBOLS, FOLLOWED))
    return CONFIG.format(run_dir=run_dir, symbols=symbols, venue=venue, strategies=strategies)


def _until(process: "subprocess.Popen[bytes]", is_so: Any, limit_s: float, what: str) -> Any:
    """Look again and again, in the life of the process that must come to it."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        _lives_for(process, LOOK_AGAIN_S)
    raise AssertionError(f"{what} took more than {limit_s:.0f} s")


def _lives_for(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Pace the plan by waiting for what must not happen: that the process ends by itself."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(seconds)
        raise Ended(process.pid, code)


@contextmanager
def _both(folder: Path, seed: int, pace: Pace) -> Iterator[tuple[Venue, Bot]]:
    venue = Venue(folder, seed, pace.speed)
    try:
        bot = Bot(folder, venue, pace)
        try:
            yield venue, bot
        finally:
            bot.close()
    finally:
        venue.close()


RESTARTS = ((0.04, signal.SIGKILL), (0.08, signal.SIGTERM), (0.12, signal.SIGKILL))
"""At which part of the time; the life that is measured begins with the last of these."""
LOOKS = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def play(folder: Path, seed: int, pace: Pace) -> Report:
    """Play a market; see what is left when all is settled."""
    report, rng = Report(market_s=pace.market_s), random.Random(seed)
    with _both(folder, seed, pace) as (venue, bot):
        _arm(venue, pace)
        began = time.monotonic()
        bot.start()
        _play(venue, bot, pace, report, rng)
        report.venue_late_mb = resident_mb(venue.process.pid)
        report.struck = sum(one["struck"] for one in venue.ask("armed"))
        _restart(bot, signal.SIGKILL, report)
        _settle(venue, bot, report)
        report.seconds = round(time.monotonic() - began, 1)
        _compare(venue, bot, report)
    return report


def _arm(venue: Venue, pace: Pace) -> None:
    for plan in FAULTS:
        is_order = plan["fault"] in NOT_ARRIVING and "operation" not in plan
        share = pace.not_arriving if is_order else 1.0
        more = {"times": None, "probability": plan["probability"] * share}
        venue.do("arm", plan=plan | more)


def _play(venue: Venue, bot: Bot, pace: Pace, report: Report, rng: random.Random) -> None:
    restarts, looks = list(RESTARTS), list(LOOKS)
    while (part := bot.ready_for_s / pace.span_s) < 1 or _has_few(bot, pace):
        if restarts and part >= restarts[0][0]:
            _restart(bot, restarts.pop(0)[1], report)
        elif looks and part >= looks[0]:
            _look(bot, f"{looks.pop(0):.0%}", report)
        else:
            _break_a_stream(venue, rng)
            report.stream_faults += 1
            bot.lives_for(min(QUIET_S, 0.02 * pace.span_s))
    _look(bot, "100%", report)


def _has_few(bot: Bot, pace: Pace) -> bool:
    """Whether a busy machine has kept too much from happening, and there is time for more."""
    if bot.ready_for_s > MORE_TIMES * pace.span_s + MORE_S:
        return False
    filled = sum(entry.state is OrderState.FILLED for entry in bot.ledger())
    return filled < pace.least_filled


def _look(bot: Bot, when: str, report: Report) -> None:
    report.bot_mb[when] = round(bot.resident_mb(), 1)
    report.orders[when] = len(bot.ledger())


def _restart(bot: Bot, how: signal.Signals, report: Report) -> None:
    _note(bot.health(), report)
    report.kills += how is signal.SIGKILL
    bot.end(how)
    bot.start()


def _break_a_stream(venue: Venue, rng: random.Random) -> None:
    if rng.random() < 0.15:
        how = rng.choice(["drop", "close", "server_shutdown"])
        venue.do("strike_streams", fault=how, stream=rng.choice(["user", "*"]))
    else:
        times = rng.randint(1, 3)
        venue.do(
            "arm_stream",
            plan={"fault": rng.choice(EVENT_FAULTS), "stream": "user", "times": times},
        )


def _note(health: Mapping[str, Any], report: Report) -> None:
    """Add up what one life tells of its messages."""
    report.lives += 1
    for actor in health.get("actors", ()):
        if actor["dead_letters"]:
            path = actor["path"]
            report.dead_letters[path] = report.dead_letters.get(path, 0) + actor["dead_letters"]
        report.handled += actor["processed"]


def _settle(venue: Venue, bot: Bot, report: Report) -> None:
    """Nothing is broken any more: the last decisions are settled, and the bot ends in order."""
    venue.do("disarm")
    calm_ns = time.time_ns()
    bot.until(lambda: _is_settled(bot, calm_ns), SETTLE_S, "settling")
    _note(bot.health(), report)
    bot.end(signal.SIGTERM)


def _is_settled(bot: Bot, calm_ns: int) -> bool:
    """Whether every decision from before the calm has ended, and some from after it are there."""
    ledger = bot.ledger()
    has_new = any(entry.decided_at_ns > calm_ns for entry in ledger)
    return has_new and all(
        entry.state in FINAL_STATES for entry in ledger if entry.decided_at_ns <= calm_ns
    )


# ---------------------------------------------------------------- what must be true at the end


def _compare(venue: Venue, bot: Bot, report: Report) -> None:
    ledger, orders = bot.ledger(), venue.ask("orders")
    report.failed_starts = bot.failed_starts
    report.decisions, report.at_exchange = len(ledger), len(orders)
    report.states = dict(Counter(str(entry.state) for entry in ledger))
    audit = bot.command("audit")
    if audit.returncode:
        report.problems.append(f"audit: {audit.stdout}{audit.stderr}")
    report.problems += [f"twice at the exchange: {venue.ask('doubled')}"] * bool(
        venue.ask("doubled")
    )
    report.problems += _differences(ledger, {order["client_order_id"]: order for order in orders})
    report.problems += _lost_decisions(ledger)
    report.problems += _two_at_once(ledger, orders)
    if not any(
        entry.strategy_id == "follower" and "in place of" in entry.reason for entry in ledger
    ):
        report.problems.append("no order has taken the place of another")


def _differences(ledger: list[LedgerEntry], orders: Mapping[str, Any]) -> Iterator[str]:
    """Hold the ledger against the exchange's own list, both ways, to the last fill."""
    known = {entry.client_order_id for entry in ledger}
    yield from (f"{name} is not in the ledger" for name in orders if name not in known)
    real: dict[str, Decimal] = defaultdict(Decimal)
    told: dict[str, Decimal] = defaultdict(Decimal)
    never = (OrderState.REFUSED, OrderState.REJECTED, OrderState.NOT_SENT)
    for entry in ledger:
        order = orders.get(entry.client_order_id)
        if (order is None) is not (entry.state in never):
            yield f"{entry.client_order_id} is {entry.state} here, {order} there"
            continue
        filled = Decimal(order["filled"]) if order else Decimal(0)
        if filled != entry.filled_quantity:
            yield f"{entry.client_order_id}: {entry.filled_quantity} filled here, {filled} there"
        told[entry.symbol] += entry.filled_quantity * entry.side.sign
        real[entry.symbol] += filled * entry.side.sign
    if real != told:
        yield f"positions: {dict(real)} there, {dict(told)} here"


def _lost_decisions(ledger: list[LedgerEntry]) -> Iterator[str]:
    """A strategy numbers what it decides: a number that is missing is a message that was lost."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for entry in ledger:
        # Before it: whose place it takes. Behind it: what fees have left to sell, or was filled.
        decided = entry.reason.partition(";")[0].rpartition(" ")[2]
        who, _, number = decided.rpartition(":")
        numbers[f"{entry.strategy_id} {who}"].add(int(number))
    for who, seen in numbers.items():
        missing = set(range(1, max(seen) + 1)) - seen
        if missing:
            yield f"{who}: decisions {sorted(missing)} of {max(seen)} are lost"


def _two_at_once(ledger: list[LedgerEntry], orders: list[Any]) -> Iterator[str]:
    """Say which orders of the strategy that keeps one were at the exchange beside another."""
    mine = {entry.client_order_id for entry in ledger if entry.strategy_id == "follower"}
    there = sorted(
        (order for order in orders if order["client_order_id"] in mine),
        key=lambda order: int(order["ts_created_ns"]),
    )
    for before, after in pairwise(there):
        if before["status"] in OPEN or before["ts_updated_ns"] > after["ts_created_ns"]:
            yield f"{before['client_order_id']} was open beside {after['client_order_id']}"
