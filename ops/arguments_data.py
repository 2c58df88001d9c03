"""What the commands take that keep candles and run over them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import (
    add_command,
    add_event_limit,
    add_run,
    count,
    not_negative,
    positive,
)

if TYPE_CHECKING:
    from ops.arguments_shared import Add, Commands


def _add_data(commands: "Commands") -> None:
    data = add_command(commands, "data", "keep candles on this machine: bring, look at, check them")
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
    download = add_command(commands, "download", summary)
    _add_series(download, exchange=None, exchange_help="as ccxt calls it: binance")
    download.add_argument("--since", required=True, metavar="TIME", help="2024-01-31T12:00, UTC")
    download.add_argument("--until", metavar="TIME", help="default: what is over by now")
    download.add_argument(
        "--page", type=count, metavar="N", help="candles a question; default: all it gives"
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
    bring = add_command(commands, "import", summary)
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
    verify = add_command(commands, "verify", summary)
    verify.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files, folders; default: --dir"
    )
    verify.add_argument("--timeframe", metavar="LENGTH", help="of files that do not say")
    verify.add_argument(
        "--spike",
        type=positive,
        default=0.1,
        metavar="X",
        help="how far a wick may reach beyond both candles beside it (0.1 of the price)",
    )
    _add_data_dir(verify)
    verify.add_argument("--json", action="store_true", help="one JSON object a finding")
    verify.set_defaults(command="data_verify")


def _add_data_list(commands: "Commands") -> None:
    listing = add_command(commands, "list", "show which candles there are")
    _add_data_dir(listing)
    listing.add_argument("--json", action="store_true", help="one JSON object a series")
    listing.set_defaults(command="data_list")


def _add_data_resample(commands: "Commands") -> None:
    summary = "make longer candles of shorter ones: 0 all were whole, 1 some were not"
    resample = add_command(commands, "resample", summary)
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
    backtest = add_command(commands, "backtest", summary)
    backtest.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file")
    backtest.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="instead of the feed's: one file for each symbol in turn, or SYMBOL=FILE",
    )
    backtest.add_argument(
        "--warm-until",
        metavar="TIME",
        help="decide nothing on what happened up to then: 2024-01-31T12:00, UTC",
    )
    backtest.add_argument(
        "--verify", action="store_true", help="probe for look-ahead and warm-up: 0 none, 1 found"
    )
    backtest.add_argument("--json", action="store_true", help="one JSON object")
    backtest.add_argument(
        "--html", type=Path, metavar="FILE", help="write a tear sheet, one page; - is stdout"
    )
    backtest.add_argument("--trades", type=Path, metavar="FILE", help="write the trades as CSV")
    backtest.add_argument(
        "--equity", type=Path, metavar="FILE", help="write the profit of each day as CSV"
    )
    backtest.add_argument(
        "--split", default="", metavar="PART", help="0.7 or a date: what follows is out of sample"
    )
    backtest.add_argument(
        "--trials", type=count, metavar="N", help="so many ways were tried before this one"
    )
    backtest.add_argument(
        "--trials-variance",
        type=not_negative,
        metavar="V",
        help="of the Sharpe ratios of those trials, annualised",
    )
    add_event_limit(backtest)
    backtest.set_defaults(command="backtest")


def _add_replay(commands: "Commands") -> None:
    summary = "decide a run's journal again: 0 the same, 1 it differs, 3 there is no journal"
    replay = add_command(commands, "replay", summary)
    add_run(replay)
    replay.add_argument(
        "--code-from",
        type=Path,
        metavar="PATH",
        help="what would that have decided: another checkout, a strategy's file, FILE:Class",
    )
    replay.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="ID.NAME=VALUE",
        help="what would it have decided with sma-1.fast=12; again and again",
    )
    replay.add_argument("--all", action="store_true", help="every divergence, not the first alone")
    replay.add_argument("--json", action="store_true", help="one JSON object; --all: more lines")
    add_event_limit(replay)
    # A checkout that replays for another one is told where that one's files were.
    replay.add_argument("--former-root", type=Path, help=argparse.SUPPRESS)
    replay.set_defaults(command="replay")


ADD: "dict[str, Add]" = {
    "data": _add_data,
    "backtest": _add_backtest,
    "replay": _add_replay,
}
