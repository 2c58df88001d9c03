"""Two hosts by turns: the active one is ended, the passive one takes over; what that took.

``python -m tests.system.failover --runs 50`` prints it. Each host has a run directory, leases and
a home of its own; a planted file keeps them from seeing each other's processes, as two machines
do, so that a lease has to run out. Cold and warm take turns in one run. A cold one is the same
program, whose standing by does nothing but wait.

Where the tools and the rights are there it runs in a network namespace of its own, and the way from
the active one to the database is cut there by the kernel, which drops its packets: the exchange it
still reaches.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from exchanges.local.server import RunningExchange, running_exchange
from messages.ids import NS_PER_MS
from messages.values import OrderState
from ops.client import NoAnswer, ask
from ops.health import probe_problem
from ops.run_files import CONTROL_SOCKET, LOG, STANDBY_SOCKET
from persistence.reader import LedgerReader
from tests.persistence.postgres_server import URL_ENV, Server, why_not
from tests.persistence.wire import Wire
from tests.system.bots import LIMIT_S, Bot
from tests.system.live_bots import (
    ENVIRONMENT,
    SHORT_LEASE_MS,
    SPEED,
    last_number,
    live_config,
    placed,
    signed,
    until_orders,
    wait_until,
)

FENCED = 75
HOWS = ("SIGKILL", "SIGSTOP", "database paused", "network cut")
LIVES_ON = ("SIGSTOP", "network cut")
"""After these the former active one goes on, and has to find itself overtaken."""
PAUSED_S = 3.0
"""So long the database answers nobody, from the kill on: less than the lease."""
_LOOK_S = 0.004
OTHER_MACHINE = "import ops.lease_machine as m\nm.Machine.is_alive = lambda *_: None\n"
IN_NAMESPACE = "WATCHKEEPER_OWN_NETWORK"
COLD = f"{OTHER_MACHINE}import ops.standby as s\ns.Warming.start = lambda self: self\n"


class Takeover(msgspec.Struct):
    """One of them; all in ms."""

    how: str
    is_warm: bool
    over_to_taken: float
    taken_to_ready: float
    ready_to_order: float
    order_to_order: float
    """From the last order before to the first one after: the lease's term is in it."""


SPANS = ("over_to_taken", "taken_to_ready", "ready_to_order", "order_to_order")
TITLES = {
    "over_to_taken": "lease over -> taken",
    "taken_to_ready": "taken -> ready to trade",
    "ready_to_order": "ready -> first order",
    "order_to_order": "last order before -> first after",
}


