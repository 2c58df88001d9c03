"""The documents, held against the code: their commands run, their tables are the code's."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from messages import exit_codes
from messages.order_states import LEGAL_TRANSITIONS
from messages.values import OrderState
from ops import run_files
from ops.arguments import FAMILIES
from ops.config import Config, effective_toml, parse
from ops.doctor_machine import EXTRAS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MEASUREMENTS = "performance.md"
"""Its commands take minutes and need the benchmarks beside them."""
SET_UP = ("<!-- run -->", "<!-- tests -->")
SECTIONS = {"strategies": "strategy"}
WRITTEN_AS = {"feed.paths": "feed.path"}

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
ROW = re.compile(r"^\| `(?P<key>[a-z_.]+)` \| (?P<second>.+?) \| (?P<third>.+?) \|", re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def command_blocks() -> Iterator[Any]:
    """Every block of commands but the two that set a machine up."""
    for document in DOCUMENTS:
        if document.name == MEASUREMENTS:
            continue
        blocks = [b for b in sh_blocks(document) if b[0] not in SET_UP]
        for number, (_, text) in enumerate(blocks, 1):
            yield pytest.param(text, id=f"{name_of(document)}-{number}")


def sh_blocks(document: Path) -> list[tuple[str, str]]:
    """Give each block with the line before it."""
    found: list[tuple[str, str]] = []
    before = ""
    lines: list[str] | None = None
    for line in document.read_text(encoding="utf-8").splitlines():
        if lines is not None and line == "```":
            found.append((before, "\n".join(lines) + "\n"))
            lines = None
        elif lines is not None:
            lines.append(line)
        elif line == "```sh":
            lines = []
        else:
            before = line
    return found


def table(document: str, heading: str = "") -> dict[str, tuple[str, str]]:
    """Give the rows that begin with a key in code, under a heading or in all of a document."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    if heading:
        text = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {row["key"]: (row["second"], row["third"]) for row in ROW.finditer(text)}


