"""What the commands take that look into a run directory."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import (
    CommandsOrRun,
    a_directory,
    add_command,
    add_run,
    add_run_dir,
    add_timeout,
    count,
    port,
)

if TYPE_CHECKING:
    from ops.arguments_shared import Add, Commands

_NEWEST = 200
"""So many orders an audit asks the exchange about, unless another number is given."""


def _add_orders(commands: "Commands") -> None:
    summary = "list the orders of a run; show, cancel or resolve one, end its stop"
    orders = add_command(commands, "orders", summary)
    add_run_dir(orders)
    orders.add_argument("--json", action="store_true", help="one JSON object a line")
    what = orders.add_mutually_exclusive_group()
    what.add_argument("--venue", action="store_true", help="as the paper venue has them")
    what.add_argument(
        "--stops", action="store_true", help="the stops instead: what each protects, why it acted"
    )
    states = "claimed, sent, accepted, filled ..., several with commas"
    orders.add_argument("--state", metavar="STATES", help=states)
    _add_filters(orders, "of them the newest N")
    orders.set_defaults(command="orders")
    of_one = orders.add_subparsers(
        action=CommandsOrRun,
        metavar="RUN_DIR|show|cancel|resolve|end-stop",
        help="the run, as --run-dir, or what to do with one order",
    )
    _add_orders_show(of_one)
    _add_orders_cancel(of_one)
    _add_orders_resolve(of_one)
    _add_orders_end_stop(of_one)


def _add_orders_show(commands: "Commands") -> None:
    show = add_command(commands, "show", "all that the ledger holds of one order")
    _add_one_order(show)
    show.set_defaults(command="orders_show")


def _add_orders_cancel(commands: "Commands") -> None:
    summary = "cancel one order in the living process, and prove it: 0 it has ended, 1 not proved"
    cancel = add_command(commands, "cancel", summary)
    _add_one_order(cancel)
    add_timeout(cancel, 30)
    cancel.set_defaults(command="orders_cancel")


def _add_orders_resolve(commands: "Commands") -> None:
    summary = "settle an order that the venue cannot settle, on evidence of your own"
    resolve = add_command(commands, "resolve", summary)
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
    add_timeout(resolve, 30)
    resolve.set_defaults(command="orders_resolve")


def _add_orders_end_stop(commands: "Commands") -> None:
    summary = "end the stop of an order, in the living process or without one; nothing is sold"
    end_stop = add_command(commands, "end-stop", summary)
    _add_one_order(end_stop)
    end_stop.add_argument(
        "--reason", required=True, metavar="TEXT", help="why; kept for ever, with who and when"
    )
    add_timeout(end_stop, 30)
    end_stop.set_defaults(command="orders_end_stop")


def _add_one_order(command: argparse.ArgumentParser) -> None:
    _add_order(command)
    # What stands before the word `show` must not be undone by a default that comes after it.
    newest, one = "default: the newest in runs/", "one JSON object"
    command.add_argument(
        "--run-dir", type=a_directory, metavar="DIR", default=argparse.SUPPRESS, help=newest
    )
    command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=one)


def _add_positions(commands: "Commands") -> None:
    summary = "show what a run holds and what it earned, by strategy and by symbol"
    positions = add_command(commands, "positions", summary)
    add_run(positions)
    positions.add_argument("--json", action="store_true", help="one JSON object a line")
    positions.add_argument("--symbol", metavar="A/B", help="of this one alone")
    positions.add_argument("--strategy", metavar="ID", help="of this one alone")
    positions.set_defaults(command="positions")


def _add_trades(commands: "Commands") -> None:
    trades = add_command(commands, "trades", "list the executions of a run, the newest first")
    add_run(trades)
    trades.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_filters(trades, "no more than N")
    trades.set_defaults(command="trades")


def _add_explain(commands: "Commands") -> None:
    explain = add_command(commands, "explain", "tell the life of one order, step by step")
    _add_order(explain)
    add_run_dir(explain)
    explain.add_argument("--json", action="store_true", help="one JSON object")
    explain.set_defaults(command="explain")


def _add_account(commands: "Commands") -> None:
    summary = "hold a live account against the executions: 0 the same, 1 it differs, 3 no process"
    account = add_command(commands, "account", summary)
    add_run(account)
    why = "what it holds now is right, and this is why: a deposit, a trade by hand"
    account.add_argument("--accept", metavar="WHY", help=why)
    renewed = "the key in the environment is a new one of the very same account, and this is why"
    account.add_argument("--renewed-key", metavar="WHY", help=renewed)
    account.add_argument("--json", action="store_true", help="one JSON object")
    account.set_defaults(command="account")


def _add_audit(commands: "Commands") -> None:
    summary = "check that everything in a run directory agrees: 0 it does, 1 something differs"
    audit = add_command(commands, "audit", summary)
    add_run(audit)
    audit.add_argument("--json", action="store_true", help="one JSON object a check")
    audit.add_argument("--offline", action="store_true", help="do not ask the exchange")
    newest = f"ask the exchange about the newest N orders ({_NEWEST})"
    audit.add_argument("--newest", type=count, default=_NEWEST, metavar="N", help=newest)
    audit.add_argument(
        "--config", type=Path, metavar="CONFIG", help="where the run's last start left none"
    )
    audit.set_defaults(command="audit")


def _add_journal(commands: "Commands") -> None:
    summary = "show what came from outside: 0 all of it can be read, 1 something cannot"
    journal = add_command(commands, "journal", summary)
    add_run(journal)
    how = journal.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object a message")
    how.add_argument("--candles", metavar="A/B", help="the candles of a symbol, as CSV on stdout")
    journal.set_defaults(command="journal")


def _add_dashboard(commands: "Commands") -> None:
    summary = "write one HTML page that shows runs, or serve it live"
    dashboard = add_command(commands, "dashboard", summary)
    dashboard.add_argument(
        "runs", nargs="*", type=a_directory, metavar="RUN_DIR", help="as --run-dir"
    )
    add_run_dir(dashboard)
    dashboard.add_argument(
        "--out", type=Path, metavar="FILE", help="default: dashboard.html in RUN_DIR; - is stdout"
    )
    dashboard.add_argument(
        "--orders", type=count, default=1_000, metavar="N", help="the newest N with their lives"
    )
    how = dashboard.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="what the page shows, one JSON object")
    how.add_argument("--serve", action="store_true", help="the page, live, until interrupted")
    dashboard.add_argument("--host", default="127.0.0.1", help="with --serve (127.0.0.1)")
    dashboard.add_argument("--port", type=port, default=8765, help="with --serve; 0 is any")
    dashboard.set_defaults(command="dashboard")


def _add_report(commands: "Commands") -> None:
    summary = "show what a run earned and how, on the tear sheet that a backtest has"
    report = add_command(commands, "report", summary)
    add_run(report)
    report.add_argument(
        "--html", type=Path, metavar="FILE", help="write it as one page; - is stdout"
    )
    report.add_argument(
        "--split", default="", metavar="PART", help="0.7 or a date: what follows stands apart"
    )
    report.add_argument(
        "--trials", type=count, metavar="N", help="so many ways were tried before this run"
    )
    report.add_argument("--json", action="store_true", help="one JSON object")
    report.set_defaults(command="report")


def _add_order(command: argparse.ArgumentParser) -> None:
    text = "its key, client order id or venue order id, or the beginning of one"
    command.add_argument("order", metavar="ORDER", help=text)


def _add_filters(command: argparse.ArgumentParser, limit: str) -> None:
    command.add_argument("--symbol", metavar="A/B", help="of this one alone")
    command.add_argument("--strategy", metavar="ID", help="of this one alone")
    command.add_argument("--since", metavar="TIME", help="2026-01-31T12:00, or back: 15m, 2h, 7d")
    command.add_argument("--limit", type=count, metavar="N", help=limit)


ADD: "dict[str, Add]" = {
    "orders": _add_orders,
    "positions": _add_positions,
    "trades": _add_trades,
    "explain": _add_explain,
    "account": _add_account,
    "audit": _add_audit,
    "journal": _add_journal,
    "dashboard": _add_dashboard,
    "report": _add_report,
}
