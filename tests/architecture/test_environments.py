"""What tox runs where: the lowest versions are those of setup.cfg, and no folder is forgotten."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {"architecture", "deploy", "docs"}
LEFT_OUT = {
    "testenv": {"decisions", "messages", "replay", "research", "strategies"} | TEXTS,
    "testenv:lowest": {"decisions", "replay", "strategies"} | TEXTS,
}
"""As CONTRIBUTING says: by `py312`, and by `lowest`."""
IN_EXTRAS = ("parquet", "alerts", "exchange", "orchestrate", "postgres", "dashboard")
"""Those that `lowest` installs."""
ELSEWHERE = {"psycopg-binary": "psycopg", "trustme": "trustme"}
"""What comes with another, and what the tests alone need; see `test_what_else_is_pinned`."""


def read(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / name)
    return parser


def lowest_of(requirements: str) -> dict[str, str]:
    """Give the lower bound of each requirement, by its name without extras."""
    found = re.findall(r"^([\w.-]+?)(?:\[\w+\])? ?>=([\d.]+)", requirements, re.MULTILINE)
    return {name.lower(): version for name, version in found}


def pinned() -> dict[str, str]:
    text = (ROOT / "tests" / "lowest-constraints.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==([\d.]+)$", text, re.MULTILINE))


def is_same(one: str, other: str) -> bool:
    """Whether they are one version: 4.5 is 4.5.0."""
    numbers = [[int(part) for part in version.split(".")] for version in (one, other)]
    width = max(map(len, numbers))
    first, second = (each + [0] * (width - len(each)) for each in numbers)
    return first == second


def allowed() -> dict[str, str]:
    """Give the lower bounds that setup.cfg has for what `lowest` installs."""
    setup = read("setup.cfg")
    extras = setup["options.extras_require"]
    texts = [setup["options"]["install_requires"], *(extras[name] for name in IN_EXTRAS)]
    return lowest_of("\n".join(texts))


def test_the_extras_are_those_that_tox_installs() -> None:
    assert set(read("tox.ini")["testenv"]["extras"].split()) == set(IN_EXTRAS)


def test_each_lower_bound_is_the_version_that_lowest_installs() -> None:
    bounds, pins = allowed(), pinned()

    assert bounds.keys() == pins.keys() - ELSEWHERE.keys()
    assert [name for name, bound in bounds.items() if not is_same(bound, pins[name])] == []


def test_what_else_is_pinned_is_what_belongs_to_it() -> None:
    pins = pinned()
    of_tests = lowest_of(read("tox.ini")["testenv"]["deps"])

    assert pins["psycopg-binary"] == pins[ELSEWHERE["psycopg-binary"]]
    assert is_same(of_tests["trustme"], pins["trustme"])


@pytest.mark.parametrize("section", LEFT_OUT)
def test_a_folder_of_tests_is_run_or_left_out_on_purpose(section: str) -> None:
    commands = read("tox.ini")[section]["commands"].splitlines()[-1]
    named = set(re.findall(r"tests/(\w+)", commands))
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}

    assert named | LEFT_OUT[section] == folders
    assert not named & LEFT_OUT[section]
