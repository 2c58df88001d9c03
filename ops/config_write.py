"""A configuration as TOML: every default spelled out, secrets masked."""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ops.config_schema import Config
from ops.secret_names import masked

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def effective_toml(config: Config) -> str:
    """Give a file that means the same as `config`, fit to be shown to anyone."""
    return "\n".join(_table(_document(config), "")).strip() + "\n"


def to_toml(document: Mapping[str, Any]) -> str:
    """Give a mapping as TOML, as it is."""
    return "\n".join(_table(document, "")).strip() + "\n"


def _document(config: Config) -> dict[str, Any]:
    document = msgspec.structs.asdict(config)
    document["strategy"] = [_section(strategy) for strategy in document.pop("strategies")]
    for key, value in document.items():
        if isinstance(value, msgspec.Struct):
            document[key] = _section(value)
    document["feed"]["path"] = document["feed"].pop("paths") or None
    shown: Any = masked(document)
    return dict(shown)


def _section(struct: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(struct)
    inner = {key: one for key, one in fields.items() if isinstance(one, msgspec.Struct)}
    return fields | {key: _section(one) for key, one in inner.items()}


def _table(table: Mapping[str, Any], path: str) -> list[str]:
    """The order TOML asks for: a table's own values first, then the tables in it."""
    lines, inner = [], []
    for key, value in table.items():
        place = f"{path}.{_key(key)}" if path else _key(key)
        if isinstance(value, Mapping):
            inner += [f"\n[{place}]", *_table(value, place)] if value else []
        elif isinstance(value, list) and value and all(isinstance(i, Mapping) for i in value):
            for item in value:
                inner += [f"\n[[{place}]]", *_table(item, place)]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + inner


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Decimal | Path):
        return _quoted(str(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, except that JSON lets DEL stand.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
