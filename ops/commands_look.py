"""From the command line to what looks into a run directory. Imports nothing before it is due."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ops.run_named import named_run_of, run_dir_of

if TYPE_CHECKING:
    from ops.orders import OrderFilter

EXIT_USAGE, EXIT_NO_PROCESS = 2, 3


def _orders(arguments: argparse.Namespace) -> int:
    from ops.orders import orders

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    if arguments.stops:
        from messages.errors import ConfigError
        from ops.stops import stops

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


def _orders_show(arguments: argparse.Namespace) -> int:
    from ops.order_view import show

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return show(run_dir, arguments.order, as_json=arguments.json)


def _orders_cancel(arguments: argparse.Namespace) -> int:
    from ops.order_commands import cancel

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    return cancel(run_dir, arguments.order, as_json=arguments.json, timeout_s=arguments.timeout)


def _orders_resolve(arguments: argparse.Namespace) -> int:
    from ops.order_commands import resolve

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
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


def _orders_end_stop(arguments: argparse.Namespace) -> int:
    from ops.stop_commands import end_stop

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    return end_stop(
        run_dir,
        arguments.order,
        arguments.reason,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


def _positions(arguments: argparse.Namespace) -> int:
    from ops.positions import positions

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return positions(
        run_dir, as_json=arguments.json, symbol=arguments.symbol, strategy=arguments.strategy
    )


def _trades(arguments: argparse.Namespace) -> int:
    from ops.trades import trades

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return trades(
        run_dir,
        as_json=arguments.json,
        symbol=arguments.symbol,
        strategy=arguments.strategy,
        since=arguments.since,
        limit=arguments.limit,
    )


def _explain(arguments: argparse.Namespace) -> int:
    from ops.explain import explain

    run_dir = run_dir_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return explain(run_dir, arguments.order, as_json=arguments.json)


def _account(arguments: argparse.Namespace) -> int:
    from ops.account import account

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return account(run_dir, as_json=arguments.json, accept=arguments.accept)


def _audit(arguments: argparse.Namespace) -> int:
    from ops.audit import audit

    run_dir = named_run_of(arguments)
    return EXIT_USAGE if run_dir is None else audit(run_dir, as_json=arguments.json)


def _dashboard(arguments: argparse.Namespace) -> int:
    from ops.dashboard.command import DashboardOptions, dashboard

    run_dir = arguments.run_dir if arguments.runs else run_dir_of(arguments)
    runs = (*arguments.runs, *([] if run_dir is None else [run_dir]))
    if not runs:
        return EXIT_USAGE
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


def _report(arguments: argparse.Namespace) -> int:
    from ops.report import ReportOptions, report

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    options = ReportOptions(
        run_dir=run_dir,
        html=arguments.html,
        as_json=arguments.json,
        split=arguments.split,
        trials=arguments.trials,
    )
    return report(options)


def _journal(arguments: argparse.Namespace) -> int:
    from ops.journal_command import journal

    run_dir = named_run_of(arguments)
    if run_dir is None:
        return EXIT_USAGE
    if arguments.candles is not None:
        from ops.journal_candles import candles

        return candles(run_dir, arguments.candles)
    return journal(run_dir, as_json=arguments.json)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
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
