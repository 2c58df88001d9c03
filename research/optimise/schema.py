"""The schema of `optimize --json`: `python -m research.optimise.schema docs/schemas`."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from research.optimise.report import Report

NAME = "optimize.schema.json"


def schema() -> dict[str, Any]:
    """Give it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What optimize --json prints",
        **msgspec.json.schema(Report),
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) / NAME
    target.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
