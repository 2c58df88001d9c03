"""The demo kills its own executor: when, that it is told, and what is shown of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.console import Console

from messages.lifecycle import InjectCrash
from ops import demo_kill, final_word
from ops.bot_run import BotRun
from ops.config import demo_config
from ops.demo_kill import DemoKill, KillShown
from ops.final_word import against_venue
from ops.narrator import JsonLines
from ops.options import StartOptions
from ops.panel import Panel
from ops.run_config import config_for
from ops.run_dir import RunDir
from tests.ops.test_panel import head_of

WELL = {"orders": 17, "doubled": 0, "unexplained": 0}


class Hearer:
    """A narrator, and an executor's address, that remember what they are told, in its order."""

    path = "execution/executor"

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def killed(self, actor: str, reason: str) -> None:
        self.heard.append(f"{actor}: {reason}")

    def tell(self, message: Any) -> bool:
        self.heard.append(message)
        return True


@pytest.fixture
def due_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_kill, "AFTER_S", 0.0)


def test_it_is_told_and_done_once_when_it_is_due(due_at_once: None) -> None:
    hearer = Hearer()
    kill = DemoKill(hearer, hearer)  # type: ignore[arg-type]  # planted

    kill.look(0.0)  # the machine's clock is past it
    assert hearer.heard == []
    for _ in range(2):
        kill.look(float("inf"))

    reason = "the demo kills its own executor"
    assert hearer.heard == [f"execution/executor: {reason}", InjectCrash(reason=reason)]


@pytest.mark.parametrize(
    ("asked", "kills"),
    [({}, 1), ({"chaos": False}, 0), ({"exchange": "binance"}, 0)],
    ids=["the demo", "--no-chaos", "--exchange"],
)
def test_only_the_demo_does_it_and_not_if_it_is_told_not_to(
    tmp_path: Path, due_at_once: None, asked: dict[str, Any], kills: int
) -> None:
    options = StartOptions(run_dir=tmp_path / "run", json_lines=True, **asked)
    run = BotRun(options, config_for(options), RunDir(tmp_path / "run"))
    told: list[str] = []
    run.narrator = SimpleNamespace(
        killed=lambda actor, _: told.append(actor), refresh=lambda: run.signals.note(15, None)
    )

    run._watch(lambda _: None)

    assert told == ["execution/executor"] * kills
    assert run.system.executor.cell.mailbox.depth() == kills


def test_off_a_terminal_it_is_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = JsonLines(demo_config())
    monkeypatch.setattr("ops.narrator.takes_more", lambda _: True)
    monkeypatch.setattr("ops.stdout.takes_more", lambda _: True)

    lines.killed("execution/executor", "why")
    lines._drain(patience_s=0.0)
    lines._drain(patience_s=0.0)

    (line,) = [msgspec.json.decode(text) for text in capsys.readouterr().out.splitlines()]
    del line["at_ns"]
    assert line == {"event": "demo_kill", "actor": "execution/executor", "reason": "why"}


class Counts:
    """What comes of each count, and how long it takes, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, takes_s: float = 0.0) -> None:
        self.now, self.takes_s, self.counted = 100.0, takes_s, 0
        self.found: dict[str, int] | None = WELL
        monkeypatch.setattr(demo_kill, "against_venue", self.count)

    def count(self, _: Path) -> dict[str, int] | None:
        self.now += self.takes_s
        self.counted += 1
        return self.found


def test_a_person_is_told_that_it_was_on_purpose_and_that_nothing_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = Counts(monkeypatch)
    shown = KillShown(Path(), lambda: counts.now)
    told = []
    for found in (WELL, WELL | {"orders": 18, "unexplained": 1}, None):
        counts.now, counts.found = counts.now + 3, found
        told.append((shown.sentence(), shown.is_well))

    killed = "The demo killed its own executor"
    assert told == [
        (
            f"{killed} 3 s ago, on purpose: "
            "17 orders at the venue, 0 doubled, 0 without a decision.",
            True,
        ),
        (
            f"{killed} 6 s ago, on purpose: "
            "18 orders at the venue, 0 doubled, 1 without a decision.",
            False,
        ),
        (f"{killed} 9 s ago, on purpose: the venue's book could not be compared.", None),
    ]


def test_what_is_dear_to_count_is_counted_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts(monkeypatch, takes_s=1.0)
    shown = KillShown(Path(), lambda: counts.now)

    for _ in range(100):
        shown.sentence()
        counts.now += 0.5

    assert counts.counted == 5  # 50 s and the counts themselves, one in eleven


def test_the_panel_says_it_below_the_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    Counts(monkeypatch)
    panel, console = Panel(demo_config()), Console(width=160)
    before = head_of(panel, console, "execution/executor was restarted recently (1 of 3)")

    panel.killed("execution/executor", "why")
    after = head_of(panel, console, "execution/executor was restarted recently (1 of 3)")

    assert "on purpose" not in before
    assert re.search(r"\(1 of 3\) The demo killed its own executor \d+ s ago, on purpose", after)
    assert "17 orders at the venue, 0 doubled, 0 without a decision. market of" in after


def test_what_is_decided_while_it_counts_has_a_decision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The claim is committed before the venue has the order."""
    ledger, book = ["a"], ["a"]

    def reads(rows: list[str]) -> Iterator[SimpleNamespace]:
        found = [SimpleNamespace(client_order_id=one) for one in rows]
        ledger.append(f"b{len(ledger)}")
        book.append(ledger[-1])
        return iter(found)

    monkeypatch.setattr(final_word, "read_orders", lambda _: reads(ledger))
    monkeypatch.setattr(final_word, "read_book", lambda _: reads(book))

    assert against_venue(tmp_path) == {"orders": 1, "doubled": 0, "unexplained": 0}
