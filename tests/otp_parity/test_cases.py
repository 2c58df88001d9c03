"""The table of cases, the tests and the documentation say the same."""

import re
from pathlib import Path

from tests.otp_parity.cases import CASES, table

THIS = Path(__file__)
HERE = THIS.parent
PAGE = HERE.parents[1] / "docs" / "supervision.md"


def test_every_case_that_counts_as_tested_has_its_test_and_no_other_has() -> None:
    texts = [file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py") if file != THIS]
    written = re.findall(r"^def test_(\w+)\(", "\n".join(texts), re.MULTILINE)

    assert sorted(written) == sorted(name for name, reason in CASES.items() if not reason)


def test_the_documentation_shows_the_table() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
