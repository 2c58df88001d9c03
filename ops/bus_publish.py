"""One publisher as a process: a feed that is followed once, for a fleet. See `ops.bot_run`."""

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

import strategies
from actors.log import logger, open_log
from actors.thread_runtime import ThreadRuntime
from exchanges.bus_address import BusAddress, StreamLimits
from messages.errors import ConfigError
from messages.exit_codes import EXIT_EXHAUSTED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK
from messages.ids import NS_PER_S
from messages.lifecycle import ActorState, Exit
from ops.bus_unstored import unstored
from ops.bus_wiring import Gate, Publishing, build_publisher, open_writer
from ops.config import Config, load
from ops.config import document_of as read_document
from ops.config_bus import address_of, missing_from, stream_problem, trust_problem, url_problem
from ops.config_schema import BusClock, NatsConfig
from ops.control import ControlServer
from ops.dropped_log import DroppedLog
from ops.heart import Heart
from ops.log_context import LogContext
from ops.logs import log_from_now_on, log_settings, unhandled_are_logged
from ops.market_gate import market_of
from ops.run_dir import RunDir
from ops.run_ending import gave_up, how_root_failed
from ops.run_facts import RunFacts
from ops.run_files import CONTROL_SOCKET, LOG, STATUS
from ops.secret_names import is_variable_name
from ops.secret_values import clean_refusals, cleaner, secrets_of, spellings
from ops.snapshot import actor_view, latencies_of
from ops.status import StatusWriter
from ops.stop_signals import StopSignals
from ops.verdict import verdict
from ops.wiring_tree import start_root, stop_root
from persistence.secret_files import take_secret_files


class PublishOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of `publish`."""

    config_path: Path
    url: str
    stream: str
    run_dir: Path | None = None
    speed: float | None = None
    duration_s: float | None = None
    max_events: int | None = None
    history: int = 500
    keep_hours: float = 168.0
    keep_mb: int = 1_024
    user_env: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    credentials_env: str | None = None
    ca_file: Path | None = None


def publish(options: PublishOptions) -> int:
    """Publish until the market ends, the time is over or somebody stops it; give the exit code.

    Raises:
        WatchkeeperError: a user's mistake, found before anything was started; exit 2.
    """
    config = _config(options)
    bus = _bus(options)
    take_secret_files(bus.secret_variables)
    address = _checked(bus)
    named = [os.environ.get(name, "") for name in bus.secret_variables]
    secrets, context = [*spellings(named), *secrets_of(config)], LogContext()
    limits = StreamLimits(
        max_age_s=max(1, int(options.keep_hours * 3600)), max_bytes=options.keep_mb * 1_000_000
    )
    with clean_refusals(secrets), ExitStack() as stack:
        run_dir = stack.enter_context(RunDir(config.run_dir))
        make, writer, reached = open_writer(config, address, limits)
        stack.callback(writer.close, 3.0)
        opened = stack.enter_context(market_of(config, history=options.history))
        stack.enter_context(unhandled_are_logged(secrets))
        log_from_now_on(
            run_dir.path / LOG,
            secrets=secrets,
            settings=log_settings(config.logs),
            screen_level="WARNING",
            context=context.fields,
        )
        runtime = ThreadRuntime(ttl_enforced=False, one_cpu=config.runtime.one_cpu is True)
        runtime.clean = cleaner(secrets)
        context.cells = runtime.cells
        facts, dropped = RunFacts(runtime.clock.monotonic_ns), DroppedLog()

        def observe(message: Any) -> None:
            facts.observe(message)
            if not config.feed.is_connected:
                dropped.observe(message)

        system = build_publisher(
            config,
            run_dir,
            runtime,
            Gate(writer=writer, reached=reached, feed=opened),
            make,
            history=options.history,
            max_events=options.max_events or 0,
            observe=observe,
        )
        stack.callback(dropped.close)
        return _Run(options, config, run_dir, system, facts).run()


def _config(options: PublishOptions) -> Config:
    """Read a bot's file, or one without a strategy; the publisher has a directory of its own."""
    document = read_document(options.config_path)
    changes: dict[str, object] = {}
    if "strategy" not in document:
        changes["strategy"] = []
    if options.speed is not None:
        changes["feed.speed"] = options.speed
    name = document.get("name")
    changes["run_dir"] = options.run_dir or f"runs/{name}-publisher"
    return load(options.config_path, changes, strategies.check_params)


def _bus(options: PublishOptions) -> NatsConfig:
    """Read where the bus is.

    Raises:
        ConfigError: with one sentence per mistake.
    """
    problems = []
    if problem := url_problem(options.url):
        problems.append(f"--to: {problem}")
    if problem := stream_problem(options.stream):
        problems.append(f"--stream: {problem}")
    names = (options.user_env, options.password_env, options.token_env, options.credentials_env)
    if not all(name is None or is_variable_name(name) for name in names):
        problems.append("an option that ends in -env: name a variable, not what it holds")
    if (options.user_env is None) != (options.password_env is None):
        problems.append("--user-env goes with --password-env, and the other way round")
    nats = NatsConfig(
        url=options.url,
        stream=options.stream,
        clock=BusClock.REAL,
        user_env=options.user_env,
        password_env=options.password_env,
        token_env=options.token_env,
        credentials_env=options.credentials_env,
        ca_file=None if options.ca_file is None else str(options.ca_file),
    )
    if problem := trust_problem(nats):
        problems.append(f"--ca-file: {problem}")
    if problems:
        raise ConfigError(problems)
    return nats