class Host:
    """A machine: what it has of its own. Its process is the active one, a passive one, or none."""

    def __init__(self, folder: Path, run: RunningExchange, server: Server) -> None:
        folder.mkdir()
        self.run_dir = folder / "run"
        self._config = live_config(folder, run)
        with self._config.open("a") as config:
            config.write(f'\n[idempotency]\nbackend = "postgres"\ndatabase_url_env = "{URL_ENV}"\n')
        self.wire = Wire(server.port)
        url = server.url.replace(f":{server.port}/", f":{self.wire.port}/")
        self._environment = {**ENVIRONMENT, URL_ENV: url, "XDG_STATE_HOME": str(folder)}
        self._plants = {is_warm: folder / f"planted-{is_warm}" for is_warm in (False, True)}
        for is_warm, place in self._plants.items():
            place.mkdir()
            (place / "sitecustomize.py").write_text(OTHER_MACHINE if is_warm else COLD)

    def start(self, *more: str, is_warm: bool = True) -> Bot:
        words = (str(self._config), "--i-understand-live", *more)
        paths = [str(self._plants[is_warm]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**self._environment, "PYTHONPATH": os.pathsep.join(paths)}
        return Bot(*words, environment=environment)

    def cut(self, *, is_cut: bool) -> None:
        """Have the kernel drop what goes between this host and the database, or pass it again."""
        for side in ("--dport", "--sport"):
            rule = ("OUTPUT", "-p", "tcp", side, str(self.wire.port), "-j", "DROP")
            subprocess.run(["iptables", "-A" if is_cut else "-D", *rule], check=True)

    def standing_by(self) -> Mapping[str, Any]:
        """What a passive one answers; nothing where there is none."""
        with suppress(NoAnswer):
            return ask(self.run_dir / STANDBY_SOCKET, "health", timeout_s=LIMIT_S)
        return {}

    def tells(self) -> str:
        """Give what it says of itself, and the end of its log."""
        words = [sys.executable, "-P", "-m", "cli", "health", "--run-dir", str(self.run_dir)]
        health = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        log = self.run_dir / LOG
        lines = log.read_text().splitlines()[-40:] if log.exists() else []
        return "\n".join([health.stdout + health.stderr, *lines])

    def is_ready(self) -> bool:
        with suppress(NoAnswer):
            snapshot = ask(self.run_dir / CONTROL_SOCKET, "health", timeout_s=LIMIT_S)
            return "actors" in snapshot and not probe_problem("ready", snapshot)
        return False


class LeaseWatch:
    """Sees when a lease was over, and when the next holder took it, on the database's clock."""

    def __init__(self, server: Server, schema: str) -> None:
        import psycopg

        self._connection = psycopg.connect(server.url, autocommit=True)
        self._text = (
            "SELECT token, renewals, returned, (extract(epoch FROM expires_at) * 1e9)::bigint,"
            f' term_ns FROM "{schema}".lease'
        )

    def row(self) -> tuple[int, int, bool, int, int]:
        found = self._connection.execute(self._text).fetchone()
        assert found is not None
        return found

    def until_taken(self) -> tuple[int, int]:
        """Give when the present lease was over and when the next one was taken; UTC, ns."""
        pause, end = threading.Event(), time.monotonic() + LIMIT_S
        before = self.row()
        while time.monotonic() < end:
            now = self.row()
            if now[0] != before[0]:
                renewed, taken_ns = now[1], now[3] - now[4]
                assert renewed == 0, "looked too late"
                return before[3], taken_ns
            before = now
            pause.wait(_LOOK_S)
        raise AssertionError("nobody took it")

    def close(self) -> None:
        self._connection.close()


class Pair:
    """An exchange, a database, and two hosts that trade one account by turns."""

    def __init__(self, folder: Path, run: RunningExchange, server: Server) -> None:
        self.run, self.server = run, server
        self.active_host, self.passive_host = (
            Host(folder / name, run, server) for name in ("a", "b")
        )
        self.passive: Bot | None = None
        self.active = self.active_host.start()
        until_orders(run, 2)
        (name,) = (row[0] for row in server.say(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wk!_binance%' ESCAPE '!'"
        ))  # fmt: skip
        self.watch = LeaseWatch(server, name)

    def turn(self, how: str, *, is_warm: bool) -> Takeover:
        """End the active one, once the other stands by, and see it taken over."""
        self.passive = passive = self.passive_host.start("--standby", is_warm=is_warm)
        passive.until_said("is traded by process")
        if is_warm:
            wait_until(lambda: bool(self.passive_host.standing_by().get("is_warm")))
        until_orders(self.run, 1)
        self._end_active(how)
        over_ns, taken_ns = self.watch.until_taken()
        wait_until(self.passive_host.is_ready)
        ready_ns = time.time_ns()
        wait_until(lambda: max(self._orders_ns()) > taken_ns)
        last_ns = max(at for at in self._orders_ns() if at <= taken_ns)
        first_ns = min(at for at in self._orders_ns() if at > taken_ns)
        self._see_fenced(how)
        self.active = passive
        self.active_host, self.passive_host = self.passive_host, self.active_host
        return Takeover(
            how,
            is_warm,
            *(span / NS_PER_MS for span in (
                taken_ns - over_ns, ready_ns - taken_ns, first_ns - ready_ns, first_ns - last_ns
            )),
        )  # fmt: skip

    def _end_active(self, how: str) -> None:
        if how == "SIGSTOP":
            self.active.freeze()
            return
        if how == "network cut":
            self.active_host.cut(is_cut=True)
            return
        if how == "database paused":
            self.server.pause()
            threading.Timer(PAUSED_S, self.server.resume).start()
        self.active.kill()

    def _see_fenced(self, how: str) -> None:
        """Who was stopped, or was kept from the database, goes on: it sends no more, and ends."""
        if how not in LIVES_ON:
            return
        new = self.passive
        assert new is not None
        new.freeze()
        before = last_number(self.run)
        if how == "SIGSTOP":
            self.active.send(signal.SIGCONT)
        else:
            self.active_host.cut(is_cut=False)
        code, said = self.active.end()
        sent = signed(self.run, before)
        new.send(signal.SIGCONT)
        assert (code, sent) == (FENCED, []), said

    def _orders_ns(self) -> list[int]:
        requests = self.run.exchange.requests()
        return [one.ts_received_ns for one in requests if one.operation == "place"]

    @contextmanager
    def told_if_it_fails(self) -> Iterator[None]:
        """Leave on stderr what each host says of itself, when a takeover came to nothing."""
        try:
            yield
        except AssertionError:
            for host in (self.active_host, self.passive_host):
                sys.stderr.write(f"{host.run_dir}\n{host.tells()}\n")
            raise

    def close(self) -> None:
        """Whatever happened, leave nothing running."""
        self.server.resume()
        for bot in (self.active, self.passive):
            if bot is not None:
                bot.kill()
        self.watch.close()
        for host in (self.active_host, self.passive_host):
            host.wire.close()

    def settled(self) -> None:
        """End in order: no order is twice at the exchange, and the ledger knows each."""
        code, said = self.active.end(signal.SIGTERM)
        assert code == 0, said
        assert max(placed(self.run).values()) == 1
        with LedgerReader(self.active_host.run_dir / "ledger.db") as ledger:
            known = {one.client_order_id: one.state for one in ledger.newest_orders()}
        assert set(placed(self.run)) <= set(known)
        assert OrderState.SENT not in known.values()


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Bring an exchange and a database, and begin to trade."""
    with ExitStack() as stack:
        server = Server()
        stack.callback(server.close)
        os.environ[URL_ENV] = server.url
        stack.callback(os.environ.pop, URL_ENV)
        run = stack.enter_context(running_exchange(seed=5, speed=SPEED))
        two = Pair(folder, run, server)
        stack.callback(two.close)
        yield two


def hows() -> tuple[str, ...]:
    """Give the ways that can be tried here."""
    return HOWS if IN_NAMESPACE in os.environ else HOWS[:-1]


def into_namespace() -> None:
    """Begin this program anew in a network of its own, whose loopback is nobody else's."""
    tools = all(shutil.which(name) for name in ("unshare", "ip", "iptables"))
    if IN_NAMESPACE in os.environ or os.getuid() != 0 or not tools:
        return
    words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command = [*words, sys.executable, "-m", "tests.system.failover", *sys.argv[1:]]
    os.execvpe(words[0], command, {**os.environ, IN_NAMESPACE: "1"})


def figures(found: list[Takeover]) -> str:
    """Give p50 and the longest of each span, cold beside warm."""
    lines = []
    for how in dict.fromkeys(one.how for one in found):
        lines.append(how)
        for span in SPANS:
            words = [f"  {TITLES[span]:<34}"]
            for is_warm in (False, True):
                values = [getattr(o, span) for o in found if (o.how, o.is_warm) == (how, is_warm)]
                if values:
                    name = "warm" if is_warm else "cold"
                    words.append(
                        f"{name} p50 {median(values):>7,.0f}  max {max(values):>7,.0f} ms"
                        f" ({len(values)})"
                    )
            lines.append("  ".join(words))
    return "\n".join(lines)


def main() -> int:
    """Do as many takeovers as were asked for; print what they took."""
    parser = argparse.ArgumentParser(description="Takeovers by a standby, timed.")
    parser.add_argument("--runs", type=int, default=50, help="of each: cold and warm")
    parser.add_argument("--only", choices=HOWS, help="one way to end the active one")
    parser.add_argument("--out", type=Path, help="a file that takes one JSON line for each")
    options = parser.parse_args()
    if reason := why_not():
        raise SystemExit(reason)
    into_namespace()
    ways = (options.only,) if options.only else hows()
    found: list[Takeover] = []
    with tempfile.TemporaryDirectory(prefix="wk-failover-") as folder, pair(Path(folder)) as two:
        for number in range(options.runs):
            for is_warm in (False, True):
                with two.told_if_it_fails():
                    one = two.turn(ways[number % len(ways)], is_warm=is_warm)
                found.append(one)
                line = json.dumps(msgspec.to_builtins(one))
                sys.stderr.write(f"{number + 1} of {options.runs}: {line}\n")
                if options.out is not None:
                    with options.out.open("a") as file:
                        file.write(f"{line}\n")
        two.settled()
        orders = placed(two.run)
    sys.stdout.write(f"lease {SHORT_LEASE_MS} ms; {len(found)} takeovers\n{figures(found)}\n")
    sys.stdout.write(f"{len(orders)} orders at the exchange, the most of one key:")
    sys.stdout.write(f" {max(orders.values())}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
