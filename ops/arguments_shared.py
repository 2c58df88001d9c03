"""What the arguments of several commands are made of. Only the standard library."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.bounds import FASTEST, LARGEST_INTEGER, LONGEST_WAIT_S, SHORTEST_WAIT_S, SLOWEST

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    Add = Callable[[Commands], None]

_LONGEST_SHOWN = 40


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
        type=seconds,
        metavar="SECONDS",
        help="how long a strategy may take over one event: 60",
    )


def add_timeout(command: argparse.ArgumentParser, default_s: int) -> None:
    """Take how long to wait for an answer: `timeout`, in seconds."""
    text = f"how long to wait ({default_s})"
    command.add_argument(
        "--timeout", type=seconds, default=float(default_s), metavar="SECONDS", help=text
    )


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{_shown(text)!r} is not a number")
    return number


def positive(text: str) -> float:
    """Read a number above 0."""
    if (number := _number(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not more than 0")
    return number


def not_negative(text: str) -> float:
    """Read a number from 0."""
    if (number := _number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def seconds(text: str) -> float:
    """Read how long to wait, up to a year."""
    if not SHORTEST_WAIT_S <= (number := _number(text)) <= LONGEST_WAIT_S:
        allowed = f"{SHORTEST_WAIT_S} to {LONGEST_WAIT_S} s (a year)"
        raise argparse.ArgumentTypeError(f"{_shown(text)} is not {allowed}")
    return number


def speed(text: str) -> float:
    """Read how many seconds of a market pass in one; 0 is as many as can be."""
    return _speed(text, "as fast as possible")


def speed_or_none(text: str) -> float:
    """Read the same of a market that stands by 0, until it is told to go on."""
    return _speed(text, "where it stands until it is advanced")


def _speed(text: str, zero: str) -> float:
    if (number := _number(text)) and not SLOWEST <= number <= FASTEST:
        allowed = f"neither 0, {zero}, nor {SLOWEST} to {FASTEST}"
        raise argparse.ArgumentTypeError(f"{_shown(text)} is {allowed}")
    return number


def port(text: str) -> int:
    """Read a port, from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def count(text: str) -> int:
    """Read a whole number from 1."""
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return natural(text)


def natural(text: str) -> int:
    """Read a whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    if len(text) > len(str(LARGEST_INTEGER)) or int(text) > LARGEST_INTEGER:
        raise argparse.ArgumentTypeError(f"{_shown(text)} is more than {LARGEST_INTEGER}")
    return int(text)


def seed(text: str) -> int:
    """Read a whole number, which may be negative."""
    return -natural(text[1:]) if text.startswith("-") else natural(text)


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
