"""An error that cannot even be told is a failure like any other, in each hook."""

from typing import Any

import pytest

from messages.errors import ActorCrashed
from messages.lifecycle import ExitReason, Inspect
from tests.actors.support import ERRORS, End, Note, Probe, Raise, Script, World, probe


class Mute(Exception):
    """Its text names what nobody has set."""

    def __str__(self) -> str:
        return f"no price at {self.at}"  # type: ignore[attr-defined]  # that is the mistake


class Misnoted(Exception):
    """Its notes are none."""

    __notes__ = 3  # type: ignore[assignment]  # that is the mistake


TOLD = {"Mute": "Mute: (it cannot be told: AttributeError)", "Misnoted": "Misnoted: Misnoted"}


@pytest.fixture(params=[Mute, Misnoted])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    error: type[BaseException] = request.param
    monkeypatch.setitem(ERRORS, error.__name__, error)
    return error.__name__


def test_of_a_told_message_it_is_a_crash_with_a_dead_letter(
    world: World, script: Script, kind: str
) -> None:
    world.boot(probe("a", script))

    world.address("a").tell(Raise(kind=kind))
    world.until_running("a", 2)

    assert world.happened("exited")[0].reason == f"crashed: {TOLD[kind]}"
    assert world.dead("a") == {"poison": 1}


def test_of_an_asked_message_the_asker_is_told_and_nobody_lives_on_half_changed(
    world: World, script: Script, kind: str
) -> None:
    world.boot(probe("a", script))

    with pytest.raises(ActorCrashed, match=kind):
        world.ask("a", Raise(kind=kind))

    world.until_running("a", 2)


def test_in_a_start_it_is_a_failed_start_at_once(world: World, script: Script, kind: str) -> None:
    script.starts.extend([None, kind])
    world.boot(probe("a", script))

    world.address("a").tell(Raise())
    world.until_running("a", 3)

    reasons = [exited.reason for exited in world.happened("exited")]
    assert reasons == ["crashed: ValueError: ValueError", f"init_failed: {TOLD[kind]}"]


def test_in_a_constructor_it_does_not_bring_the_supervisor_down(
    world: World, script: Script, kind: str
) -> None:
    world.boot(probe("a", script))
    script.constructions.append(kind)

    world.address("a").tell(Raise())
    world.until_running("a", 3)

    assert world.root.epoch == 1
    assert world.ask("a", Note(text="after")) == ("after", 3)


def test_in_an_orderly_end_it_is_a_crash_at_once(world: World, script: Script, kind: str) -> None:
    script.ends.append(kind)
    world.boot(probe("a", script))

    world.address("a").tell(End())
    world.until_running("a", 2)

    assert world.happened("exited")[0].reason == f"{ExitReason.CRASHED}: {TOLD[kind]}"


def test_in_what_an_actor_says_of_itself_it_kills_nobody(
    world: World, script: Script, kind: str
) -> None:
    class Shy(Probe):
        def inspect(self) -> dict[str, Any]:
            raise ERRORS[kind](kind)

    world.boot(probe("a", script, actor_class=Shy))

    told = world.ask("a", Inspect())

    assert told["problem"].startswith(f"inspect failed: {kind}: ")
    assert world.cell("a").epoch == 1


def test_where_what_messages_go_through_is_noted_too(
    world: World, script: Script, kind: str
) -> None:
    world.runtime.note_hops(1)
    world.boot(probe("a", script))

    world.address("a").tell(Raise(kind=kind))
    world.until_running("a", 2)

    hops = world.cell("a").hops
    assert hops is not None
    assert next(iter(hops.take())).reason == TOLD[kind]
