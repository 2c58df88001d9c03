"""OTP's cases, by name, on threads and on steps: children come and go by name."""

import pytest

from actors.actor import Reject
from actors.children import SupervisorSpec
from actors.parent import guard
from actors.supervisor import Supervisor
from decisions.supervisor import AutoShutdown, Strategy
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


def test_sup_flags(world: World) -> None:
    spec = SupervisorSpec()

    assert spec.strategy is Strategy.ONE_FOR_ONE
    assert (spec.intensity.max_restarts, spec.intensity.window_s) == (1, 5)
    assert spec.auto_shutdown is AutoShutdown.NEVER
