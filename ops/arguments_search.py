"""What the search for parameters takes."""

from pathlib import Path
from typing import TYPE_CHECKING

from ops.arguments_shared import add_command, add_event_limit, count, natural, positive, seconds

if TYPE_CHECKING:
    import argparse

    from ops.arguments_shared import Add, Commands


def _add_optimize(commands: "Commands") -> None:
    summary = "search the strategies' parameters, and judge what is chosen on what was not seen"
    optimize = add_command(commands, "optimize", summary)
    optimize.add_argument("config", type=Path, metavar="CONFIG", help="a TOML file")
    optimize.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="instead of the feed's: one file for each symbol in turn, or SYMBOL=FILE",
    )
    _add_space(optimize)
    _add_place(optimize)
    optimize.add_argument("--jobs", type=count, metavar="N", help="processes (one a core)")
    optimize.add_argument(
        "--ray", metavar="ADDRESS", help="workers on a Ray cluster: auto, HOST:PORT, or local"
    )
    optimize.add_argument(
        "--write", type=Path, metavar="FILE", help="the configuration with the best values"
    )
    optimize.add_argument("--json", action="store_true", help="one JSON object")
    optimize.set_defaults(command="optimize")


def _add_space(optimize: "argparse.ArgumentParser") -> None:
    optimize.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=LOW:HIGH",
        help="search this one (LOW:HIGH:STEP, or A,B,C), again and again; default: all declared",
    )
    optimize.add_argument(
        "--objective",
        choices=("sharpe", "return", "calmar"),
        default="sharpe",
        help="what is best (sharpe)",
    )
    optimize.add_argument(
        "--trials", type=count, default=100, metavar="N", help="in each window (100)"
    )
    optimize.add_argument(
        "--windows",
        type=natural,
        default=4,
        metavar="N",
        help="unseen parts to be judged on (4); 0 keeps nothing unseen",
    )
    optimize.add_argument(
        "--train",
        type=positive,
        default=3.0,
        metavar="X",
        help="how long a window is, in unseen parts (3)",
    )
    optimize.add_argument(
        "--min-orders",
        type=natural,
        default=10,
        metavar="N",
        help="that a trial must have filled in a window to be judged (10)",
    )
    optimize.add_argument(
        "--sampler", choices=("tpe", "random", "grid"), default="tpe", help="who proposes (tpe)"
    )
    optimize.add_argument(
        "--prune",
        choices=("median", "halving", "none"),
        default="median",
        help="when a trial is given up before its end (median)",
    )
    optimize.add_argument("--seed", type=natural, default=1, metavar="N", help="of proposals (1)")
    optimize.add_argument(
        "--trial-limit-s", type=seconds, metavar="SECONDS", help="how long one trial may take"
    )
    add_event_limit(optimize)


def _add_place(optimize: "argparse.ArgumentParser") -> None:
    optimize.add_argument(
        "--study", metavar="NAME", help="of the search that is begun or gone on with (the config's)"
    )
    optimize.add_argument(
        "--storage",
        metavar="URL",
        help="where it is kept: sqlite:///FILE.db (studies/NAME.db), or postgresql://HOST/DB",
    )
    optimize.add_argument(
        "--storage-env", metavar="NAME", help="the variable that holds the URL, with its password"
    )


ADD: "dict[str, Add]" = {"optimize": _add_optimize}
