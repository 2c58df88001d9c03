"""Commands, exit codes, output. A command's code is imported when it runs, not before.

`--help` and `health` are run by hand in a hurry and by probes every few seconds, so this
module and the path of `health` import the standard library only.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.arguments import parser

if TYPE_CHECKING:
    from ops.orders import OrderFilter

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_PROCESS, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def _run(argv: Sequence[str] | None) -> int:
    try:
        words = sys.argv[1:] if argv is None else argv
        arguments = parser(words).parse_args(words)
        code = _COMMANDS[arguments.command](arguments)
    except SystemExit as end:  # argparse's way out of --help and of wrong usage
        return end.code if isinstance(end.code, int) else EXIT_USAGE
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    _open_what_is_closed()
    code = EXIT_OK
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough. Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    except Exception as error:
        sentences = _sentences(error)
        if not sentences:
            raise
        for sentence in sentences:
            print(f"watchkeeper: {sentence}", file=sys.stderr)
        return EXIT_USAGE
    return code


def _open_what_is_closed() -> None:
    """Give a process that was started without them (`>&-`) streams that lead nowhere.

    In this order, so that no file of the run gets the number of one of them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _sentences(error: Exception) -> list[str]:
    """Say what the user can do something about; nothing for a bug, which keeps its traceback."""
    from messages.errors import ConfigError, WatchkeeperError

    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, WatchkeeperError):
        return [str(error)]
    if isinstance(error, OSError) and error.filename and error.strerror:
        return [f"{error.filename}: {error.strerror.lower()}"]
    return []


def _start(arguments: argparse.Namespace) -> int:
    from ops.collector import not_collecting

    with not_collecting():
        from ops.options import StartOptions
        from ops.process import run_bot

    options = StartOptions(
        config_path=arguments.config,
        run_dir=arguments.run_dir,
        duration_s=arguments.duration,
        max_events=arguments.max_events,
        idempotency_backend=arguments.idempotency_backend,
        metrics_enabled=arguments.metrics_enabled,
        chaos=arguments.chaos,
        i_understand_live=arguments.i_understand_live,
        standby=arguments.standby,
        json_lines=arguments.json,
        speed=arguments.speed,
        exchange=arguments.exchange,
        symbol=arguments.symbol,
        timeframe=arguments.timeframe,
    )
    return run_bot(options)


def _health(arguments: argparse.Namespace) -> int:
    from ops.health import HealthOptions, health

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_FAILED if arguments.probe else EXIT_NO_PROCESS
    options = HealthOptions(
        run_dir=run_dir,
        as_json=arguments.json,
        watch_s=arguments.watch,
        probe=arguments.probe,
        stacks=arguments.stacks,
        errors=arguments.errors,
        deep=arguments.deep,
        timeout_s=arguments.timeout,
    )
    return health(options)


def _stop(arguments: argparse.Namespace) -> int:
    from ops.stop import stop

    run_dir = _run_dir(arguments)
    return EXIT_NO_PROCESS if run_dir is None else stop(run_dir, arguments.timeout)


def _halt(arguments: argparse.Namespace) -> int:
    from ops.halt import halt

    run_dir = _run_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    return halt(run_dir, arguments.reason, as_json=arguments.json, timeout_s=arguments.timeout)


def _resume(arguments: argparse.Namespace) -> int:
    from ops.halt import resume

    run_dir = _run_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    return resume(
        run_dir,
        despite_open=arguments.despite_open,
        as_json=arguments.json,
        timeout_s=arguments.timeout,
    )


def _check(arguments: argparse.Namespace) -> int:
    from ops.config import effective_toml, load
    from strategies import check_params

    sys.stdout.write(effective_toml(load(arguments.config, {}, check_params)))
    return EXIT_OK


def _orders(arguments: argparse.Namespace) -> int:
    from ops.orders import orders

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_USAGE
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

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return show(run_dir, arguments.order, as_json=arguments.json)


def _orders_cancel(arguments: argparse.Namespace) -> int:
    from ops.order_commands import cancel

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    return cancel(run_dir, arguments.order, as_json=arguments.json, timeout_s=arguments.timeout)


