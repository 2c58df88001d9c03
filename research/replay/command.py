"""`replay RUN`: a journal decided again. Results on stdout, the figures of speed on stderr."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from messages.errors import ConfigError
from messages.exit_codes import EXIT_FAILED, EXIT_NOTHING_THERE, EXIT_OK
from messages.patience import LIMIT_S, Patience
from persistence.journal import segments
from research.printing import Progress, say
from research.replay.code import Otherwise
from research.replay.found import Divergence
from research.replay.replaying import Replay
from research.replay.report import as_lines, as_object, divergence_lines

JOURNAL = "journal"
ROOT = Path(__file__).parents[2]
_ITS_OWN = Path("research", "replay", "command.py")
_CHILD = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import cli; sys.exit(cli.main(sys.argv[1:]))"
)


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    run_dir: Path
    otherwise: Otherwise
    as_json: bool = False
    shows_all: bool = False
    event_limit_s: float | None = None
    """How long a strategy may take over one event; None is as long as usual."""


def replay(options: ReplayOptions) -> int:
    """Replay it; 0 without a divergence, 1 with one, 3 where there is nothing to compare.

    Raises:
        ConfigError: what is to be replayed in another way does not fit the run.
    """
    folder = options.run_dir / JOURNAL
    if not segments(folder):
        sys.stderr.write(f"watchkeeper: {_nothing_in(options.run_dir)}\n")
        return EXIT_NOTHING_THERE
    source = options.otherwise.code_from
    if source is not None and (source / _ITS_OWN).is_file():
        return _by_checkout(source.absolute(), options)
    if source is not None and (source / "cli.py").is_file():
        raise ConfigError([f"--code-from {source}: that checkout is of before there was a replay"])
    return _here(options, folder)


def _nothing_in(run_dir: Path) -> str:
    kept_when = 'one is kept of a live market, or of any with journal.when = "always"'
    return f"{run_dir} has no journal: {kept_when}"


def _here(options: ReplayOptions, folder: Path) -> int:
    first: list[Divergence] = []

    def report(divergence: Divergence) -> None:
        if options.shows_all and options.as_json:
            sys.stdout.write(_json({"divergence": msgspec.to_builtins(divergence)}) + "\n")
        elif options.shows_all:
            for line in divergence_lines(divergence):
                say(line)
        if not first:
            first.append(divergence)

    progress, began = Progress("replay"), time.perf_counter()
    patience = Patience(options.event_limit_s or LIMIT_S)
    work = Replay(folder, options.otherwise, report, patience)
    reader = work.run(lambda share: progress.show(share, f"{work.findings.differs} divergences"))
    progress.end()
    took_s = time.perf_counter() - began
    findings = work.findings
    if options.as_json:
        sys.stdout.write(_json(as_object(reader, findings, first)) + "\n")
    else:
        for line in as_lines(options.run_dir, reader, findings, first):
            say(line)
    events = sum(one.events for one in findings.strategies.values())
    speed = f"{events / took_s:,.0f} events/s" if events else "nothing to show"
    sys.stderr.write(f"{reader.frames:,} messages, {events:,} events in {took_s:.2f} s: {speed}\n")
    if findings.is_nothing:
        return EXIT_NOTHING_THERE
    return EXIT_FAILED if findings.differs else EXIT_OK


def _by_checkout(checkout: Path, options: ReplayOptions) -> int:
    """Let another checkout replay it, in a process that imports everything from there."""
    limit_s = options.event_limit_s
    words: Sequence[str] = (
        "replay",
        str(options.run_dir.absolute()),
        "--former-root",
        str(ROOT),
        *(word for text in options.otherwise.params for word in ("--param", text)),
        *(["--event-limit-s", f"{limit_s:g}"] if limit_s is not None else []),
        *(["--json"] if options.as_json else []),
        *(["--all"] if options.shows_all else []),
    )
    command = [sys.executable, "-P", "-c", _CHILD, str(checkout), *words]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode  # noqa: S603 - asked for by the user


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
