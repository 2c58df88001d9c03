"""The gaps of a recording as a person reads them: one line, however many there are."""

from collections.abc import Mapping
from typing import Any

from ops.health_text import duration


def gaps_text(told: Mapping[str, Any]) -> str:
    """Say how many, and of the first ones of what, how long, and before which row."""
    count = "1 gap" if told["gaps"] == 1 else f"{told['gaps']:,} gaps"
    missing = f", {told['missing']:,} missing" if told["missing"] else ""
    first = ", ".join(map(_gap, told["first"]))
    return f"{count} between rows{missing}, the first: {first}"


def _gap(one: Mapping[str, Any]) -> str:
    missing = f", {one['missing']:,} missing" if one["missing"] else ""
    return f"{one['symbol']} before {one['place']} ({duration(one['lasted_s'])}{missing})"