def keys_of(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Give the dotted keys of a configuration, as a file writes them."""
    for field in msgspec.structs.fields(struct):
        inner = section_in(field.type)
        if inner is not None:
            yield from keys_of(inner, f"{prefix}{SECTIONS.get(field.name, field.name)}.")
        else:
            key = prefix + field.name
            yield WRITTEN_AS.get(key, key)


def section_in(kind: Any) -> type[msgspec.Struct] | None:
    for candidate in (kind, *getattr(kind, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    return None


def anchors(document: Path) -> set[str]:
    """Give the anchors that a document's headings make."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.slow
@pytest.mark.parametrize("text", list(command_blocks()))
def test_the_commands_of_a_document_run(text: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    own_commands = str(Path(sys.executable).parent)

    done = subprocess.run(
        ["sh", "-e", "-c", text],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{own_commands}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.finditer(text):
        target, anchor = link["target"], link["anchor"]
        if "://" in target:
            continue
        aim = (document.parent / target).resolve() if target else document
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            broken.append(link.group())

    assert broken == []


def test_the_readme_leads_to_every_document() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", text_of("README.md")))

    assert linked == {path.name for path in (ROOT / "docs").glob("*.md")}


def test_every_key_of_the_configuration_is_documented_and_no_other() -> None:
    assert sorted(table("configuration.md")) == sorted(keys_of(Config))


def test_the_documented_defaults_are_the_defaults() -> None:
    smallest = {"name": "x", "strategy": [{"id": "a", "uses": "sma_cross"}]}
    effective = tomllib.loads(effective_toml(parse(smallest, Path())))
    effective["strategy"] = effective["strategy"][0]
    over_nats = tomllib.loads(effective_toml(parse(smallest | {"feed": {"type": "nats"}}, Path())))
    effective["feed.nats"] = over_nats["feed"]["nats"]
    wrong = []
    for key, (_, default) in table("configuration.md").items():
        code = re.fullmatch(r"`([^`<>]+)`(; .*)?", default)
        if code is None:
            continue
        section, _, name = key.rpartition(".")
        actual = (effective[section] if section else effective)[name]
        documented = tomllib.loads(f"x = {code[1]}")["x"]
        if actual != documented and not is_same_money(actual, documented):
            wrong.append(f"{key} is {actual}, documented as {default}")

    assert wrong == []


def is_same_money(actual: object, documented: object) -> bool:
    return isinstance(actual, str) and str(documented) == actual == str(Decimal(actual))


def test_every_file_of_a_run_directory_is_documented() -> None:
    documented = text_of("docs/files.md").partition("\n## ")[0]
    names = [value for name, value in vars(run_files).items() if name.isupper() and name[0] != "_"]

    assert names
    assert [name for name in names if f"`{name}" not in documented] == []


def test_the_documented_order_states_and_steps_are_the_table() -> None:
    documented = {
        OrderState(state): frozenset(OrderState(word) for word in re.findall(r"`(\w+)`", onward))
        for state, (_, onward) in table("orders.md", "States").items()
    }

    assert documented == LEGAL_TRANSITIONS


def test_the_documented_exit_codes_are_those_that_commands_end_with() -> None:
    codes = [value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")]
    text = text_of("docs/health.md").split("\n## Verdicts and exit codes\n")[1].split("\n## ")[0]

    assert [int(code) for code in re.findall(r"^\| `(\d+)` \|", text, re.MULTILINE)] == codes


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (extraction,) = re.findall(r"^command=\$\(.*\)$", script, re.MULTILINE)
    shown = [text for before, text in sh_blocks(ROOT / "README.md") if before == "<!-- tests -->"]

    found = subprocess.run(
        ["bash", "-c", f'{extraction}; printf "%s\\n" "$command"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert [found.stdout] == shown


def test_the_readme_has_two_set_up_commands_of_one_line() -> None:
    blocks = [block for block in sh_blocks(ROOT / "README.md") if block[0] in SET_UP]

    assert [before for before, _ in blocks] == list(SET_UP)
    assert [text.count("\n") for _, text in blocks] == [1, 1]


def test_the_readme_and_the_changelog_name_every_command_and_no_other() -> None:
    commands = set(FAMILIES)
    rows = re.findall(r"^\| `watchkeeper ([a-z]+)\b", text_of("README.md"), re.MULTILINE)
    (listed,) = re.findall(
        r"^- Commands: (.*?)\.$", text_of("CHANGELOG.md"), re.MULTILINE | re.DOTALL
    )

    assert "orchestrate" in commands
    assert set(rows) == commands
    assert set(re.findall(r"`([a-z]+)`", listed)) == commands


def test_the_readme_names_every_extra_and_doctor_looks_for_each() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = set(extras_of(setup))
    section = text_of("README.md").split("| Extra | Needed by |\n")[1].split("\n\n")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == extras
    assert set(EXTRAS) == extras - {"dev"}


def test_the_extra_of_contributors_brings_all_that_tox_installs() -> None:
    tox, setup = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    brought = "\n".join([setup["options"]["install_requires"], *extras_of(setup).values()])
    wanted = {
        name
        for section in tox.sections()
        for name in names_in(tox[section].get("deps", ""))
        if not name.startswith("{")
    }

    assert "ruff" in wanted
    assert wanted - set(names_in(brought)) == set()


def extras_of(setup: configparser.ConfigParser) -> dict[str, str]:
    return dict(setup["options.extras_require"])


def names_in(requirements: str) -> list[str]:
    """Give the distributions that lines of requirements name."""
    lines = (line.strip() for line in requirements.splitlines())
    return [re.split(r"[ <>=\[]", line)[0].lower() for line in lines if line]


def test_contributing_names_every_environment_and_variable_of_tox() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    named = {section.partition(":")[2] for section in tox.sections() if ":" in section}
    default = set(tox["tox"]["env_list"].split(", "))
    variables = set(re.findall(r"^ *(WATCHKEEPER_\w+)", text_of("tox.ini"), re.MULTILINE))
    table = re.findall(r"^\| (`.+?`) \|.*\| (yes|no) \|$", text_of("CONTRIBUTING.md"), re.MULTILINE)
    told = {name: by for names, by in table for name in re.findall(r"`(\w+)`", names)}

    assert set(told) == (named | default) - {"py31{2,3,4}"}
    assert {name for name, by in told.items() if by == "yes"} == default
    assert variables <= set(re.findall(r"^\| `(\w+)` \|", text_of("CONTRIBUTING.md"), re.MULTILINE))


@pytest.mark.parametrize("name", ["quickstart.md", "tutorial.md"])
def test_a_newcomers_commands_leave_nothing_that_git_would_add(name: str) -> None:
    blocks = "".join(text for _, text in sh_blocks(ROOT / "docs" / name))
    written = re.findall(r"> *([\w./-]+)", blocks)

    assert written
    assert all(re.fullmatch(r"[\w-]+\.ndjson", target) for target in written)
    assert "/*.ndjson" in text_of(".gitignore").splitlines()


def test_the_code_of_the_tutorial_is_the_example_that_its_commands_run() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    assert shown == (ROOT / "examples" / "first_bot.py").read_text(encoding="utf-8")
