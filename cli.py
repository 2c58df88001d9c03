"""Commands, exit codes, output. A command's code is imported when it runs, not before.

`--help` and `health` are run by hand in a hurry and by probes every few seconds, so this
module and the path of `health` import the standard library only.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TypeVar

_OURS = (
    "actors",
    "decisions",
    "exchanges",
    "messages",
    "ops",
    "persistence",
    "research",
    "strategies",
)


def _hidden() -> list[str]:
    """Name a package of somebody else's that was imported in the place of one of ours."""
    here = Path(__file__).resolve().parent
    for name in _OURS:
        module: Any = sys.modules.get(name)
        found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
        if found and not Path(found).resolve().is_relative_to(here / name):
            return [
                f"another package called {name} ({found}) hides watchkeeper's: rename it, or leave"
                " its folder out of PYTHONPATH, which no strategy needs: see docs/strategies.md"
            ]
    return []


try:  # here, and not where they are used: even these may be somebody else's
    from messages.exit_codes import EXIT_INTERRUPTED, EXIT_UNREAD, EXIT_USAGE
    from ops.arguments import FAMILIES, parser
    from ops.run_named import named_run_of, of_run
    from ops.stdout import give_up
    from ops.streams import (
        STDOUT,
        forget_no_size,
        open_what_is_closed,
        take_streams,
        write_what_can_be_written,
    )
except ImportError:
    if not _hidden():
        raise
    print(f"watchkeeper: {_hidden()[0]}", file=sys.stderr)
    sys.exit(2)  # EXIT_USAGE, which cannot be had

_DAY_S = 86_400

Command = Callable[[argparse.Namespace], int]
Options = TypeVar("Options")


def _run(argv: Sequence[str] | None) -> int:
    try:
        words = sys.argv[1:] if argv is None else argv
        arguments = parser(words).parse_args(words)
        make_readable(arguments)
        code = command_of(arguments.command)(arguments)
    except SystemExit as end:  # argparse's way out of --help and of wrong usage
        return end.code if isinstance(end.code, int) else EXIT_USAGE
    return code


def make_readable(arguments: argparse.Namespace) -> None:
    """Have each word that is no path be text, whatever bytes the terminal has sent.

    What cannot be written as UTF-8 would fail where it is written down: a halt's reason did, in the
    executor, and nothing was canceled.
    """
    for name, word in vars(arguments).items():
        if isinstance(word, str):
            text = word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            setattr(arguments, name, text)


def command_of(name: str) -> Command:
    """Give what a command line's `command` runs; its arguments give its exit code."""
    if name in _HERE:
        return _HERE[name]
    family = FAMILIES[name.partition("_")[0]]
    found: Command = import_module(_MODULES[family]).COMMANDS[name]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    open_what_is_closed()
    write_what_can_be_written()
    _leave_a_zone_that_is_none()
    code = EXIT_UNREAD
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        give_up()  # the reader has seen enough
        return code
    except Exception as error:
        sentences = _sentences(error)
        if isinstance(error, OSError) and error.filename == STDOUT:
            give_up()  # what it still holds would be tried again at the exit
        if not sentences:
            raise
        for sentence in sentences:
            print(f"watchkeeper: {sentence}", file=sys.stderr)
        return EXIT_USAGE
    return code


def _sentences(error: Exception) -> list[str]:
    if isinstance(error, ImportError | AttributeError):
        return _hidden()
    from ops.sentences import sentences_of  # which most commands end without

    return sentences_of(error)


def program() -> NoReturn:
    """Be a process of its own: `main`, and the end of it.

    What cannot be told on stderr ends nothing. A thread that a strategy has started does not keep
    it from ending.

    `health`, which probes run every few seconds, leaves out what Python does at its end: freeing
    each object one by one is a sixth of its processor time, and it has opened nothing that is
    not closed.
    """
    open_what_is_closed()
    take_streams()
    forget_no_size()
    code = 1  # Python's own, of an error that is no sentence
    try:
        code = main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else code
        raise
    finally:
        if "threading" in sys.modules and sys.argv[1:2] != ["health"]:
            import_module("ops.held_up").end_in_time(code)
    if sys.argv[1:2] == ["health"]:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # nobody reads it any more
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _leave_a_zone_that_is_none() -> None:
    """Take UTC, as all that is told is in, where TZ is a day or more away from it.

    No time of a log's line could be made there.
    """
    if abs(time.localtime().tm_gmtoff) >= _DAY_S:
        os.environ["TZ"] = "UTC"
        time.tzset()


