"""What may be written on the command line, and nothing of what it does.

Only the standard library: `--help` is waited for, and probes run `health` every few seconds.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class _Version(argparse.Action):
    """Looks the version up when it is asked for: importlib.metadata takes a while."""

    def __call__(self, *_: object, **__: object) -> None:
        """Print it and end."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("watchkeeper")
        except PackageNotFoundError:
            known = "(a checkout, not installed)"
        sys.stdout.write(f"watchkeeper {known}\n")
        raise SystemExit(0)


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser; what it gives names its `command`, and has the command's own arguments.

    With the `words` that it is to read it knows only their command, if they begin with one: to
    make all of them takes as long as half a start of Python.
    """
    root = argparse.ArgumentParser(
        prog="watchkeeper",
        description="At most one order per decision, settled by evidence.",
        allow_abbrev=False,
    )
    root.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    chosen = _ADD.get(words[0]) if words else None
    for add in [chosen] if chosen else _ADD.values():
        add(commands)
    return root


def _command(commands: "Commands", name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)


def _add_start(commands: "Commands") -> None:
    start = _command(commands, "start", "run the bot; without CONFIG, a demo that needs no network")
    start.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file")
    _add_run_dir(start, "where its files go (default: runs/NAME)")
    start.add_argument("--duration", type=_positive, metavar="SECONDS", help="stop after this time")
    start.add_argument("--max-events", type=_count, metavar="N", help="stop after N market events")
    start.add_argument("--speed", type=_not_negative, metavar="X", help="0 as fast as possible")
    start.add_argument(
        "--exchange", metavar="ID", help="without CONFIG: its live market, traded on paper"
    )
    start.add_argument("--symbol", metavar="BASE/QUOTE", help="with --exchange (BTC/USDT)")
    start.add_argument("--timeframe", metavar="LENGTH", help="with --exchange (1m)")
    start.add_argument("--idempotency-backend", choices=("sqlite", "memory"))
    metrics = start.add_mutually_exclusive_group()
    for flag, value in (("--enable-metrics", True), ("--disable-metrics", False)):
        metrics.add_argument(
            flag, dest="metrics_enabled", action="store_const", const=value, help="over the file's"
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
    start.add_argument("--json", action="store_true", help="write JSON lines, also on a terminal")
    start.set_defaults(command="start")


def _add_health(commands: "Commands") -> None:
    summary = "show how a run is: 0 fine, 1 warning, 2 critical, 3 no such process"
    health = _command(commands, "health", summary)
    _add_run_dir(health)
    health.add_argument("--json", action="store_true", help="the snapshot, one JSON object")
    health.add_argument(
        "--watch", type=_positive, nargs="?", const=2.0, metavar="SECONDS", help="again and again"
    )
    health.add_argument("--probe", choices=("live", "ready", "startup"), help="exit 0 or 1")
    health.add_argument("--stacks", action="store_true", help="and what every thread is doing")
    health.add_argument("--errors", action="store_true", help="and the last errors, tracebacks")
    health.add_argument("--deep", metavar="PATH", help="and what one actor holds: its PATH")
    health.add_argument("--timeout", type=_positive, default=2.0, metavar="SECONDS")
    health.set_defaults(command="health")


def _add_stop(commands: "Commands") -> None:
    stop = _command(commands, "stop", "ask a run to end in order, and wait until it is gone")
    _add_run_dir(stop)
    stop.add_argument("--timeout", type=_positive, default=30.0, metavar="SECONDS")
    stop.set_defaults(command="stop")


def _add_halt(commands: "Commands") -> None:
    summary = "stop trading, cancel what is open and prove it: 0 proved, 1 not, 3 no such run"
    halt = _command(commands, "halt", summary)
    _add_run(halt)
    halt.add_argument("--reason", default="a person said so", metavar="TEXT", help="for the record")
    halt.add_argument("--json", action="store_true", help="one JSON object")
    halt.add_argument("--timeout", type=_positive, default=60.0, metavar="SECONDS")
    halt.set_defaults(command="halt")


def _add_resume(commands: "Commands") -> None:
    resume = _command(commands, "resume", "end a halt: 0 trading goes on, 1 it does not")
    _add_run(resume)
    resume.add_argument(
        "--despite-open", action="store_true", help="although nothing proves that all is closed"
    )
    resume.add_argument("--json", action="store_true", help="one JSON object")
    resume.add_argument("--timeout", type=_positive, default=30.0, metavar="SECONDS")
    resume.set_defaults(command="resume")


def _add_check(commands: "Commands") -> None:
    summary = "print the effective config, or every mistake in it (exit 2)"
    check = _command(commands, "check", summary)
    check.add_argument("config", type=Path, metavar="CONFIG")
    check.set_defaults(command="check")


def _add_orders(commands: "Commands") -> None:
    summary = "list the orders of a run; show, cancel or resolve one"
    orders = _command(commands, "orders", summary)
    _add_run_dir(orders)
    orders.add_argument("--json", action="store_true", help="one JSON object a line")
    orders.add_argument("--venue", action="store_true", help="as the paper venue has them")
    states = "claimed, sent, accepted, filled ..., several with commas"
    orders.add_argument("--state", metavar="STATES", help=states)
    _add_filters(orders, "of them the newest N")
    orders.set_defaults(command="orders")
    of_one = orders.add_subparsers(metavar="show|cancel|resolve ORDER")
    _add_orders_show(of_one)
    _add_orders_cancel(of_one)
    _add_orders_resolve(of_one)


def _add_orders_show(commands: "Commands") -> None:
    show = _command(commands, "show", "all that the ledger holds of one order")
    _add_one_order(show)
    show.set_defaults(command="orders_show")


def _add_orders_cancel(commands: "Commands") -> None:
    summary = "cancel one order in the living process, and prove it: 0 it has ended, 1 not proved"
    cancel = _command(commands, "cancel", summary)
    _add_one_order(cancel)
    cancel.add_argument("--timeout", type=_positive, default=30.0, metavar="SECONDS")
    cancel.set_defaults(command="orders_cancel")


def _add_orders_resolve(commands: "Commands") -> None:
    summary = "settle an order that the venue cannot settle, on evidence of your own"
    resolve = _command(commands, "resolve", summary)
    _add_one_order(resolve)
    ends = ("filled", "canceled", "expired", "rejected", "absent")
    resolve.add_argument("--as", dest="end", choices=ends, required=True, help="how it ended")
    resolve.add_argument(
        "--evidence", required=True, metavar="TEXT", help="where you have seen it; kept for ever"
    )
    resolve.add_argument("--filled", metavar="QUANTITY", help="all that is filled of it")
    resolve.add_argument("--price", metavar="PRICE", help="of what is filled and not known here")
    resolve.add_argument(
        "--unasked", action="store_true", help="also when the venue gives no answer at all"
    )
    resolve.add_argument("--timeout", type=_positive, default=30.0, metavar="SECONDS")
    resolve.set_defaults(command="orders_resolve")


def _add_one_order(command: argparse.ArgumentParser) -> None:
    _add_order(command)
    # What stands before the word `show` must not be undone by a default that comes after it.
    command.add_argument("--run-dir", type=Path, metavar="DIR", default=argparse.SUPPRESS)
    command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


def _add_positions(commands: "Commands") -> None:
    summary = "show what a run holds and what it earned, by strategy and by symbol"
    positions = _command(commands, "positions", summary)
    _add_run_dir(positions)
    positions.add_argument("--json", action="store_true", help="one JSON object a line")
    positions.add_argument("--symbol", metavar="A/B")
    positions.add_argument("--strategy", metavar="ID")
    positions.set_defaults(command="positions")


def _add_trades(commands: "Commands") -> None:
    trades = _command(commands, "trades", "list the executions of a run, the newest first")
    _add_run_dir(trades)
    trades.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_filters(trades, "no more than N")
    trades.set_defaults(command="trades")


def _add_explain(commands: "Commands") -> None:
    explain = _command(commands, "explain", "tell the life of one order, step by step")
    _add_order(explain)
    _add_run_dir(explain)
    explain.add_argument("--json", action="store_true", help="one JSON object")
    explain.set_defaults(command="explain")


def _add_account(commands: "Commands") -> None:
    summary = "hold a live account against the executions: 0 the same, 1 it differs, 3 no process"
    account = _command(commands, "account", summary)
    account.add_argument("run", nargs="?", type=Path, metavar="RUN", help="as --run-dir")
    _add_run_dir(account)
    why = "what it holds now is right, and this is why: a deposit, a trade by hand"
    account.add_argument("--accept", metavar="WHY", help=why)
    account.add_argument("--json", action="store_true", help="one JSON object")
    account.set_defaults(command="account")


def _add_audit(commands: "Commands") -> None:
    summary = "check that everything in a run directory agrees: 0 it does, 1 something differs"
    audit = _command(commands, "audit", summary)
    audit.add_argument("run", nargs="?", type=Path, metavar="RUN", help="as --run-dir")
    _add_run_dir(audit)
    audit.add_argument("--json", action="store_true", help="one JSON object a check")
    audit.set_defaults(command="audit")


def _add_dashboard(commands: "Commands") -> None:
    summary = "write one HTML page that shows runs, or serve it live"
    dashboard = _command(commands, "dashboard", summary)
    dashboard.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run directories")
    _add_run_dir(dashboard)
    dashboard.add_argument(
        "--out", type=Path, metavar="FILE", help="default: dashboard.html in RUN; - is stdout"
    )
    dashboard.add_argument(
        "--orders", type=_count, default=1_000, metavar="N", help="the newest N with their lives"
    )
    how = dashboard.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="what the page shows, one JSON object")
    how.add_argument("--serve", action="store_true", help="the page, live, until interrupted")
    dashboard.add_argument("--host", default="127.0.0.1", help="with --serve (127.0.0.1)")
    dashboard.add_argument("--port", type=_port, default=8765, help="with --serve; 0 is any")
    dashboard.set_defaults(command="dashboard")


def _add_doctor(commands: "Commands") -> None:
    summary = "look at this machine and a config: 0 all is well, 1 a warning, 2 a problem"
    doctor = _command(commands, "doctor", summary)
    doctor.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="a TOML file")
    doctor.add_argument("--online", action="store_true", help="ask the exchange; places no order")
    doctor.add_argument("--json", action="store_true", help="one JSON object a finding")
    doctor.set_defaults(command="doctor")


def _add_order(command: argparse.ArgumentParser) -> None:
    text = "its key, client order id or venue order id, or the beginning of one"
    command.add_argument("order", metavar="ORDER", help=text)


def _add_filters(command: argparse.ArgumentParser, limit: str) -> None:
    command.add_argument("--symbol", metavar="A/B")
    command.add_argument("--strategy", metavar="ID")
    command.add_argument("--since", metavar="TIME", help="2026-01-31T12:00, or back: 15m, 2h, 7d")
    command.add_argument("--limit", type=_count, metavar="N", help=limit)


def _add_venue(commands: "Commands") -> None:
    summary = "serve a local exchange that ccxt takes for a real one, faults on request"
    venue = _command(commands, "venue", summary)
    venue.add_argument("--port", type=_port, default=0, help="0, the default, takes a free one")
    venue.add_argument("--control-port", type=_port, default=0, metavar="PORT")
    venue.add_argument("--seed", type=int, default=13, help="of its market and of its chances")
    venue.add_argument("--symbols", default="BTC/USDT,ETH/USDT", metavar="A/B,C/D")
    venue.add_argument("--state", type=Path, metavar="FILE", help="outlives a restart, and a kill")
    venue.add_argument("--profile", choices=("binance", "okx"), default="binance")
    venue.add_argument(
        "--speed", type=_not_negative, default=1.0, metavar="X", help="market seconds per second"
    )
    venue.add_argument(
        "--candles", type=Path, metavar="FILE", help="a recording that the first symbol follows"
    )
    venue.add_argument(
        "--balance", action="append", default=[], metavar="ASSET=AMOUNT", help="again and again"
    )
    venue.add_argument("--fees-in-bnb", action="store_true", help="as with Binance's discount")
    venue.add_argument("--json", action="store_true", help="one JSON object")
    venue.set_defaults(command="venue")


def _add_drill(commands: "Commands") -> None:
    summary = "kill a bot at every step of an order, and see that no order is doubled or lost"
    drill = _command(commands, "drill", summary)
    drill.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="default: the demo")
    which = drill.add_mutually_exclusive_group()
    which.add_argument(
        "--quick", dest="full", action="store_false", help="a choice of cases (the default)"
    )
    which.add_argument("--full", action="store_true", help="every point under every fault")
    which.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="CASE",
        help="POINT/FAULT/BLOW or ROAD/POINT/FAULT/BLOW, again and again",
    )
    drill.add_argument("--seed", type=int, metavar="N", help="of the market and of the order")
    drill.add_argument(
        "--candles", type=_count, metavar="N", help="how much market; default: two orders' worth"
    )
    drill.add_argument("--jobs", type=_count, metavar="N", help="cases at once")
    drill.add_argument("--keep", type=Path, metavar="DIR", help="leave the run directories here")
    drill.add_argument("--json", action="store_true", help="one JSON object a line")
    drill.set_defaults(command="drill", full=False)


def _add_alert(commands: "Commands") -> None:
    alert = _command(commands, "alert", "try the addresses of alerts, or watch over a run")
    what = alert.add_subparsers(title="what", metavar="test|watch", required=True)
    summary = "send one notice to each address: 0 all took it, 1 one did not"
    test = _command(what, "test", summary)
    test.add_argument("config", nargs="?", type=Path, metavar="CONFIG", help="names the variable")
    test.add_argument("--json", action="store_true", help="one JSON object an address")
    test.set_defaults(command="alert_test")
    watch = _command(what, "watch", "tell when the process of a run is gone without a goodbye")
    _add_run(watch)
    watch.add_argument("--interval", type=_positive, default=2.0, metavar="SECONDS")
    stale = "how old its last word may be"
    watch.add_argument("--stale", type=_positive, default=15.0, metavar="SECONDS", help=stale)
    watch.add_argument("--once", action="store_true", help="look once: 0 well, 1 told")
    watch.set_defaults(command="alert_watch")


def _add_orchestrate(commands: "Commands") -> None:
    summary = "run many bots as processes of their own, watch them, restart or park them"
    fleet = _command(commands, "orchestrate", summary)
    verbs = fleet.add_subparsers(title="what", metavar="VERB", required=True)
    for verb, told in (
        ("up", "run the fleet in the foreground; a signal ends all bots in order"),
        ("ps", "show the bots: 0 all is well, 1 one is parked or waits, 3 never up"),
        ("restart", "drain one bot and start it again, also a parked one"),
        ("drain", "end one bot in order and leave it so"),
        ("reload", "read the fleet file again; bots that are as they were are not touched"),
        ("down", "end all bots in order, then the orchestrator"),
        ("logs", "print the end of one bot's log"),
    ):
        one = _command(verbs, verb, told)
        one.add_argument("fleet", type=Path, metavar="FLEET", help="a TOML file")
        if verb in ("restart", "drain", "logs"):
            one.add_argument("bot", metavar="BOT", help="its id in the file")
        if verb != "logs":
            one.add_argument("--json", action="store_true", help="for machines")
        if verb in ("restart", "drain", "reload", "down"):
            one.add_argument("--timeout", type=_positive, default=60.0, metavar="SECONDS")
        if verb == "logs":
            one.add_argument("--lines", type=_count, default=40, metavar="N")
        one.set_defaults(command="orchestrate", verb=verb)


def _add_journal(commands: "Commands") -> None:
    summary = "show what came from outside: 0 all of it can be read, 1 something cannot"
    journal = _command(commands, "journal", summary)
    _add_run(journal)
    journal.add_argument("--json", action="store_true", help="one JSON object a message")
    journal.set_defaults(command="journal")


def _add_data(commands: "Commands") -> None:
    data = _command(commands, "data", "keep candles on this machine: bring, look at, check them")
    what = data.add_subparsers(
        title="what", metavar="download|import|verify|list|resample", required=True
    )
    _add_data_download(what)
    _add_data_import(what)
    _add_data_verify(what)
    _add_data_list(what)
    _add_data_resample(what)


def _add_data_download(commands: "Commands") -> None:
    summary = (
        "ask an exchange for the candles that are missing: 0 all asked, 1 one differs, 3 stopped"
    )
    download = _command(commands, "download", summary)
    _add_series(download, exchange=None, exchange_help="as ccxt calls it: binance")
    download.add_argument("--since", required=True, metavar="TIME", help="2024-01-31T12:00, UTC")
    download.add_argument("--until", metavar="TIME", help="default: what is over by now")
    download.add_argument(
        "--page", type=_count, metavar="N", help="candles a question; default: all it gives"
    )
    download.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="its [feed.ccxt] or [venue.ccxt]: proxies, urls",
    )
    _add_data_dir(download, "--to")
    _add_replace(download)
    download.add_argument("--json", action="store_true", help="one JSON object a line")
    download.set_defaults(command="data_download")


def _add_data_import(commands: "Commands") -> None:
    summary = "take in candles of files: 0 all of them, 1 not all, 2 a file cannot be used"
    bring = _command(commands, "import", summary)
    bring.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="CSV, gzip or zip of it, Parquet, freqtrade's feather or json",
    )
    _add_series(bring, exchange="imported", exchange_help="where they are from (imported)")
    _add_data_dir(bring, "--to")
    _add_replace(bring)
    bring.add_argument("--json", action="store_true", help="one JSON object a line")
    bring.set_defaults(command="data_import")


def _add_data_verify(commands: "Commands") -> None:
    summary = "look for faults in candles: 0 none, 1 warnings, 2 rows or files that are unusable"
    verify = _command(commands, "verify", summary)
    verify.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files, folders; default: --dir"
    )
    verify.add_argument("--timeframe", metavar="LENGTH", help="of files that do not say")
    verify.add_argument(
        "--spike",
        type=_positive,
        default=0.1,
        metavar="X",
        help="how far a wick may reach beyond both candles beside it (0.1 of the price)",
    )
    _add_data_dir(verify)
    verify.add_argument("--json", action="store_true", help="one JSON object a finding")
    verify.set_defaults(command="data_verify")


def _add_data_list(commands: "Commands") -> None:
    listing = _command(commands, "list", "show which candles there are")
    _add_data_dir(listing)
    listing.add_argument("--json", action="store_true", help="one JSON object a series")
    listing.set_defaults(command="data_list")


def _add_data_resample(commands: "Commands") -> None:
    summary = "make longer candles of shorter ones: 0 all were whole, 1 some were not"
    resample = _command(commands, "resample", summary)
    resample.add_argument("--to", required=True, metavar="LENGTH", help="such as 5m or 1h")
    _add_series(resample, exchange=None, exchange_help="as data list shows it")
    resample.add_argument(
        "--partial", action="store_true", help="keep those too of which parts are missing"
    )
    _add_data_dir(resample)
    _add_replace(resample)
    resample.add_argument("--json", action="store_true", help="one JSON object a line")
    resample.set_defaults(command="data_resample")


def _add_series(
    command: argparse.ArgumentParser, *, exchange: str | None, exchange_help: str
) -> None:
    command.add_argument("--symbol", required=True, metavar="A/B", help="such as BTC/USDT")
    command.add_argument("--timeframe", default="1m", metavar="LENGTH", help="of a candle (1m)")
    command.add_argument(
        "--exchange",
        required=exchange is None,
        default=exchange,
        metavar="ID",
        help=exchange_help,
    )


def _add_data_dir(command: argparse.ArgumentParser, *names: str) -> None:
    command.add_argument(
        *names,
        "--dir",
        dest="dir",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="the data directory (data)",
    )


def _add_replace(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--replace", action="store_true", help="where a stored candle differs, take the new one"
    )


def _add_backtest(commands: "Commands") -> None:
    summary = "run a configuration's strategies over recorded markets, as fast as possible"
    backtest = _command(commands, "backtest", summary)
    backtest.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file")
    backtest.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="instead of the feed's: one file for each symbol in turn, or SYMBOL=FILE",
    )
    backtest.add_argument(
        "--verify", action="store_true", help="probe for look-ahead and warm-up: 0 none, 1 found"
    )
    backtest.add_argument("--json", action="store_true", help="one JSON object")
    backtest.set_defaults(command="backtest")


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", nargs="?", type=Path, metavar="RUN_DIR", help="as --run-dir")
    _add_run_dir(command)


def _add_run_dir(
    command: argparse.ArgumentParser, text: str = "default: the newest in runs/"
) -> None:
    command.add_argument("--run-dir", type=Path, metavar="DIR", help=text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number


def _positive(text: str) -> float:
    if (number := _number(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number


def _not_negative(text: str) -> float:
    if (number := _number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


_ADD: "dict[str, Callable[[Commands], None]]" = {
    "start": _add_start,
    "health": _add_health,
    "stop": _add_stop,
    "halt": _add_halt,
    "resume": _add_resume,
    "check": _add_check,
    "orders": _add_orders,
    "positions": _add_positions,
    "trades": _add_trades,
    "explain": _add_explain,
    "account": _add_account,
    "audit": _add_audit,
    "dashboard": _add_dashboard,
    "doctor": _add_doctor,
    "venue": _add_venue,
    "drill": _add_drill,
    "alert": _add_alert,
    "journal": _add_journal,
    "orchestrate": _add_orchestrate,
    "data": _add_data,
    "backtest": _add_backtest,
}