def _orders_resolve(arguments: argparse.Namespace) -> int:
    from ops.order_commands import resolve

    run_dir = _run_dir(arguments)
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


def _positions(arguments: argparse.Namespace) -> int:
    from ops.positions import positions

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return positions(
        run_dir, as_json=arguments.json, symbol=arguments.symbol, strategy=arguments.strategy
    )


def _trades(arguments: argparse.Namespace) -> int:
    from ops.trades import trades

    run_dir = _run_dir(arguments)
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

    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return explain(run_dir, arguments.order, as_json=arguments.json)


def _account(arguments: argparse.Namespace) -> int:
    from ops.account import account

    arguments.run_dir = arguments.run or arguments.run_dir
    run_dir = _run_dir(arguments)
    if run_dir is None:
        return EXIT_USAGE
    return account(run_dir, as_json=arguments.json, accept=arguments.accept)


def _audit(arguments: argparse.Namespace) -> int:
    from ops.audit import audit

    arguments.run_dir = arguments.run or arguments.run_dir
    run_dir = _run_dir(arguments)
    return EXIT_USAGE if run_dir is None else audit(run_dir, as_json=arguments.json)


def _dashboard(arguments: argparse.Namespace) -> int:
    from ops.dashboard.command import DashboardOptions, dashboard

    run_dir = arguments.run_dir if arguments.runs else _run_dir(arguments)
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


def _doctor(arguments: argparse.Namespace) -> int:
    from ops.doctor import doctor

    return doctor(arguments.config, online=arguments.online, as_json=arguments.json)


def _venue(arguments: argparse.Namespace) -> int:
    from ops.venue import VenueOptions, venue

    options = VenueOptions(
        port=arguments.port,
        control_port=arguments.control_port,
        seed=arguments.seed,
        symbols=tuple(arguments.symbols.split(",")),
        state=arguments.state,
        profile=arguments.profile,
        speed=arguments.speed,
        candles=arguments.candles,
        balances=tuple(arguments.balance),
        fees_in_bnb=arguments.fees_in_bnb,
        as_json=arguments.json,
    )
    return venue(options)


def _drill(arguments: argparse.Namespace) -> int:
    from ops.drill import DrillOptions, drill

    options = DrillOptions(
        config_path=arguments.config,
        full=arguments.full,
        cases=tuple(arguments.case),
        seed=arguments.seed,
        candles=arguments.candles,
        jobs=arguments.jobs,
        keep=arguments.keep,
        as_json=arguments.json,
    )
    return drill(options)


def _alert_test(arguments: argparse.Namespace) -> int:
    from ops.alert_try import alert_try

    return alert_try(arguments.config, as_json=arguments.json)


def _alert_watch(arguments: argparse.Namespace) -> int:
    from ops.alert_watch import WatchOptions, alert_watch

    run_dir = _run_of(arguments)
    if run_dir is None:
        return EXIT_NO_PROCESS
    options = WatchOptions(
        run_dir=run_dir,
        interval_s=arguments.interval,
        stale_after_s=arguments.stale,
        once=arguments.once,
    )
    return alert_watch(options)


def _journal(arguments: argparse.Namespace) -> int:
    from ops.journal_command import journal

    run_dir = _run_of(arguments)
    return EXIT_USAGE if run_dir is None else journal(run_dir, as_json=arguments.json)


def _orchestrate(arguments: argparse.Namespace) -> int:
    from importlib.util import find_spec

    if find_spec("psutil") is None:
        from messages.errors import ConfigError

        raise ConfigError(["orchestrate needs psutil: pip install 'watchkeeper[orchestrate]'"])
    if arguments.verb == "up":
        from ops.fleet.command import up

        return up(arguments.fleet, as_json=arguments.json)
    from ops.fleet import asking

    if arguments.verb == "ps":
        return asking.ps(arguments.fleet, as_json=arguments.json)
    if arguments.verb == "logs":
        return asking.logs(arguments.fleet, arguments.bot, arguments.lines)
    return asking.ask(
        arguments.fleet,
        arguments.verb,
        getattr(arguments, "bot", ""),
        arguments.timeout,
        as_json=arguments.json,
    )


