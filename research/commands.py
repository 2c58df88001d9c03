"""From the command line to what keeps candles. Imports nothing before it is due."""

import argparse
from collections.abc import Callable


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


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "data_import": _data_import,
    "data_verify": _data_verify,
    "data_list": _data_list,
    "data_resample": _data_resample,
}
