"""The JSON schema of `backtest --json`; docs/schemas/ holds what it is.

`python -m research.backtest.schema docs/schemas` writes it there.
"""

import json
import sys
from pathlib import Path
from typing import Any

from decisions.json_schema import schema_of
from research.backtest.report import Report

NAME = "backtest.schema.json"


def schema() -> dict[str, Any]:
    """Give the schema (draft 2020-12)."""
    return schema_of("backtest --json", (Report,))


def main(folder: str) -> None:
    """Write it."""
    text = json.dumps(schema(), indent=1, sort_keys=True) + "\n"
    (Path(folder) / NAME).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
