"""How a start comes by the lease of its account, or is refused."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from decisions.lease import timing_of
from messages.errors import ConfigError, LeaseHeld, LeaseUnavailable, NotSent, VenueRefused
from messages.ids import NS_PER_S
from messages.lease import Holder, Lease, Moment
from ops.config import Config, parse
from ops.lease import hold_place
from ops.lease_machine import Machine
from ops.lease_place import Place, place_of, prepare
from ops.lease_taking import Taken, acquire
from persistence.lease import LeaseStore
from tests.persistence.lease_model import ACCOUNT, ListedLeases, lease
from tests.waiting import until

PLACE = Place(ACCOUNT, Path("nowhere.db"), timing_of(2_500, None))
LIMIT = 20_000


class Watched(Machine, frozen=True):
    """A machine on which the living are known."""

    living: dict[int, bool | None]

    def is_alive(self, holder: Holder) -> bool | None:
        return self.living.get(holder.pid)


def holder(pid: int, run_dir: str = "/runs/a") -> Holder:
    return Holder(host="vps", pid=pid, started=1, space="here", run_dir=run_dir)


class Scene:
    """One store, one clock that moves while somebody waits, and what happens meanwhile."""

    def __init__(self, seen: Lease | None, alive: bool | None, clock: str = "boot time") -> None:
        self.shelf = {} if seen is None else {ACCOUNT: seen}
        self.now_ns = 1_000 * NS_PER_S
        self.machine = Watched(clock=clock, space="here", living={7: alive})
        self.said: list[str] = []
        self.at_second: dict[int, Callable[[], object]] = {}
        self.broken = False
        self._turns = itertools.count()

    def moment(self) -> Moment:
        return Moment(self.now_ns, self.now_ns)

    def pause(self, seconds: float) -> None:
        assert next(self._turns) < LIMIT, "it waits for ever"
        self.now_ns += int(seconds * NS_PER_S)
        for second in [s for s in self.at_second if s <= self.now_ns // NS_PER_S - 1_000]:
            self.at_second.pop(second)()

    def open(self) -> LeaseStore:
        if self.broken:
            raise LeaseUnavailable("the lease x cannot be used: disk I/O error")
        return ListedLeases(self.shelf)

    def renew(self) -> None:
        found = self.shelf[ACCOUNT]
        self.shelf[ACCOUNT] = msgspec.structs.replace(
            found, renewals=found.renewals + 1, expires_ns=self.now_ns + found.term_ns
        )

    def start(self, *, patient: bool = False, me: Holder | None = None) -> Taken:
        return acquire(
            self.open,
            PLACE,
            self.machine,
            me or holder(8),
            patient=patient,
            tell=self.said.append,
            now=self.moment,
            pause=self.pause,
        )

    @property
    def waited_s(self) -> float:
        return self.now_ns / NS_PER_S - 1_000


def held(**changes: Any) -> Lease:
    """Of process 7, renewed two seconds ago."""
    fields = {"expires_ns": 1_010 * NS_PER_S, "holder": holder(7)}
    return lease(4, **fields | changes)


def test_an_account_that_nobody_trades_is_taken_at_once() -> None:
    scene = Scene(None, None)

    got = scene.start()

    assert (got.lease.token, got.before, scene.waited_s, scene.said) == (1, None, 0, [])
    assert scene.shelf[ACCOUNT] == got.lease
    assert got.lease.expires_ns == scene.now_ns + PLACE.timing.term_ns


def test_of_a_killed_process_it_is_taken_at_once() -> None:
    scene = Scene(held(), alive=False)

    got = scene.start()

    assert (got.lease.token, got.before, scene.waited_s) == (5, held(), 0)


def test_while_another_lives_a_start_is_refused_at_once_and_names_it() -> None:
    scene = Scene(held(), alive=True)

    with pytest.raises(
        LeaseHeld,
        match=r"^binance-1 is traded by process 7 on vps \(/runs/a\): stop that one, or start"
        r" with --standby to take over when it is gone$",
    ):
        scene.start()

    assert scene.waited_s == 0
    assert scene.shelf[ACCOUNT] == held()


def test_of_a_holder_that_cannot_be_seen_the_term_is_waited_for() -> None:
    scene = Scene(held(), alive=None)

    got = scene.start()

    assert (got.lease.token, scene.waited_s) == (5, 10)
    assert scene.said == [
        "binance-1 is traded by process 7 on vps (/runs/a); waiting until its lease is over"
    ]


def test_of_another_boot_a_whole_term_is_waited_for() -> None:
    scene = Scene(held(expires_ns=0), alive=None, clock="after the restart")

    got = scene.start()

    assert got.lease.token == 5
    assert scene.waited_s == pytest.approx(13.2)
    assert got.lease.clock == "after the restart"


def test_a_holder_that_cannot_be_seen_and_renews_is_alive() -> None:
    scene = Scene(held(), alive=None)
    scene.at_second[4] = scene.renew

    with pytest.raises(LeaseHeld, match="is traded by process 7"):
        scene.start()

    assert scene.waited_s == 4


def test_a_standby_waits_as_long_as_the_other_renews_and_then_its_term() -> None:
    scene = Scene(held(), alive=True)
    for second in range(2, 600, 2):
        scene.at_second[second] = scene.renew

    got = scene.start(patient=True)

    assert got.lease.token == 5
    assert scene.waited_s == pytest.approx(598 + PLACE.timing.term_ns / NS_PER_S, abs=0.5)
    assert len(scene.said) == 1


def test_a_standby_takes_over_at_once_from_who_gives_it_back() -> None:
    scene = Scene(held(), alive=True)
    scene.at_second[3] = lambda: scene.shelf.update({ACCOUNT: held(returned=True)})

    got = scene.start(patient=True)

    assert (got.lease.token, scene.waited_s) == (5, 3)


def test_a_standby_that_was_overtaken_waits_for_the_other_one() -> None:
    scene = Scene(held(), alive=True)
    scene.at_second[5] = lambda: scene.shelf.update(
        {ACCOUNT: lease(5, expires_ns=1_017 * NS_PER_S, holder=holder(9))}
    )

    got = scene.start(patient=True)

    assert (got.lease.token, scene.waited_s) == (6, 17)
    assert [text.split(" on ")[0] for text in scene.said] == [
        "binance-1 is traded by process 7",
        "binance-1 is traded by process 9",
    ]


@pytest.mark.parametrize("patient", [False, True])
def test_with_another_run_directory_there_is_no_standing_by(tmp_path: Path, patient: bool) -> None:
    (tmp_path / "ledger.db").touch()
    scene = Scene(held(holder=holder(7, str(tmp_path))), alive=True)

    with pytest.raises(LeaseHeld, match="only a start with its run directory can stand by"):
        scene.start(patient=patient)


@pytest.mark.parametrize("patient", [False, True])
def test_orders_of_a_dead_process_are_settled_in_its_run_directory_first(
    tmp_path: Path, patient: bool
) -> None:
    (tmp_path / "ledger.db").touch()
    scene = Scene(held(holder=holder(7, str(tmp_path))), alive=False)

    with pytest.raises(LeaseHeld, match="did not end in order: start that run directory once"):
        scene.start(patient=patient)

    (tmp_path / "ledger.db").unlink()
    assert scene.start().lease.token == 5


def test_of_a_file_that_was_deleted_nothing_is_sent_and_its_holder_is_told(tmp_path: Path) -> None:
    place = Place(ACCOUNT, tmp_path / "leases" / "a.db", timing_of(2_500, None))
    lost: list[str] = []
    with hold_place(place, tmp_path, standby=False, on_lost=lost.append) as held:
        held.keeper.may_send()
        place.path.unlink()

        with pytest.raises(NotSent, match="its file was deleted or replaced"):
            held.keeper.may_send()
        until(lambda: lost)
    assert "was deleted, so that another may have taken it" in lost[0]


def test_a_place_that_stays_broken_refuses_a_start_and_only_delays_a_standby() -> None:
    scene = Scene(None, None)
    scene.broken = True
    with pytest.raises(LeaseUnavailable, match="disk I/O error"):
        scene.start()
    assert scene.waited_s == pytest.approx(5, abs=0.5)

    scene.at_second[100] = lambda: setattr(scene, "broken", False)
    assert scene.start(patient=True).lease.token == 1
    assert scene.said == ["the lease x cannot be used: disk I/O error; waiting"] * 2


# ---------------------------------------------------------------- where it stands


def live_config(monkeypatch: pytest.MonkeyPatch, **venue: Any) -> Config:
    monkeypatch.setenv("KEY", "the key")
    document = {
        "name": "x",
        "mode": "live",
        "feed": {"type": "ccxt"},
        "venue": {
            "type": "ccxt",
            "exchange": "binance",
            "api_key_env": "KEY",
            "api_secret_env": "SECRET",
            **venue,
        },
        "risk": {},
        "strategy": [{"id": "a", "uses": "sma_cross"}],
    }
    return parse(document, Path.cwd())


def test_the_place_is_the_users_own_or_the_configs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    usual = place_of(live_config(monkeypatch))
    named = place_of(live_config(monkeypatch, lease_dir=str(tmp_path / "x"), lease_ms=30_000))

    assert usual.path == tmp_path / "watchkeeper" / "accounts" / f"{usual.account}.db"
    assert (named.account, named.path.parent) == (usual.account, tmp_path / "x")
    assert named.timing.term_ns == 30 * NS_PER_S


@pytest.mark.parametrize(
    ("exchange", "term_s"), [("binance", 12), ("okx", 19.5)], ids=["with", "without a window"]
)
def test_how_late_a_request_may_be_says_how_long_a_lease_lasts(
    exchange: str, term_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    timing = place_of(live_config(monkeypatch, exchange=exchange)).timing

    assert timing.term_ns == term_s * NS_PER_S


def test_a_lease_that_is_too_short_to_send_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"venue.lease_ms: got 5000, expected 6000 or more"):
        place_of(live_config(monkeypatch, lease_ms=5_000))
    with pytest.raises(VenueRefused):
        place_of(live_config(monkeypatch, exchange="nowhere"))


def test_a_directory_that_others_can_write_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"others can write in .*open: chmod 700 it"):
        prepare(tmp_path / "open")
    with pytest.raises(ConfigError, match=r"venue.lease_dir: .*file.* cannot be used"):
        prepare(tmp_path / "file")
    prepare(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
