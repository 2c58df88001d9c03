"""The page as text: what it may do, what it may not, and that nothing of a run becomes markup."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import cli
from ops.dashboard.command import DashboardOptions, model_of
from ops.dashboard.page import _SCRIPTS, embedded, page
from ops.dashboard.sheet_page import SHEET
from ops.fleet.page import _SHELL
from tests.ops.dashboard.runs import CONFIG, LIFE, run_with, said
from tests.ops.dashboard.test_run_model import EVIL, traded


class Elements(HTMLParser):
    """Every element, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.texts:
            self.texts[self._open][-1] += data


def page_of(*runs: Path) -> str:
    return page(model_of(DashboardOptions(runs=runs)))


def policy_in(elements: Elements) -> dict[str, list[str]]:
    (content,) = [a["content"] for tag, a in elements.found if tag == "meta" and "http-equiv" in a]
    parts = [part.split() for part in str(content).split(";")]
    return {name: rest for name, *rest in parts}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_its_own_scripts_and_style_and_nothing_else(tmp_path: Path) -> None:
    elements = Elements(page_of(run_with(tmp_path, *LIFE)))
    policy = policy_in(elements)

    scripts = [t for t in elements.texts["script"] if not t.startswith('{"schema"')]
    assert policy["default-src"] == ["'none'"]
    assert policy["connect-src"] == ["'none'"]
    assert policy["script-src"] == [hashed(text) for text in scripts]
    assert policy["style-src"] == [hashed(text) for text in elements.texts["style"]]


def test_nothing_in_it_is_fetched_and_no_markup_holds_a_script(tmp_path: Path) -> None:
    elements = Elements(page_of(run_with(tmp_path, *LIFE)))

    assert not [attributes for _, attributes in elements.found if "src" in attributes]
    assert not [n for _, a in elements.found for n in a if n.startswith("on") or n == "style"]
    links = [str(a["href"]) for tag, a in elements.found if tag == "link"]
    assert links == ["data:,"]


def test_it_is_under_half_a_megabyte_without_its_data(tmp_path: Path) -> None:
    model = model_of(DashboardOptions(runs=(run_with(tmp_path, *LIFE),)))

    assert len(page(model).encode()) - len(embedded(model)) < 500_000


def test_our_scripts_make_no_markup_from_text() -> None:
    folder = Path(cli.__file__).parent / "ops" / "dashboard" / "assets"
    scripts = sorted(folder.glob("*.js"))
    all_of_them = {*_SCRIPTS, *SHEET.scripts, *_SHELL.scripts}
    ours = {name for name in all_of_them if name.startswith("assets/")}
    assert {f"assets/{script.name}" for script in scripts} == ours != set()
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


def test_what_a_run_holds_cannot_end_the_data(tmp_path: Path) -> None:
    hostile = said(1, "supervision", child=EVIL, event="exited", reason=EVIL + "\u2028", epoch=1)
    traded(run_with(tmp_path, hostile, config=CONFIG.replace('"made"', json.dumps(EVIL))))

    text = page_of(tmp_path)
    elements = Elements(text)

    assert [tag for tag, _ in elements.found].count("img") == 0
    (data,) = [t for t in elements.texts["script"] if t.startswith('{"schema"')]
    assert json.loads(data)["runs"][0]["name"] == EVIL
    assert not re.search("[<>&\u2028]", data)


def test_the_command_writes_it_beside_the_run_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_with(tmp_path, *LIFE)

    assert cli.main(["dashboard", str(tmp_path)]) == 0

    assert (tmp_path / "dashboard.html").is_file()
    assert str(tmp_path / "dashboard.html") in capsys.readouterr().out


def test_the_model_is_given_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = run_with(tmp_path / "one", *LIFE), run_with(tmp_path / "other", *LIFE)

    assert cli.main(["dashboard", str(one), "--run-dir", str(other), "--json"]) == 0

    model: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [run["title"] for run in model["runs"]] == ["one", "other"]


def test_it_writes_nothing_into_a_directory_that_is_no_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dashboard", str(tmp_path)]) == 3

    assert f"there is no run in {tmp_path}" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