# ---------------------------------------------------------------- what takes ops and research


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


def _backtest(arguments: argparse.Namespace) -> int:
    from messages.patience import LIMIT_S
    from ops.page_files import Wanted, check_replaceable, write_page
    from research.backtest.command import BacktestOptions, SheetOptions, backtest
    from research.backtest.files import DAYS, TRADES

    check_replaceable(
        Wanted("--html", arguments.html),
        Wanted("--trades", arguments.trades, "table of trades", ",".join(TRADES).encode()),
        Wanted("--equity", arguments.equity, "table of days", DAYS.encode()),
    )
    sheet = SheetOptions(
        html=arguments.html,
        trades=arguments.trades,
        equity=arguments.equity,
        split=arguments.split,
        trials=arguments.trials,
        trials_variance=arguments.trials_variance,
        page=_sheet_page,
        write=write_page,
    )
    asked = partial(
        BacktestOptions,
        as_json=arguments.json,
        verify=arguments.verify,
        sheet=sheet,
        warm_until_ns=_moment("--warm-until", arguments.warm_until),
        event_limit_s=arguments.event_limit_s or LIMIT_S,
    )
    return backtest(_in_time(arguments, asked))


def _in_time(arguments: argparse.Namespace, asked: Callable[..., Options]) -> Options:
    """Read the configuration: that runs the strategies' files, which may loop."""
    from messages.patience import LIMIT_S, Patience, loaded
    from ops.backtest_config import read_backtest

    patience = Patience(arguments.event_limit_s or LIMIT_S, work=arguments.command)
    read = partial(read_backtest, arguments.config, arguments.data, asked)
    with patience.watching():
        return loaded(patience, read, "loading it, and making its strategy,")


def _sheet_page(model: Mapping[str, Any]) -> str:
    from ops.dashboard.sheet_page import sheet_page

    return sheet_page(model)


def _optimize(arguments: argparse.Namespace) -> int:
    from ops.optimize_write import ParamsWriter
    from research.backtest.command import BacktestOptions
    from research.optimise.wanted import check_installed

    check_installed()
    from messages.patience import LIMIT_S
    from research.optimise.command import optimize
    from research.optimise.options import OptimizeOptions

    target = arguments.write
    asked = partial(BacktestOptions, as_json=arguments.json, verify=False)
    options = OptimizeOptions(
        backtest=_in_time(arguments, asked),
        study=arguments.study,
        storage=arguments.storage,
        storage_env=arguments.storage_env,
        params=tuple(arguments.param),
        trials=arguments.trials,
        jobs=arguments.jobs,
        windows=arguments.windows,
        train=arguments.train,
        objective=arguments.objective,
        least_orders=arguments.min_orders,
        sampler=arguments.sampler,
        pruner=arguments.prune,
        seed=arguments.seed,
        trial_limit_s=arguments.trial_limit_s,
        event_limit_s=arguments.event_limit_s or LIMIT_S,
        ray=arguments.ray,
        as_json=arguments.json,
        write=None if target is None else ParamsWriter(arguments.config, target),
    )
    return optimize(options)


def _moment(option: str, text: str | None) -> int:
    from exchanges.times import time_ns
    from messages.errors import ConfigError

    try:
        return -1 if text is None else time_ns(text)
    except ValueError as error:
        raise ConfigError([f"{option}: {error}; write it as 2024-01-31T12:00"]) from error


@of_run(named_run_of)
def _replay(arguments: argparse.Namespace, run_dir: Path) -> int:
    from research.replay.code import Otherwise
    from research.replay.command import ReplayOptions, replay

    otherwise = Otherwise(
        params=tuple(arguments.param),
        code_from=arguments.code_from,
        former_root=arguments.former_root,
    )
    options = ReplayOptions(
        run_dir=run_dir,
        otherwise=otherwise,
        as_json=arguments.json,
        shows_all=arguments.all,
        event_limit_s=arguments.event_limit_s,
    )
    return replay(options)


_HERE: dict[str, Command] = {
    "data_download": _data_download,
    "backtest": _backtest,
    "replay": _replay,
    "optimize": _optimize,
}
_MODULES = {
    "run": "ops.commands_run",
    "look": "ops.commands_look",
    "ledger": "ops.commands_ledger",
    "rehearse": "ops.commands_rehearse",
    "data": "research.commands",
}
"""Where the commands of a family are; see `ops.arguments.FAMILIES`."""


if __name__ == "__main__":
    program()
