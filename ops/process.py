"""One run of the bot as a process: from the command line to the exit code."""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from actors.log import logger, open_log
from actors.runtime import Started
from actors.thread_runtime import ThreadRuntime, wake_on_time
from messages.account import AcceptAccount
from messages.errors import ConfigError
from messages.exit_codes import EXIT_EXHAUSTED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, IN_ORDER
from messages.ids import NS_PER_MS, ActorPath
from messages.lifecycle import ActorState, Exit, HaltTrading
from ops.alert_addresses import addresses
from ops.alerts import Alerts
from ops.collector import seldom_collecting
from ops.config import Config, FeedType, Mode
from ops.control import ControlServer
from ops.cpu_keeper import cpu_keeper
from ops.demo_kill import DemoKill
from ops.doubts import tell_doubts
from ops.dropped_log import DroppedLog
from ops.heart import Heart
from ops.inspect_control import InspectControl
from ops.journal import journal_for
from ops.journal_head import run_begun
from ops.late_alerts import LateAlerts
from ops.left_open import left_fields
from ops.live_consent import check_consent
from ops.narrator import Narrator, narrator_for
from ops.operator_control import OperatorControl
from ops.options import StartOptions
from ops.order_log import OrderLog
from ops.run_config import config_for, placed
from ops.run_dir import RunDir
from ops.run_files import CONTROL_SOCKET, STATUS
from ops.run_state import NO_ACCOUNT
from ops.run_totals import open_keys
from ops.secret_values import clean_refusals, cleaner, secrets_of
from ops.snapshot import Snapshots
from ops.software import Software
from ops.starting import Start
from ops.status import StatusWriter
from ops.waiting import Waiting
from ops.wiring import System, build
from ops.wiring_metrics import metric_writers
from persistence.ledger import Ledger

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from ops.held_account import Account
    from ops.lease import HeldAccount
    from ops.publishing import Publishing


def run_bot(options: StartOptions) -> int:
    """Run until the market ends, the time is over or somebody stops it; give the exit code.

    Raises:
        WatchkeeperError: a user's mistake, found before anything was started; exit 2.
    """
    config = placed(config_for(options), options)
    tell_doubts(config)
    if config.feed.type is FeedType.REPLAY:
        from ops.backtest_config import check_served  # which others can start without

        check_served(config)
    if config.feed.is_live:
        wake_on_time()  # before the first thread is started
    secrets = secrets_of(config)
    urls = addresses(config.alerts.urls_env) if config.alerts.enabled else []
    if config.mode is Mode.LIVE:
        check_consent(config.run_dir, config.venue, given=options.i_understand_live)
    elif options.standby:
        raise ConfigError(["--standby: only a live run has an account to take over"])
    waiting = Waiting(config.runtime.wait_for_services_s, secrets)
    with clean_refusals(secrets):
        ready = waiting.until_there(Start(options, config, secrets, waiting).attempt)
        with ready.holding:
            if waiting.waited:
                logger.info("the start was {}", waiting.waited)
            run = _Run(
                options, config, ready.run_dir, ready.account, ready.opened, urls, secrets,
                ready.ledger,
            )  # fmt: skip
            run.snapshots.claimed_before = ready.newest_claim
            run.snapshots.extras["errors"] = lambda: {"logged": ready.counts.errors}
            if ready.before:
                run.alerts.happened("gone", ready.before)
            ready.context.cells = run.system.runtime.cells
            return run.run()


def _ledger_of(
    account: "Account | None", held: "HeldAccount | None"
) -> tuple[Callable[[], Ledger] | None, Callable[[], dict[str, Any]] | None]:
    """Give what opens the ledger, None where it is the run's own file, and what its lease says."""
    if account is not None:
        return account.open_ledger, account.lease
    if held is None or held.place.ledger is None:
        return None, None
    from ops.held_ledger import ledger_opener

    return ledger_opener(held.place.ledger, held), held.keeper.snapshot


