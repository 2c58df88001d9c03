"""From the command line to what looks into a run directory. Imports nothing before it is due."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from messages.exit_codes import EXIT_NOTHING_THERE
from ops.run_files import is_run
from ops.run_named import Command, named_run_of, of_run, run_dir_of, say_no_run

if TYPE_CHECKING:
    from ops.orders import OrderFilter


@of_run(run_dir_of)
def _orders(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.orders import orders

    if arguments.stops:
        from messages.errors import ConfigError
        from ops.stops import stops

        if arguments.venue:  # argparse sees only one side of a run's name
            raise ConfigError(["--stops: the paper venue knows none, leave out --venue"])
        if arguments.state or arguments.since or arguments.limit:
            raise ConfigError(["--stops: say which by --symbol and --strategy, nothing else"])
        wanted = {"symbol": arguments.symbol, "strategy": arguments.strategy}
        return stops(run_dir, as_json=arguments.json, **wanted)
    return orders(run_dir, as_json=arguments.json, venue=arguments.venue, wanted=_filter(arguments))


def _filter(arguments: argparse.Namespace) -> "OrderFilter":
    from ops.orders import OrderFilter

    return OrderFilter(
        states=tuple(arguments.state.split(",")) if arguments.state else (),
        symbol=arguments.symbol,
        strategy=arguments.strategy,
        since=arguments.since,
        limit=arguments.limit,
    )


@of_run(run_dir_of)
def _orders_show(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.order_view import show

    return show(run_dir, arguments.order, as_json=arguments.json)


@of_run(run_dir_of)
def _orders_cancel(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.order_commands import cancel

    return cancel(run_dir, arguments.order, as_json=arguments.json, timeout_s=arguments.timeout)


@of_run(run_dir_of)
def _orders_resolve(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.order_commands import resolve

    return resolve(
        run_dir,
        arguments.order,
        end=arguments.end,
        evidence=arguments.evidence,
        filled=arguments.filled,
        price=arguments.price,
        unasked=arguments.unasked,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


@of_run(run_dir_of)
def _orders_end_stop(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.stop_commands import end_stop

    return end_stop(
        run_dir,
        arguments.order,
        arguments.reason,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


@of_run(named_run_of)
def _positions(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.positions import positions

    return positions(
        run_dir, as_json=arguments.json, symbol=arguments.symbol, strategy=arguments.strategy
    )


@of_run(named_run_of)
def _trades(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.trades import trades

    return trades(
        run_dir,
        as_json=arguments.json,
        symbol=arguments.symbol,
        strategy=arguments.strategy,
        since=arguments.since,
        limit=arguments.limit,
    )


@of_run(run_dir_of)
def _explain(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.explain import explain

    return explain(run_dir, arguments.order, as_json=arguments.json)


@of_run(named_run_of)
def _account(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.account import account

    if arguments.renewed_key is not None:
        from ops.renewed_key import renewed_key

        return renewed_key(run_dir, arguments.renewed_key)
    return account(run_dir, as_json=arguments.json, accept=arguments.accept)


@of_run(named_run_of)
def _audit(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.audit import audit
    from ops.audit_asking import Asking

    asking = Asking(is_offline=arguments.offline, config=arguments.config, newest=arguments.newest)
    return audit(run_dir, as_json=arguments.json, asking=asking)


def _dashboard(arguments: argparse.Namespace) -> int:
    from ops.dashboard.command import DashboardOptions, dashboard

    run_dir = arguments.run_dir if arguments.runs else run_dir_of(arguments)
    runs = (*arguments.runs, *([] if run_dir is None else [run_dir]))
    if not runs:
        return EXIT_NOTHING_THERE
    # One that is being waited for has a page too, where that is not written into it.
    may_come = arguments.serve or arguments.out is not None
    for run in runs:
        if not (is_run(run) or (may_come and run.is_dir())):
            return say_no_run(run)
    options = DashboardOptions(
        runs=runs,
        out=arguments.out,
        as_json=arguments.json,
        most_orders=arguments.orders,
        serve=arguments.serve,
        host=arguments.host,
        port=arguments.port,
    )
    return dashboard(options)


@of_run(named_run_of)
def _report(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.report import ReportOptions, report

    options = ReportOptions(
        run_dir=run_dir,
        html=arguments.html,
        as_json=arguments.json,
        split=arguments.split,
        trials=arguments.trials,
    )
    return report(options)


@of_run(named_run_of)
def _journal(arguments: argparse.Namespace, run_dir: Path) -> int:
    from ops.journal_command import journal

    if arguments.candles is not None:
        from ops.journal_candles import candles

        return candles(run_dir, arguments.candles)
    return journal(run_dir, as_json=arguments.json)


COMMANDS: dict[str, Command] = {
    "orders": _orders,
    "orders_show": _orders_show,
    "orders_cancel": _orders_cancel,
    "orders_resolve": _orders_resolve,
    "orders_end_stop": _orders_end_stop,
    "positions": _positions,
    "trades": _trades,
    "explain": _explain,
    "account": _account,
    "audit": _audit,
    "dashboard": _dashboard,
    "report": _report,
    "journal": _journal,
}
