"""The run book, held against the alerts that there are and the commands that it says to type."""

import re
from pathlib import Path

import pytest

from ops.arguments import parser

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
TOLD_IN = (
    "decisions/alert_rules.py",
    "ops/process.py",
    "ops/bot_run.py",
    "ops/alerts.py",
    "ops/fleet/alerts.py",
    "ops/late_alerts.py",
)
RULE = re.compile(
    r'(?:Condition\(\s*|found = \(|happened\(|^_RULE = |rule = |rule, f?"\w+" else )"(\w+)"',
    re.MULTILINE,
)
SECTION = re.compile(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"`watchkeeper ([^`]+)`", re.DOTALL)


def sections() -> dict[str, str]:
    return dict(SECTION.findall(RUNBOOK))


def rules_of_the_run() -> set[str]:
    found = set()
    for name in TOLD_IN:
        found |= set(RULE.findall((ROOT / name).read_text(encoding="utf-8")))
    return found


def rules_of_prometheus() -> set[str]:
    text = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    return set(re.findall(r"- alert: (\w+)", text))


def test_every_alert_has_its_section_and_no_other() -> None:
    ours, prometheus = rules_of_the_run(), rules_of_prometheus()
    assert {"halt", "hung", "gone", "fleet", "disk"} <= ours
    assert len(prometheus) > 15
    assert set(sections()) == ours | prometheus


def test_the_rules_that_alerts_md_lists_are_among_them() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    table = text.split("\n## Rules\n")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == rules_of_the_run() - {"fleet"}


@pytest.mark.parametrize("alert", sorted(sections()))
def test_a_section_says_what_to_type_and_the_program_knows_it(
    alert: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = COMMAND.findall(sections()[alert])
    assert typed, "it says nothing to type"
    for line in typed:
        words = line.split()
        try:
            parser(words).parse_args(words)
        except SystemExit:
            pytest.fail(f"watchkeeper {line}: {capsys.readouterr().err}")