class _Run:
    """What belongs to one run; its methods are called on the main thread."""

    def __init__(
        self,
        options: StartOptions,
        config: Config,
        run_dir: RunDir,
        account: "Account | None" = None,
        opened: "FeedConnection | None" = None,
        urls: Sequence[str] = (),
        secrets: Sequence[str] = (),
        held: "HeldAccount | None" = None,
    ) -> None:
        open_ledger, lease = _ledger_of(account, held)
        self.options, self.config, self.run_dir = options, config, run_dir
        self.over = threading.Event()
        self.signal = 0
        self.halted = ""
        self.code = EXIT_EXHAUSTED
        self._mistake = self._unstarted = ""
        self.asked = self.ended_itself = False
        self.root_exit: Exit | None = None
        runtime = ThreadRuntime(
            ttl_enforced=config.feed.is_live, one_cpu=config.runtime.one_cpu is True
        )
        runtime.clean = cleaner(secrets)
        self.journal = journal_for(config, run_dir, runtime.clock.utc_ns)
        if self.journal is not None:
            runtime.recorder, runtime.notes = self.journal.record, self.journal
            self.journal.begun = run_begun(config, runtime.clock.utc_ns())
        self.narrator: Narrator = narrator_for(options, config)
        self.dropped = DroppedLog()
        self.observers = [self.narrator.observe, OrderLog(config).observe]
        if not config.feed.is_connected:
            self.observers.append(self.dropped.observe)
        self.alerts = Alerts(config, list(urls), secrets=secrets)
        self.system: System = build(
            config,
            run_dir,
            runtime,
            max_events=options.max_events or 0,
            observe=self._observe,
            live=account.venue if account else None,
            opened=opened,
            open_ledger=open_ledger,
            more=lambda: {"alerts": self.alerts.summary()},
        )
        self.snapshots = Snapshots(self.system, config, lease)
        self.snapshots.facts.begin_with(open_keys(run_dir.ledger))
        if account is not None:
            account.when_barred(self._halt)
        self.narrator.snapshots = self.snapshots
        self.alerts.tell = self.system.metrics.tell
        if self.journal is not None:
            self.snapshots.extras["journal"] = self.journal.summary
        keeping = self.system.fold.keeping
        self.snapshots.extras["metrics"] = lambda: msgspec.structs.asdict(keeping)
        self.snapshots.extras["alerts"] = self.alerts.summary
        self.observers += [self.snapshots.facts.observe, self.alerts.observe]
        brief = partial(self.snapshots.take, latencies=False)  # which neither of both shows
        self.heart = Heart(self.system.root, brief)
        self.snapshots.extras["pulse"] = self.heart.pulse
        self.software = Software()
        self.snapshots.extras["software"] = self.software.summary
        self.system.root.on_exit = self._root_gone

    def run(self) -> int:
        """Start, wait, stop, tell."""
        self._listen_to_signals()
        publishing = self._publish()
        control = ControlServer(self.run_dir.path / CONTROL_SOCKET, self._handlers())
        fence = self.run_dir.fence
        status = StatusWriter(self.run_dir.path / STATUS, self.snapshots.take, fence=fence)
        self.snapshots.extras["status"] = lambda: {"problem": status.problem}
        with ExitStack() as last:  # the other way round, and each whatever another raises
            last.callback(control.close)
            last.callback(lambda: status.close(self._reason(), self.code))
            last.callback(publishing.close)
            last.callback(lambda: self.narrator.end(self._reason(), self.code))
            last.callback(self._tell_of_the_end)
            last.callback(self._look_at_what_is_left)
            last.callback(self.dropped.close)
            control.start()
            status.start()
            if self.journal is not None:
                last.callback(self.journal.close)
                self.journal.start()
            last.callback(lambda: self.heart.close(self._reason()))
            self.heart.start()
            self.narrator.begin()
            if self.config.alerts.enabled:
                self.alerts.start(partial(self.snapshots.take, latencies=False))
            try:
                started = self.system.runtime.start(self.system.root, 60_000 * NS_PER_MS)
                self.code = self._failed(started) if started.problem else self._wait()
            except Exception as error:
                self._mistake = self.system.runtime.clean(f"{type(error).__name__}: {error}")
                raise
        return self.code

    def _observe(self, message: Any) -> None:
        for observe in self.observers:
            observe(message)

    def _look_at_what_is_left(self) -> None:
        if self.config.mode is not Mode.LIVE:
            return
        self.snapshots.left = left_fields(self.config.run_dir)
        for text in self.snapshots.left["texts"]:
            logger.warning("{}", text)

    def _tell_of_the_end(self) -> None:
        late = LateAlerts(self.system, *metric_writers(self.config, self.run_dir))
        if late.begin():
            self.alerts.tell = late.tell
        if self.code not in IN_ORDER:
            how = f"{self._reason()} (exit code {self.code})"
            self.alerts.happened("gone", f"process {os.getpid()} ends: {how}")
        self.alerts.close(self.snapshots.take)
        late.write()

    def _publish(self) -> "Publishing | ExitStack":
        settings = self.config.metrics
        if settings.http is None and settings.prometheus_file is None:
            return ExitStack()
        from ops.publishing import Publishing  # an HTTP server, which most runs do without

        return Publishing(self.config, self.run_dir, self.system, self.snapshots).start()

    # ------------------------------------------------------------ waiting

    def _wait(self) -> int:
        open_log()  # now that nobody waits for a start, and not with the first line that matters
        self.software.look()
        try:
            with seldom_collecting() as collect_when_due:
                self._watch(collect_when_due)
        except Exception:
            self._stop()  # a mistake of ours in waiting: nothing is left running behind it
            raise
        return self._stop()

    def _watch(self, collect_when_due: Callable[[float], None]) -> None:
        keeper = cpu_keeper() if self.config.runtime.one_cpu == "auto" else None
        deadline = time.monotonic() + self.options.duration_s if self.options.duration_s else None
        kill = DemoKill(self.system.executor, self.narrator) if self._has_chaos() else None
        while not (self.over.is_set() or self.signal):
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                break
            if kill is not None:
                kill.look(now)
            self.narrator.refresh()
            collect_when_due(now)
            if keeper is not None:
                keeper.look(now)
            self.over.wait(0.1)

    def _stop(self) -> int:
        """Drain from the feeds to the metrics; a second signal leaves at once."""
        self.ended_itself = self.root_exit is not None
        self.heart.stopping()
        self.halted = self._halted()  # an executor that halted is stopped afterwards
        if not self.ended_itself:
            self.system.runtime.stop(self.system.root, None)
        self.halted = self.halted or self._halted()
        if self.signal == signal.SIGINT:
            return EXIT_INTERRUPTED
        if self._exhausted():
            return EXIT_EXHAUSTED
        return EXIT_FAILED if self.halted else EXIT_OK

    def _exhausted(self) -> str:
        """Say who gave up, and why; empty when neither did that no run goes on without."""
        cells = self.system.runtime.cells
        told = (cells[p] for p in map(ActorPath, ("root", "feeds")) if p in cells)
        return next((f"{cell.path} {cell.problem}" for cell in told if cell.problem), "")

    def _halted(self) -> str:
        cells = self.system.runtime.cells.values()
        told = (c.problem for c in cells if c.state is ActorState.HALTED)
        return next(told, self.system.board.halt.text or self.system.board.unfinished)

    def _failed(self, started: Started) -> int:
        self._unstarted = f"it did not start: {started.problem}"
        sys.stderr.write(f"watchkeeper: {self._unstarted}\n")
        return EXIT_EXHAUSTED

    def _reason(self) -> str:
        code = self.code
        if self._mistake:
            return f"a mistake of watchkeeper's own: {self._mistake}"
        if self.signal:
            told = f"stopped by {signal.Signals(self.signal).name}"
            return f"{told}; halted: {self.halted}" if self.halted else told
        if code == EXIT_EXHAUSTED:
            why = self._exhausted() or "see health"
            return self._unstarted or f"supervision exhausted: {why}"
        if code == EXIT_FAILED:
            return f"halted: {self.halted}"
        if self.ended_itself:
            return "the market ended"
        return "stop was asked for" if self.over.is_set() and self.asked else "the time was over"

    def _has_chaos(self) -> bool:
        is_demo = self.options.config_path is None and self.options.exchange is None
        return self.options.chaos and is_demo

    def _halt(self, reason: str) -> None:
        self.system.executor.tell(HaltTrading(reason=reason, durable=False))

    def _root_gone(self, notice: Exit) -> None:
        self.root_exit = notice
        self.over.set()

    # ------------------------------------------------------------ from outside

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(signal.SIGHUP, self._on_signal)
        # A library that crashes the interpreter leaves no other word.
        faulthandler.enable(file=2, all_threads=True)
        # A process so stuck that the control thread is silent still says where.
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note it for the main thread, which looks ten times a second.

        This runs on that very thread, in the middle of anything: to set an Event here would be
        to wait for ever, when the thread is just inside that Event with its lock in hand.
        """
        del frame
        if number == signal.SIGHUP:  # a terminal that goes sends two, and a session's end one more
            self.signal = self.signal or number
            return
        if self.signal not in (0, signal.SIGHUP):
            os._exit(128 + number)
        self.signal = number

    def _handlers(self) -> dict[str, Any]:
        return {
            "health": lambda _: self.snapshots.take(),
            "stop": self._stop_requested,
            **OperatorControl(self.system.executor, self.system.board).handlers(),
            **InspectControl(self.system.runtime).handlers(),
            "account": lambda _: self._account(),
            "account_accept": self._account_accepted,
        }

    def _account(self) -> dict[str, Any]:
        latest = self.system.account.latest
        if self.config.mode is Mode.LIVE:
            return latest
        return {**latest, "state": NO_ACCOUNT}

    def _account_accepted(self, request: dict[str, Any]) -> dict[str, Any]:
        reason = str(request.get("reason") or "").strip()
        return {"told": bool(reason) and self.system.executor.tell(AcceptAccount(reason=reason))}

    def _stop_requested(self, request: dict[str, Any]) -> dict[str, Any]:
        del request
        logger.info("stop was asked for over the control socket")
        self.asked = True
        self.over.set()
        return {"stopping": True, "pid": os.getpid()}
