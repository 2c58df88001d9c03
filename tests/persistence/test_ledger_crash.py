"""Whatever dies, whenever it dies: what was committed is there, the rest is not at all."""

import json
import resource
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from messages.errors import LedgerUnavailable
from messages.values import OrderState as S
from persistence.ledger import Claim, SqliteLedger, Step, read_events

Start = Callable[[str], "Popen[str]"]

_ENDLESS = """
number = 0
while True:
    ledger.claim([make_claim(number)], 1)
    print(json.dumps([number, "claimed"]), flush=True)
    ledger.record([make_step(number, OrderState.SENT)])
    print(json.dumps([number, "sent"]), flush=True)
    ledger.record([make_step(number, OrderState.FILLED, "1.5")])
    print(json.dumps([number, "filled"]), flush=True)
    number += 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2, 3, 10, 101])
def test_a_kill_loses_nothing_that_was_promised(child: Start, path: Path, lines: int) -> None:
    process = child(_ENDLESS)
    assert process.stdout is not None
    promised = dict(json.loads(process.stdout.readline()) for _ in range(lines))
    process.kill()
    rest = process.stdout.read()  # `communicate` would leave out what is buffered here already
    process.wait(60)
    promised |= dict(json.loads(line) for line in rest.splitlines() if line.endswith("]"))
    order = [S.CLAIMED, S.SENT, S.FILLED]
    with closing(SqliteLedger(path)) as ledger:
        states = [entry.state for entry in ledger.entries()]
        assert len(promised) <= len(states) <= len(promised) + 1
        for number, state in promised.items():
            assert order.index(states[number]) >= order.index(S(state))
        for entry in ledger.entries():
            events = read_events(path, entry.order_key)
            assert [event.to_state for event in events] == order[: order.index(entry.state) + 1]
        assert sum(ledger.states().values()) == len(states)


_DIES_INSIDE = """
from persistence.database import connection_of
ledger.claim([make_claim(0)], 1)
def die():
    os.kill(os.getpid(), signal.SIGKILL)
connection_of(ledger._database).set_progress_handler(die, {instructions})
{act}
"""


@pytest.mark.slow
@pytest.mark.parametrize("instructions", [10, 60, 110])
@pytest.mark.parametrize(
    "act",
    [
        "ledger.claim([make_claim(number) for number in range(1, 500)], 1)",
        "ledger.record([make_step(0, OrderState.SENT, fills=(make_fill('t'),))])",
    ],
)
def test_a_kill_inside_a_transaction_leaves_nothing_of_it(
    child: Start, path: Path, claim_of: Callable[..., Claim], act: str, instructions: int
) -> None:
    assert child(_DIES_INSIDE.format(act=act, instructions=instructions)).wait(60) == -9
    with closing(SqliteLedger(path)) as ledger:
        assert [entry.state for entry in ledger.entries()] == [S.CLAIMED]
        assert len(read_events(path, claim_of(0).intent.order_key)) == 1


_RACE = """
print("ready", flush=True)
sys.stdin.readline()
won = 0
for number in range(100):
    try:
        ledger.claim([make_claim(number)], 1)
        won += 1
    except LedgerConflict:
        pass
print(won)
"""


@pytest.mark.slow
def test_two_processes_cannot_both_claim_one_key(child: Start, path: Path) -> None:
    SqliteLedger(path).close()
    racers = [child(_RACE) for _ in range(3)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert sum(int(racer.communicate(timeout=60)[0]) for racer in racers) == 100
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.states() == {S.CLAIMED: 100}


_FULL_DISK = """
import resource
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
wal = Path(str(path) + "-wal")
ledger.claim([make_claim(number) for number in range(20)], 1)
before = (ledger.open_entries(), ledger.states(), ledger.strategy_exposure())
limit(wal.stat().st_size + {room})
refused = 0
for act in (
    lambda: ledger.claim([make_claim(number) for number in range(20, 400)], 1),
    lambda: ledger.record([make_step(n, OrderState.SENT, reason="x" * 9000) for n in range(20)]),
    lambda: ledger.claim([make_claim(number) for number in range(20, 400)], 1),
):
    try:
        act()
    except LedgerUnavailable:
        refused += 1
    assert (ledger.open_entries(), ledger.states(), ledger.strategy_exposure()) == before
    assert list(ledger.entries()) == before[0]
    assert ledger.lookup([key_of(25)]) == {{}}
limit(resource.RLIM_INFINITY)
ledger.claim([make_claim(number) for number in range(20, 400)], 1)
ledger.record([make_step(number, OrderState.SENT) for number in range(20)])
print(json.dumps([refused, ledger.states()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 100, 4096, 20_000])
def test_a_full_disk_refuses_and_the_ledger_goes_on_when_there_is_room(
    answer_of: Callable[[str], Any], path: Path, room: int
) -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    assert answer_of(_FULL_DISK.format(room=room)) == [3, {"claimed": 380, "sent": 20}]
    with closing(SqliteLedger(path)) as ledger:
        assert ledger.states() == {S.CLAIMED: 380, S.SENT: 20}
        assert len(ledger.open_entries()) == 400


def test_a_file_at_its_page_limit_refuses_and_keeps_what_it_has(
    disk: SqliteLedger, claim_of: Callable[..., Claim], step_of: Callable[..., Step]
) -> None:
    disk.claim([claim_of(number) for number in range(50)], 1)
    before = disk.open_entries()
    database = disk._database
    database.pragma("max_page_count", database.pragma("page_count"))
    with pytest.raises(LedgerUnavailable, match="full"):
        disk.claim([claim_of(number) for number in range(50, 500)], 1)
    with pytest.raises(LedgerUnavailable, match="full"):
        disk.record([step_of(number, S.SENT, reason="x" * 9_000) for number in range(50)])
    assert disk.open_entries() == before == list(disk.entries())
    database.pragma("max_page_count", 1_000_000)
    disk.record([step_of(number, S.SENT) for number in range(50)])
    assert disk.states() == {S.SENT: 50}
