"""What an orchestrator finds again, and what persons ask of it, over its death."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from persistence.fleet import FleetStateUnavailable, FleetStore, Kept


def kept(bot: str, place: int, memory: str = "{}") -> Kept:
    return Kept(bot=bot, place=place, spec="{}", memory=memory, pid=None, exit_code=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
def store(path: Path) -> Iterator[FleetStore]:
    with closing(FleetStore(path)) as opened:
        yield opened


def test_bots_are_found_again_in_their_order_with_their_last_word(
    store: FleetStore, path: Path
) -> None:
    for one in (kept("b", 1), kept("a", 2), kept("c", 0), kept("a", 2, '{"restarts":3}')):
        store.keep(one)
    store.forget("c")
    with closing(FleetStore(path)) as another:
        assert another.bots() == [kept("b", 1), kept("a", 2, '{"restarts":3}')]


def test_its_files_are_its_owners_alone_whatever_the_mask(path: Path) -> None:
    mask = os.umask(0)
    try:
        with closing(FleetStore(path)) as store:
            store.ask("down", "", 1)
            modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    finally:
        os.umask(mask)
    assert modes == dict.fromkeys(("fleet.db", "fleet.db-wal", "fleet.db-shm"), 0o600)


def test_a_wish_waits_for_whoever_comes_and_is_answered_once(store: FleetStore, path: Path) -> None:
    number = store.ask("restart", "a", 1)
    store.ask("drain", "b", 2)
    with closing(FleetStore(path)) as another:
        assert [one.verb for one in another.open_requests()] == ["restart", "drain"]
        another.answer(number, "done")
    assert store.answer_to(number) == "done"
    assert [one.bot for one in store.open_requests()] == ["b"]


def test_old_answers_are_forgotten_and_open_wishes_are_not(store: FleetStore) -> None:
    waiting = store.ask("reload", "", 1)
    answered = [store.ask("drain", "a", place) for place in range(9)]
    for number in answered:
        store.answer(number, "done")
    store.tidy(keep=3)
    assert [bool(store.answer_to(number)) for number in answered] == [False] * 6 + [True] * 3
    assert [one.number for one in store.open_requests()] == [waiting]


def test_threads_of_one_process_do_not_disturb_one_another(tmp_path: Path) -> None:
    """As of a person's program that looks at one fleet while it asks something of another."""

    def ask(name: str) -> list[str]:
        for number in range(12):
            with closing(FleetStore(tmp_path / f"{name}.db")) as store:
                store.ask("drain", f"{name}{number}", number)
                found = [one.bot for one in store.open_requests()]
        return found

    names = [f"fleet{number}" for number in range(4)]
    with ThreadPoolExecutor(len(names)) as pool:
        told = list(pool.map(ask, names))
    assert told == [[f"{name}{number}" for number in range(12)] for name in names]


def test_a_file_that_is_none_is_said_so(path: Path) -> None:
    path.write_bytes(b"not a database, whatever it is called" * 100)
    with pytest.raises(FleetStateUnavailable, match=r"fleet\.db cannot be used"):
        FleetStore(path)