def _checked(bus: NatsConfig) -> BusAddress:
    """Give the address, once all is there that lets us in.

    Raises:
        ConfigError: with one sentence for each thing that is not.
    """
    if problems := missing_from(bus, lambda key: f"--{key.replace('_', '-')}"):
        raise ConfigError(problems)
    return address_of(bus)


class _Run:
    """What belongs to one run; its methods are called on the main thread."""

    def __init__(
        self,
        options: PublishOptions,
        config: Config,
        run_dir: RunDir,
        system: Publishing,
        facts: RunFacts,
    ) -> None:
        self._options, self._config, self._run_dir = options, config, run_dir
        self._system, self._facts = system, facts
        self._clock = system.runtime.clock
        self._started_ns, self._begun_ns = self._clock.utc_ns(), self._clock.monotonic_ns()
        self._over, self._signals = threading.Event(), StopSignals()
        self._code = EXIT_EXHAUSTED
        self._asked = self._ended_itself = self._root_hung = False
        self._root_exit: Exit | None = None
        self._heart = Heart(system.root, self.take)
        system.root.on_exit = self._root_gone

    def run(self) -> int:
        """Start, wait, stop, tell."""
        self._signals.listen()
        handlers = {"health": lambda _: self.take(), "stop": self._stop_requested}
        control = ControlServer(self._run_dir.path / CONTROL_SOCKET, handlers)
        status = StatusWriter(self._run_dir.path / STATUS, self.take, fence=self._run_dir.fence)
        with ExitStack() as last:  # the other way round, and each whatever another raises
            last.callback(control.close)
            last.callback(lambda: status.close(self._reason(), self._code))
            control.start()
            status.start()
            last.callback(lambda: self._heart.close(self._reason()))
            self._heart.start()
            started = start_root(self._system.runtime, self._system.root)
            if started.problem:
                sys.stderr.write(f"watchkeeper: it did not start: {started.problem}\n")
                return self._code
            open_log()
            self._code = self._wait()
        self._tell_the_end()
        return self._code

    def take(self) -> dict[str, Any]:
        """Give what `health` shows, schema 1, with the verdict in it. Any thread."""
        system, now_ns = self._system, self._clock.monotonic_ns()
        cells = sorted(system.runtime.cells.values(), key=lambda cell: cell.path)
        is_running = system.root.state is ActorState.RUNNING and self._heart.does_rounds()
        snapshot: dict[str, Any] = {
            "schema": 1,
            "name": self._config.name,
            "mode": "publish",
            "pid": os.getpid(),
            "started_at_ns": self._started_ns,
            "captured_at_ns": self._clock.utc_ns(),
            "uptime_s": (now_ns - self._begun_ns) / NS_PER_S,
            "root_alive": is_running,
            "ready": is_running and system.publisher.state is ActorState.RUNNING,
            "actors": [
                actor_view(system.runtime, cell, now_ns) | latencies_of(cell) for cell in cells
            ],
            "bus": {
                "url": self._options.url,
                "stream": self._options.stream,
                **system.kept.summary(),
            },
            "link": self._facts.link(),
            "dropped": {} if self._config.feed.is_connected else self._facts.dropped(),
            "gaps": {} if self._config.feed.is_connected else self._facts.gaps(),
            "pulse": self._heart.pulse(),
            "ended": None,
        }
        bus = snapshot["bus"]
        counted = ("published", "repeated", "ticks", "foreign", "waiting")
        snapshot["counters"] = {name: bus.get(name, 0) for name in counted}
        snapshot["verdict"], snapshot["why"] = verdict(snapshot)
        return snapshot

    # ------------------------------------------------------------ waiting

    def _wait(self) -> int:
        limit_s = self._options.duration_s
        deadline = time.monotonic() + limit_s if limit_s else None
        while not (self._over.is_set() or self._signals.number):
            if deadline is not None and time.monotonic() >= deadline:
                break
            self._over.wait(0.1)
        self._ended_itself = self._over.is_set() and not self._asked
        self._heart.stopping()
        if not self._ended_itself:
            runtime, root = self._system.runtime, self._system.root
            self._root_hung = not stop_root(runtime, root, self._heart.does_rounds)
        if self._signals.number == signal.SIGINT:
            return EXIT_INTERRUPTED
        if self._given_up():
            return EXIT_EXHAUSTED
        return EXIT_FAILED if self._unstored() else EXIT_OK

    def _given_up(self) -> str:
        if self._root_hung:
            return "the root supervisor hung"
        return how_root_failed(self._root_exit) or gave_up(self._system.runtime.cells)

    def _unstored(self) -> str:
        return unstored(self._system.kept, is_recorded=not self._config.feed.is_live)

    def _reason(self) -> str:
        left = self._unstored()
        if told := self._signals.told:
            return f"{told}; {left}" if left else told
        if self._code == EXIT_EXHAUSTED:
            return f"supervision exhausted: {self._given_up() or 'see health'}"
        if left:
            return left
        if self._ended_itself:
            return "the market ended"
        return "stop was asked for" if self._asked else "the time was over"

    def _tell_the_end(self) -> None:
        if self._code == EXIT_EXHAUSTED or self._unstored():
            sys.stderr.write(f"watchkeeper: {self._reason()}\n")

    # ------------------------------------------------------------ from outside

    def _stop_requested(self, request: dict[str, Any]) -> dict[str, Any]:
        del request
        logger.info("stop was asked for over the control socket")
        self._asked = True
        self._over.set()
        return {"stopping": True, "pid": os.getpid()}

    def _root_gone(self, notice: Exit) -> None:
        self._root_exit = notice
        self._over.set()
