"""What the commands take that run, steer and watch a bot."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import (
    add_command,
    add_run,
    add_run_dir,
    add_timeout,
    count,
    natural,
    positive,
    seconds,
    speed,
)
from ops.bounds import MOST_MB, MOST_S

if TYPE_CHECKING:
    from ops.arguments_shared import Add, Commands


def _add_start(commands: "Commands") -> None:
    start = add_command(
        commands, "start", "run the bot; without CONFIG, a demo that needs no network"
    )
    start.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file")
    add_run_dir(start, "where its files go (default: runs/NAME)")
    start.add_argument("--duration", type=seconds, metavar="SECONDS", help="stop after this time")
    start.add_argument("--max-events", type=count, metavar="N", help="stop after N market events")
    start.add_argument(
        "--speed",
        type=speed,
        metavar="X",
        help="times the market's pace; 0 is as fast as possible",
    )
    start.add_argument(
        "--exchange", metavar="ID", help="without CONFIG: its live market, traded on paper"
    )
    start.add_argument("--symbol", metavar="BASE/QUOTE", help="with --exchange (BTC/USDT)")
    start.add_argument("--timeframe", metavar="LENGTH", help="with --exchange (1m)")
    start.add_argument(
        "--idempotency-backend",
        choices=("sqlite", "postgres", "memory"),
        help="where the orders are kept (sqlite)",
    )
    start.add_argument(
        "--database-url-env", metavar="NAME", help="for postgres: the variable with its address"
    )
    metrics = start.add_mutually_exclusive_group()
    for flag, value in (("--enable-metrics", True), ("--disable-metrics", False)):
        text = "whatever CONFIG says"
        metrics.add_argument(
            flag, dest="metrics_enabled", action="store_const", const=value, help=text
        )
    start.add_argument(
        "--no-chaos", dest="chaos", action="store_false", help="let the demo crash nothing"
    )
    start.add_argument(
        "--i-understand-live",
        action="store_true",
        help='agree, once for a run directory, that mode = "live" sends real orders',
    )
    start.add_argument(
        "--standby", action="store_true", help="wait for an account that is traded, and take over"
    )
    start.add_argument(
        "--wait-for-services",
        type=natural,
        metavar="SECONDS",
        help="for an exchange, bus or database that is only away; 0 is not at all (0)",
    )
    start.add_argument("--json", action="store_true", help="write JSON lines, also on a terminal")
    start.set_defaults(command="start")


def _add_health(commands: "Commands") -> None:
    summary = "show how a run is: 0 fine, 1 warning, 2 critical, 3 no such process"
    health = add_command(commands, "health", summary)
    add_run(health)
    health.add_argument("--json", action="store_true", help="the snapshot, one JSON object")
    health.add_argument(
        "--watch", type=seconds, nargs="?", const=2.0, metavar="SECONDS", help="again and again"
    )
    health.add_argument("--probe", choices=("live", "ready", "startup"), help="exit 0 or 1")
    health.add_argument("--stacks", action="store_true", help="and what every thread is doing")
    health.add_argument("--errors", action="store_true", help="and the last errors, tracebacks")
    health.add_argument("--deep", metavar="PATH", help="and what one actor holds: its PATH")
    add_timeout(health, 2)
    health.set_defaults(command="health")


def _add_stop(commands: "Commands") -> None:
    stop = add_command(commands, "stop", "ask a run to end in order, and wait until it is gone")
    add_run(stop)
    add_timeout(stop, 30)
    stop.set_defaults(command="stop")


def _add_halt(commands: "Commands") -> None:
    summary = "stop trading, cancel what is open and prove it: 0 proved, 1 not, 3 no such run"
    halt = add_command(commands, "halt", summary)
    add_run(halt)
    halt.add_argument("--reason", default="a person said so", metavar="TEXT", help="for the record")
    _add_config(halt)
    halt.add_argument("--json", action="store_true", help="one JSON object")
    add_timeout(halt, 60)
    halt.set_defaults(command="halt")


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", type=Path, metavar="CONFIG", help="where the run's last start left none"
    )


def _add_resume(commands: "Commands") -> None:
    resume = add_command(commands, "resume", "end a halt: 0 trading goes on, 1 it does not")
    add_run(resume)
    resume.add_argument(
        "--despite-open", action="store_true", help="although nothing proves that all is closed"
    )
    _add_config(resume)
    resume.add_argument("--json", action="store_true", help="one JSON object")
    add_timeout(resume, 30)
    resume.set_defaults(command="resume")


def _add_check(commands: "Commands") -> None:
    summary = "print the effective config, or every mistake in it (exit 2)"
    check = add_command(commands, "check", summary)
    check.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file")
    check.set_defaults(command="check")


def _add_publish(commands: "Commands") -> None:
    summary = "follow the market of CONFIG once and publish it over NATS, for many bots"
    publish = add_command(commands, "publish", summary)
    publish.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file: its [feed]")
    publish.add_argument(
        "--to", default="nats://127.0.0.1:4222", metavar="URL", help="(nats://127.0.0.1:4222)"
    )
    publish.add_argument("--stream", default="market", metavar="NAME", help="(market)")
    add_run_dir(publish, "where its files go (default: runs/NAME-publisher)")
    publish.add_argument("--duration", type=seconds, metavar="SECONDS", help="stop after this")
    publish.add_argument("--max-events", type=count, metavar="N", help="stop after N events")
    publish.add_argument(
        "--speed", type=speed, metavar="X", help="as with start, where it is recorded"
    )
    publish.add_argument(
        "--history", type=count, default=500, metavar="N", help="candles before now, live (500)"
    )
    kept = "what the stream keeps at most (168)"
    publish.add_argument("--keep-hours", type=_hours, default=168.0, metavar="H", help=kept)
    publish.add_argument(
        "--keep-mb", type=_megabytes, default=1_024, metavar="MB", help="same (1024)"
    )
    for name, text in (
        ("user", "the user's name"),
        ("password", "the password"),
        ("token", "the token"),
        ("credentials", "the path of a .creds file"),
    ):
        where = f"the variable with {text}"
        publish.add_argument(f"--{name}-env", metavar="NAME", help=where)
    trusted = "certificates that the server's must be of (tls://)"
    publish.add_argument("--ca-file", type=Path, metavar="FILE", help=trusted)
    publish.set_defaults(command="publish")


def _hours(text: str) -> float:
    if (number := positive(text)) > (most := MOST_S // 3_600):
        raise argparse.ArgumentTypeError(f"{text} is more than {most} hours")
    return number


def _megabytes(text: str) -> int:
    if (number := count(text)) > MOST_MB:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_MB}")
    return number


def _add_doctor(commands: "Commands") -> None:
    summary = "look at this machine and a config: 0 all is well, 1 a warning, 2 a problem"
    doctor = add_command(commands, "doctor", summary)
    doctor.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file")
    doctor.add_argument(
        "--online", action="store_true", help="ask exchange and bus; places no order"
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding")
    doctor.set_defaults(command="doctor")


def _add_alert(commands: "Commands") -> None:
    alert = add_command(commands, "alert", "try the addresses of alerts, or watch over a run")
    what = alert.add_subparsers(title="what", metavar="test|watch", required=True)
    summary = "send one notice to each address: 0 all took it, 1 one did not"
    test = add_command(what, "test", summary)
    test.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="names the variable")
    test.add_argument("--json", action="store_true", help="one JSON object an address")
    test.set_defaults(command="alert_test")
    watch = add_command(what, "watch", "tell when the process of a run is gone without a goodbye")
    add_run(watch)
    often = "how often it is asked (2)"
    watch.add_argument("--interval", type=seconds, default=2.0, metavar="SECONDS", help=often)
    stale = "how old its last word may be (15)"
    watch.add_argument("--stale", type=seconds, default=15.0, metavar="SECONDS", help=stale)
    watch.add_argument("--once", action="store_true", help="look once: 0 well, 1 told")
    watch.set_defaults(command="alert_watch")


def _add_orchestrate(commands: "Commands") -> None:
    summary = "run many bots as processes of their own, watch them, restart or park them"
    fleet = add_command(commands, "orchestrate", summary)
    verbs = fleet.add_subparsers(title="what", metavar="VERB", required=True)
    for verb, told in (
        ("up", "run the fleet in the foreground; a signal ends all bots in order"),
        ("ps", "show the bots: 0 all run or have ended in order, 1 one does not, 3 never up"),
        ("page", "write how the fleet stands as one HTML file"),
        ("restart", "drain one bot and start it again, also a parked one"),
        ("drain", "end one bot in order and leave it so"),
        ("reload", "read the fleet file and the bots' configs again; only what changed is touched"),
        ("down", "end all bots in order, then the orchestrator"),
        ("logs", "print the end of one bot's log"),
    ):
        one = add_command(verbs, verb, told)
        one.add_argument("fleet", type=Path, metavar="FLEET", help="a TOML file")
        if verb in ("restart", "drain", "logs"):
            one.add_argument("bot", metavar="BOT", help="its id in the file")
        if verb != "logs":
            lines = "JSON lines" if verb == "up" else "one JSON object"
            one.add_argument("--json", action="store_true", help=lines)
        if verb == "up":
            place = "serve the fleet's page and /metrics there, over the file's `http`"
            one.add_argument("--serve", dest="http", metavar="HOST:PORT", help=place)
        if verb == "page":
            where = "where it goes, - is stdout (fleet.html in the fleet's run_dir)"
            one.add_argument("--out", type=Path, metavar="FILE", help=where)
        if verb in ("restart", "drain", "reload", "down"):
            add_timeout(one, 60)
        if verb == "logs":
            one.add_argument(
                "--lines", type=count, default=40, metavar="N", help="of each file (40)"
            )
        one.set_defaults(command="orchestrate", verb=verb)


ADD: "dict[str, Add]" = {
    "start": _add_start,
    "health": _add_health,
    "stop": _add_stop,
    "halt": _add_halt,
    "resume": _add_resume,
    "check": _add_check,
    "publish": _add_publish,
    "doctor": _add_doctor,
    "alert": _add_alert,
    "orchestrate": _add_orchestrate,
}
