"""Our packages have plain names at the top level: nobody else may own them."""

from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest

OURS = "watchkeeper"
NAMES = [
    "actors",
    "cli",
    "decisions",
    "exchanges",
    "messages",
    "ops",
    "persistence",
    "research",
    "strategies",
]


@pytest.fixture(scope="module")
def owners() -> dict[str, set[str]]:
    try:
        distribution(OURS)
    except PackageNotFoundError:
        pytest.skip(f"{OURS} is not installed: these are the sources")
    return {name: set(owners) for name, owners in packages_distributions().items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_top_level_name_is_owned_by_us_alone(name: str, owners: dict[str, set[str]]) -> None:
    assert owners.get(name, {OURS}) == {OURS}


def test_we_own_no_other_top_level_name(owners: dict[str, set[str]]) -> None:
    ours = {name for name, who in owners.items() if OURS in who and not name.startswith("_")}

    assert ours <= set(NAMES)
