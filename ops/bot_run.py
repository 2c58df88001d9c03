"""One run of the bot: all that belongs to it, from its start to its ordered end."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from actors.log import logger, open_log
from actors.runtime import Started
from actors.thread_runtime import ThreadRuntime
from messages.exit_codes import EXIT_EXHAUSTED, IN_ORDER
from messages.lifecycle import Exit, HaltTrading
from ops.alerts import Alerts
from ops.collector import seldom_collecting
from ops.config import Config, Mode
from ops.control import ControlServer
from ops.cpu_keeper import cpu_keeper
from ops.demo_kill import DemoKill
from ops.dropped_log import DroppedLog
from ops.heart import Heart
from ops.journal import journal_for
from ops.journal_head import run_begun
from ops.late_alerts import LateAlerts
from ops.left_open import left_fields
from ops.narrator import Narrator, narrator_for
from ops.options import StartOptions
from ops.order_log import OrderLog
from ops.run_control import RunControl
from ops.run_dir import RunDir
from ops.run_ending import RunEnding
from ops.run_files import CONTROL_SOCKET, STATUS
from ops.run_totals import open_keys
from ops.secret_values import cleaner
from ops.snapshot import Snapshots
from ops.software import Software
from ops.status import StatusWriter
from ops.stop_signals import StopSignals
from ops.wiring import System, build
from ops.wiring_metrics import metric_writers
from ops.wiring_tree import start_root, stop_root
from persistence.ledger import Ledger

if TYPE_CHECKING:
    from exchanges.feed_connection import FeedConnection
    from ops.held_account import Account
    from ops.lease import HeldAccount
    from ops.publishing import Publishing


class BotRun:
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
        self.over, self.signals = threading.Event(), StopSignals()
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
        self.ending = RunEnding(self.system, self.signals)
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
        self.snapshots.does_rounds = self.heart.does_rounds
        self.software = Software()
        self.snapshots.extras["software"] = self.software.summary
        self.system.root.on_exit = self._root_gone

    def run(self) -> int:
        """Start, wait, stop, tell."""
        self.signals.listen()
        publishing = self._publish()
        answers = RunControl(self.system, self.config, self.snapshots, self._stop_asked).handlers()
        control = ControlServer(self.run_dir.path / CONTROL_SOCKET, answers)
        fence, ending = self.run_dir.fence, self.ending
        status = StatusWriter(self.run_dir.path / STATUS, self.snapshots.take, fence=fence)
        self.snapshots.extras["status"] = lambda: {"problem": status.problem}
        with ExitStack() as last:  # the other way round, and each whatever another raises
            last.callback(control.close)
            last.callback(lambda: status.close(ending.reason(), ending.code))
            last.callback(publishing.close)
            last.callback(lambda: self.narrator.end(ending.reason(), ending.code))
            last.callback(self._tell_of_the_end)
            last.callback(self._look_at_what_is_left)
            last.callback(self.dropped.close)
            control.start()
            status.start()
            if self.journal is not None:
                last.callback(self.journal.close)
                self.journal.start()
            last.callback(lambda: self.heart.close(ending.reason()))
            self.heart.start()
            self.narrator.begin()
            if self.config.alerts.enabled:
                self.alerts.start(partial(self.snapshots.take, latencies=False))
            try:
                started = start_root(self.system.runtime, self.system.root)
                ending.code = self._failed(started) if started.problem else self._wait()
            except Exception as error:
                ending.mistake = self.system.runtime.clean(f"{type(error).__name__}: {error}")
                raise
        return ending.code

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
        if self.ending.code not in IN_ORDER:
            how = f"{self.ending.reason()} (exit code {self.ending.code})"
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
        while not (self.over.is_set() or self.signals.number):
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
        """Drain from the feeds to the metrics; a second signal leaves at once.

        A root that hangs stops nobody: it is given up, with all below it, as by a kill.
        """
        ending, runtime, root = self.ending, self.system.runtime, self.system.root
        ending.by_itself = ending.root_exit is not None
        self.heart.stopping()
        ending.look()
        if not ending.by_itself:
            ending.root_hung = not stop_root(runtime, root, self.heart.does_rounds)
        return ending.stopped()

    def _failed(self, started: Started) -> int:
        self.ending.unstarted = f"it did not start: {started.problem}"
        sys.stderr.write(f"watchkeeper: {self.ending.unstarted}\n")
        return EXIT_EXHAUSTED

    def _has_chaos(self) -> bool:
        is_demo = self.options.config_path is None and self.options.exchange is None
        return self.options.chaos and is_demo

    def _halt(self, reason: str) -> None:
        self.system.executor.tell(HaltTrading(reason=reason, durable=False))

    def _stop_asked(self) -> None:
        self.ending.was_asked = True
        self.over.set()

    def _root_gone(self, notice: Exit) -> None:
        self.ending.root_exit = notice
        self.over.set()


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