def _data_download(arguments: argparse.Namespace) -> int:
    from research.downloading import DownloadOptions, download

    options = DownloadOptions(
        exchange=arguments.exchange,
        symbol=arguments.symbol,
        timeframe=arguments.timeframe,
        since=arguments.since,
        until=arguments.until,
        root=arguments.dir,
        page=arguments.page,
        replace=arguments.replace,
        as_json=arguments.json,
        ccxt=_ccxt_of(arguments.config),
    )
    return download(options)


def _ccxt_of(config: Path | None) -> dict[str, Any]:
    """Give what a config says for ccxt's constructor, of its feed or else of its venue."""
    if config is None:
        return {}
    from ops.config import load
    from strategies import check_params

    loaded = load(config, {}, check_params)
    return loaded.feed.ccxt or loaded.venue.ccxt


def _data_import(arguments: argparse.Namespace) -> int:
    from research.importing import ImportOptions, import_files

    options = ImportOptions(
        paths=tuple(arguments.paths),
        symbol=arguments.symbol,
        timeframe=arguments.timeframe,
        exchange=arguments.exchange,
        root=arguments.dir,
        replace=arguments.replace,
        as_json=arguments.json,
    )
    return import_files(options)


def _data_verify(arguments: argparse.Namespace) -> int:
    from research.verifying import VerifyOptions, verify

    options = VerifyOptions(
        paths=tuple(arguments.paths),
        root=arguments.dir,
        timeframe=arguments.timeframe,
        spike=arguments.spike,
        as_json=arguments.json,
    )
    return verify(options)


def _data_list(arguments: argparse.Namespace) -> int:
    from research.listing import list_data

    return list_data(arguments.dir, as_json=arguments.json)


def _data_resample(arguments: argparse.Namespace) -> int:
    from research.resampling import ResampleOptions, resample

    options = ResampleOptions(
        exchange=arguments.exchange,
        symbol=arguments.symbol,
        timeframe=arguments.timeframe,
        to=arguments.to,
        root=arguments.dir,
        partial=arguments.partial,
        replace=arguments.replace,
        as_json=arguments.json,
    )
    return resample(options)


def _backtest(arguments: argparse.Namespace) -> int:
    from ops.backtest_config import read_backtest
    from research.backtest.command import BacktestOptions, backtest

    asked = partial(BacktestOptions, as_json=arguments.json, verify=arguments.verify)
    return backtest(read_backtest(arguments.config, arguments.data, asked))


def _run_dir(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named, or the newest; None after saying there is none."""
    from ops.run_files import find_latest

    run_dir: Path | None = arguments.run_dir or find_latest()
    if run_dir is None:
        print("watchkeeper: there is no run in ./runs; name one with --run-dir", file=sys.stderr)
    return run_dir


def _run_of(arguments: argparse.Namespace) -> Path | None:
    """Give the run directory that was named either way, or the newest."""
    arguments.run_dir = arguments.run or arguments.run_dir
    return _run_dir(arguments)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "start": _start,
    "health": _health,
    "stop": _stop,
    "halt": _halt,
    "resume": _resume,
    "check": _check,
    "orders": _orders,
    "orders_show": _orders_show,
    "orders_cancel": _orders_cancel,
    "orders_resolve": _orders_resolve,
    "positions": _positions,
    "trades": _trades,
    "explain": _explain,
    "account": _account,
    "audit": _audit,
    "dashboard": _dashboard,
    "doctor": _doctor,
    "drill": _drill,
    "venue": _venue,
    "alert_test": _alert_test,
    "alert_watch": _alert_watch,
    "journal": _journal,
    "orchestrate": _orchestrate,
    "data_download": _data_download,
    "data_import": _data_import,
    "data_verify": _data_verify,
    "data_list": _data_list,
    "data_resample": _data_resample,
    "backtest": _backtest,
}


if __name__ == "__main__":
    sys.exit(main())
