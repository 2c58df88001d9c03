"""The fleet file: which bots there are, and the rules they are held to."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from decisions.fleet_bot import Measure
from decisions.fleet_rules import Act, Policy, Rule
from decisions.supervisor import Backoff, Intensity
from messages.errors import ConfigError
from messages.learning import learn
from ops.config import document_of
from ops.config_alerts import URLS_ENV
from ops.config_metrics import read_http
from ops.config_reader import TableReader
from ops.secret_names import is_variable_name

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_OWN_FILE = re.compile(r"fleet\.(db|lock|html)")
"""What the orchestrator itself has in the fleet's run_dir, with what SQLite puts beside it."""
_NICEST = 19
_NAME_RULE = "a name of letters, digits, dots, dashes and underscores"


class BotSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One bot, as the fleet file has it. Paths are absolute."""

    bot: str
    config: str
    run_dir: str
    after: tuple[str, ...] = ()
    """Started only once these are ready."""
    nice: int = 0
    memory_mb: int | None = None
    """The most memory of its own that its process may have, stacks of its threads included."""
    open_files: int | None = None


learn(BotSpec)


class FleetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet. `run_dir` holds what the orchestrator writes, and each bot's own directory."""

    name: str
    path: Path
    run_dir: Path
    bots: tuple[BotSpec, ...]
    policy: Policy
    look_s: float = 1.0
    stagger_s: float = 0.5
    """At least this long between two starts."""
    urls_env: str = URLS_ENV
    """The environment variable that holds the addresses of alerts."""
    calm_s: float = 30.0
    """How long a fault must be away before it is told to be over."""
    http: str | None = None
    """Where the page and the figures of the fleet are served; None is nowhere."""
    http_token_env: str | None = None
    """The name of an environment variable, never the token."""


def load_fleet(path: Path, *, http: str | None = None) -> FleetConfig:
    """Read a fleet file. Relative paths are looked for beside it; `http` goes over its key.

    Raises:
        ConfigError: with one sentence per mistake.
    """
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:  # nor could what a bot is started with be written down
        said = f"{str(path.absolute())!a} is not UTF-8 text: give its folders other names"
        raise ConfigError([said]) from None
    given = {} if http is None else {"http": http}
    return parse_fleet({**document_of(path), **given}, path.absolute())


def parse_fleet(document: Mapping[str, Any], path: Path) -> FleetConfig:
    """See `load_fleet`."""
    root = TableReader(document, "", [])
    name = root.matching("name", None, _NAME, _NAME_RULE)
    alerts = root.table("alerts")
    run_dir = path.parent / root.text("run_dir", f"runs/{name}")
    http, http_token_env = read_http(root)
    fleet = FleetConfig(
        name=name,
        path=path,
        run_dir=run_dir,
        bots=_bots(root, path.parent, run_dir),
        policy=_policy(root),
        look_s=max(root.number("look_s", 1.0), 0.05),
        stagger_s=root.number("stagger_s", 0.5),
        urls_env=_urls_env(alerts),
        calm_s=alerts.number("calm_s", 30.0),
        http=http,
        http_token_env=http_token_env,
    )
    alerts.finish()
    root.finish()
    if root.problems:
        raise ConfigError([f"{path.name}: {problem}" for problem in root.problems])
    return fleet


def _urls_env(reader: TableReader) -> str:
    variable = reader.text("urls_env", URLS_ENV)
    if not is_variable_name(variable):
        reader.problem("urls_env", "expected the name of an environment variable, not an address")
    return variable


def _policy(root: TableReader) -> Policy:
    restarts = root.table("restarts")
    policy = Policy(
        rules=tuple(_rule(reader) for reader in root.tables("rule")),
        intensity=Intensity(
            max_restarts=restarts.integer("max", 5, least=0),
            window_s=restarts.number("window_s", 300.0),
        ),
        backoff=Backoff(
            min_ms=restarts.integer("backoff_min_ms", 500, least=0),
            max_ms=restarts.integer("backoff_max_ms", 60_000, least=0),
            reset_after_ms=restarts.integer("reset_after_ms", 60_000, least=0),
        ),
        drain_s=root.number("drain_s", 45.0),
        silent_s=root.number("silent_s", 30.0),
        start_s=root.number("start_s", 60.0),
    )
    restarts.finish()
    return policy


def _rule(reader: TableReader) -> Rule:
    if not reader.has("measure"):
        reader.expected("measure", f"one of {', '.join(Measure)}")
    if not reader.has("over"):
        reader.expected("over", "the bound that it may not be above")
    rule = Rule(
        measure=reader.choice("measure", Measure, Measure.ERROR_RATE),
        over=reader.number("over", 0.0),
        for_s=reader.number("for_s", 0.0),
        act=reader.choice("act", Act, Act.WARN),
    )
    reader.finish()
    return rule


def _bots(root: TableReader, base: Path, run_dir: Path) -> tuple[BotSpec, ...]:
    readers = root.tables("bot")
    if not readers and not root.problems:
        root.expected("bot", "at least one bot, written [[bot]]")
    bots = [_bot(reader, base, run_dir) for reader in readers]
    seen: dict[str, str] = {}
    own = os.path.realpath(run_dir)
    for reader, bot in zip(readers, bots, strict=True):
        if bot.bot in seen.values():
            reader.problem("id", f'"{bot.bot}" is there twice')
        place = os.path.realpath(bot.run_dir)  # one directory has many names
        if problem := _place_problem(place, own, seen):
            reader.problem("run_dir" if reader.has("run_dir") else "id", problem)
        for name in bot.after:
            if name not in seen.values():
                reader.problem("after", f'"{name}" is no bot that stands before it')
        seen[place] = bot.bot
    return tuple(bots)


def _place_problem(place: str, own: str, others: Mapping[str, str]) -> str:
    """Say why a bot cannot have this run directory; empty when it can."""
    if other := others.get(place):
        return f'"{other}" has the same run directory'
    if place == own or (str(Path(place).parent) == own and _OWN_FILE.match(Path(place).name)):
        return f"{place} is the fleet's own: give the bot another run_dir"
    for there, other in others.items():
        if os.path.commonpath([place, there]) in (place, there):
            return f'its run directory and that of "{other}" lie in one another'
    return ""


def _bot(reader: TableReader, base: Path, run_dir: Path) -> BotSpec:
    name = reader.matching("id", None, _NAME, _NAME_RULE)
    config = base / reader.text("config", None, "the path of a config for start")
    if reader.has("config") and not config.is_file():
        reader.problem("config", f"there is no file {config}")
    after = reader.raw("after", [])
    if not (isinstance(after, list) and all(isinstance(one, str) for one in after)):
        reader.expected("after", 'names of bots, such as ["feed"]')
        after = []
    bot = BotSpec(
        bot=name,
        config=str(config),
        run_dir=str(base / reader.text("run_dir", str(run_dir / name))),
        after=tuple(after),
        nice=reader.integer("nice", 0, least=0, most=_NICEST),
        memory_mb=reader.optional_integer("memory_mb", least=128),
        open_files=reader.optional_integer("open_files", least=32),
    )
    reader.finish()
    return bot
