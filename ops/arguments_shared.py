"""What the arguments of several commands are made of. Only the standard library."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    Add = Callable[[Commands], None]


def add_command(commands: "Commands", name: str, summary: str) -> argparse.ArgumentParser:
    """Add a command under its name; `summary` is its line in the list of them and its help."""
    return commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)


def a_directory(text: str) -> Path:
    """Read the path of a directory. An empty one would be where the command happens to be.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError(
            "it is empty (a variable that is not set?): name a directory"
        )
    return Path(text)


class CommandsOrRun(argparse._SubParsersAction):  # type: ignore[type-arg]  # generic for mypy alone
    """Commands of a command that takes a run directory in their place: `run_dir`.

    A directory with the name of one of them needs `./`.
    """

    takes_a_run = True

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Read what is left by the command that begins it, or by this one behind a run."""
        word, *rest = values
        if word in self.choices:
            super().__call__(parser, namespace, values, option_string)
            return
        if namespace.run_dir is not None:
            parser.error(f"{word}: a run is named already: {namespace.run_dir}")
        try:
            namespace.run_dir = a_directory(word)
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))
        parser.parse_known_args(rest, namespace)


def add_run(command: argparse.ArgumentParser) -> None:
    """Take the run directory as a word or as an option: `run`, `run_dir`."""
    command.add_argument("run", nargs="?", type=a_directory, metavar="RUN_DIR", help="as --run-dir")
    add_run_dir(command)


def add_run_dir(
    command: argparse.ArgumentParser, text: str = "default: the newest in runs/"
) -> None:
    """Take the run directory as an option: `run_dir`."""
    command.add_argument("--run-dir", type=a_directory, metavar="DIR", help=text)


def add_event_limit(command: argparse.ArgumentParser) -> None:
    """Take `event_limit_s`; None is as long as usual."""
    command.add_argument(
        "--event-limit-s",
        type=positive,
        metavar="SECONDS",
        help="how long a strategy may take over one event: 60",
    )


def add_timeout(command: argparse.ArgumentParser, seconds: int) -> None:
    """Take how long to wait for an answer: `timeout`, in seconds."""
    text = f"how long to wait ({seconds})"
    command.add_argument(
        "--timeout", type=positive, default=float(seconds), metavar="SECONDS", help=text
    )


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number


def positive(text: str) -> float:
    """Read a number above 0."""
    if (number := _number(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number


def not_negative(text: str) -> float:
    """Read a number from 0."""
    if (number := _number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def port(text: str) -> int:
    """Read a port, from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def natural(text: str) -> int:
    """Read a whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)
