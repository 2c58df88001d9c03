"""The `[feed.nats]` of a configuration: where the bus is, and which variables let us in."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from exchanges.bus_address import BusAddress
from ops.config_reader import TableReader
from ops.config_schema import BusClock, NatsConfig
from ops.secret_names import is_variable_name

DEFAULT_URL = "nats://127.0.0.1:4222"
DEFAULT_STREAM = "market"
_STREAM = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_STREAM_RULE = "letters, digits, _ and -, at most 32"


def read_nats(reader: TableReader, base: Path) -> NatsConfig:
    """Give where the bus is; problems are noted with the reader."""
    url = reader.text("url", DEFAULT_URL)
    if problem := url_problem(url):
        reader.problem("url", problem)
    nats = NatsConfig(
        url=url,
        stream=reader.matching("stream", DEFAULT_STREAM, _STREAM, _STREAM_RULE),
        clock=reader.choice("clock", BusClock, BusClock.REAL),
        user_env=_variable(reader, "user_env"),
        password_env=_variable(reader, "password_env"),
        token_env=_variable(reader, "token_env"),
        credentials_env=_variable(reader, "credentials_env"),
        ca_file=str(base / ca_file) if (ca_file := reader.optional_text("ca_file")) else None,
    )
    if problem := trust_problem(nats):
        reader.problem("ca_file", problem)
    if (nats.user_env is None) != (nats.password_env is None):
        reader.problem("user_env", "goes with password_env, and the other way round")
    reader.finish()
    return nats


def url_problem(url: str) -> str:
    """Say what is wrong with an address; empty when it can be used. A login is never in it."""
    try:
        parts = urlsplit(url)
        is_place = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return "expected an address such as nats://127.0.0.1:4222"
    if "@" in parts.netloc:
        return "must not hold a login: put it into the environment and name the variables"
    rest = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("nats", "tls") or not is_place or rest:
        return "expected an address such as nats://127.0.0.1:4222 or tls://host:4222"
    return ""


def trust_problem(nats: NatsConfig) -> str:
    """Say why certificates are of no use; empty where they are, or none are named."""
    if nats.ca_file is None or urlsplit(nats.url).scheme == "tls":
        return ""
    return "is for tls://, and the address is not: nothing would be held against it"


def missing_from(
    nats: NatsConfig,
    named: Callable[[str], str] = "feed.nats.{}".format,
    environment: Mapping[str, str] = os.environ,
) -> list[str]:
    """Say, a sentence each, what is named and not there; `named` gives how a person wrote it."""
    variables = ("user_env", "password_env", "token_env", "credentials_env")
    problems = [
        f"{named(key)}: the environment variable {name} is not set: export it before the start"
        for key in variables
        if (name := getattr(nats, key)) and not environment.get(name)
    ]
    files = {
        "ca_file": nats.ca_file,
        "credentials_env": environment.get(nats.credentials_env or ""),
    }
    for key, file in files.items():
        if file and not os.access(file, os.R_OK):
            problems.append(f"{named(key)}: {file} cannot be read: correct the path")
    return problems


def stream_problem(name: str) -> str:
    """Say what is wrong with the name of a stream; empty when it can be used."""
    return "" if re.fullmatch(_STREAM, name, re.ASCII) else f"expected {_STREAM_RULE}"


def address_of(nats: NatsConfig, environment: Mapping[str, str] = os.environ) -> BusAddress:
    """Give the address with what the environment holds; nobody writes it down."""

    def value(name: str | None) -> str:
        return environment.get(name, "") if name else ""

    return BusAddress(
        url=nats.url,
        stream=nats.stream,
        user=value(nats.user_env),
        password=value(nats.password_env),
        token=value(nats.token_env),
        credentials=value(nats.credentials_env),
        ca_file=nats.ca_file or "",
    )


def _variable(reader: TableReader, key: str) -> str | None:
    name = reader.optional_text(key)
    if name is not None and not is_variable_name(name):
        reader.problem(key, "expected the name of an environment variable, not what it holds")
    return name
