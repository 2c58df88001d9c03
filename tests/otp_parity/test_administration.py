"""OTP's cases, by name, on threads and on steps: children come and go by name."""

import re

import pytest
from msgspec import structs

from actors.actor import Reject
from actors.children import SupervisorSpec
from actors.spec_guard import guard
from actors.supervisor import Supervisor
from decisions.supervisor import AutoShutdown, Backoff, Intensity, Strategy
from messages.lifecycle import (
    ActorState,
    DeleteChild,
    ExitReason,
    RestartChild,
    StartChild,
    TerminateChild,
)
from tests.actors.support import Script, World, probe
from tests.otp_parity.worlds import ANY, pool


def test_child_adm(world: World, script: Script) -> None:
    world.boot(probe("a", script))
    for refused in (StartChild(child="a"), RestartChild(child="a"), DeleteChild(child="a")):
        with pytest.raises(Reject, match="running"):
            world.ask("root", refused)
    for unknown in (TerminateChild(child="x"), RestartChild(child="x"), DeleteChild(child="x")):
        with pytest.raises(Reject, match="no child x"):
            world.ask("root", unknown)

    world.ask("root", TerminateChild(child="a"))
    world.ask("root", TerminateChild(child="a"))
    assert [(c.child, c.state) for c in world.children()] == [("a", ActorState.STOPPED)]
    assert world.ask("root", RestartChild(child="a")).state is ActorState.RUNNING

    world.ask("root", TerminateChild(child="a"))
    world.ask("root", DeleteChild(child="a"))
    assert world.names() == []
    with pytest.raises(Reject, match="no child a"):
        world.ask("root", RestartChild(child="a"))


def test_child_adm_simple(world: World, script: Script) -> None:
    pool(world, script, 2)

    with pytest.raises(Reject, match="already"):
        world.ask("root", StartChild(child="n0"))
    world.ask("root", TerminateChild(child="n0"))

    assert world.names() == ["n1"]
    for invalid in (RestartChild(child="n1"), DeleteChild(child="n1")):
        with pytest.raises(Reject):
            world.ask("root", invalid)
    with pytest.raises(Reject, match="no child n0"):
        world.ask("root", TerminateChild(child="n0"))


def test_child_specs(world: World, script: Script) -> None:
    a = probe("a", script)
    wrong = [
        SupervisorSpec(children=(a, a)),
        SupervisorSpec(children=(probe("a", script, significant=True),)),
        SupervisorSpec(children=(probe("a", script, significant=True),), auto_shutdown=ANY),
        SupervisorSpec(children=(a,), template=a, strategy=Strategy.SIMPLE_ONE_FOR_ONE),
    ]

    for spec in wrong:
        with pytest.raises(ValueError, match=r"same name|significant|starts without"):
            guard(spec)
        root = world.runtime.populate("root", Supervisor, {"spec": spec})
        assert world.runtime.start(root).outcome is ExitReason.INIT_FAILED
    guard(SupervisorSpec(children=(a, probe("b", script))))


@pytest.mark.parametrize(
    ("field", "faulty", "allowed"),
    [
        ("name", 5, "a text"),
        ("name", "", "not empty"),
        ("name", "a/b", "without /"),
        ("actor_class", "Probe", "a kind of Actor"),
        ("actor_class", dict, "a kind of Actor"),
        ("arguments", [1], "a dict"),
        ("arguments", {1: 2}, "keys are texts"),
        ("restart", "nonsense", r"Restart\.PERMANENT, Restart\.TRANSIENT or Restart\.TEMPORARY"),
        ("restart", "permanent", r"Restart\.PERMANENT"),
        ("shutdown_ms", "soon", "a whole number from 0, None for ever, or not given"),
        ("shutdown_ms", -10, "a whole number from 0"),
        ("shutdown_ms", True, "a whole number from 0"),
        ("drain", "no", "True or False"),
        ("significant", "maybe", "True or False"),
        ("start_timeout_ms", 0, "a whole number from 1"),
        ("capacity", 0, "a whole number from 1"),
        ("hang_after_ms", 0.5, "a whole number from 0"),
        ("progress_ms", None, "a whole number from 0"),
    ],
)
def test_child_specs_map(
    world: World, script: Script, field: str, faulty: object, allowed: str
) -> None:
    """Each field is refused by its name and with what is allowed, and nothing is started."""
    wrong = structs.replace(probe("b", script), **{field: faulty})
    sentence = f"^{field} of child .* must be .*{allowed}.*, not "

    with pytest.raises(ValueError, match=sentence):
        guard(SupervisorSpec(children=(wrong,)))
    with pytest.raises(ValueError, match=sentence):
        guard(SupervisorSpec(template=wrong, strategy=Strategy.SIMPLE_ONE_FOR_ONE))
    started = world.boot(probe("a", script), wrong)

    assert re.search(sentence, started.problem.removeprefix("ValueError: "))
    assert script.lives == []


@pytest.mark.parametrize(
    ("flag", "faulty", "allowed"),
    [
        ("strategy", "one_for_none", r"Strategy\.ONE_FOR_ONE"),
        ("intensity", 3, "an Intensity"),
        ("intensity", Intensity(max_restarts=-1), "a whole number from 0"),
        ("intensity", Intensity(window_s=0), "a number above 0"),
        ("auto_shutdown", "always", r"AutoShutdown\.NEVER"),
        ("on_exhausted", "ignore", r"OnExhausted\.ESCALATE or OnExhausted\.HALT"),
        ("backoff", Backoff(min_ms=-5), "a whole number from 0"),
        ("check_every_ms", 0, "a whole number from 1"),
        ("fatal_errors", "ValueError", "a frozenset"),
        ("passing_errors", "ValueError", "a frozenset"),
        ("template", "a", "a ChildSpec or None"),
        ("on_halt", "page me", "a function or None"),
    ],
)
def test_sup_flags(world: World, flag: str, faulty: object, allowed: str) -> None:
    """What is not said is as in OTP; what is said wrongly is refused by its name."""
    spec = SupervisorSpec()

    assert world.boot(**{flag: faulty}).outcome is ExitReason.INIT_FAILED
    with pytest.raises(ValueError, match=f" must be .*{allowed}.*, not "):
        guard(structs.replace(spec, **{flag: faulty}))
    assert spec.strategy is Strategy.ONE_FOR_ONE
    assert (spec.intensity.max_restarts, spec.intensity.window_s) == (1, 5)
    assert spec.auto_shutdown is AutoShutdown.NEVER
