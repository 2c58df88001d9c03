"""Runs step by step with a journal, journals changed by hand, and replays of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

import strategies
from actors.step_runtime import StepRuntime
from messages.codec import from_msgpack, to_msgpack
from messages.ids import NS_PER_S, StrategyId
from messages.orders import OrderIntent
from messages.recorded import IntentsJudged
from ops.config import Config, demo_config
from ops.journal import journal_for
from ops.journal_head import run_begun
from ops.run_dir import RunDir
from ops.wiring import System, build
from persistence.frames import HEADER_SIZE, SEAL, Frame, frames_of, packed
from persistence.journal import segments
from research.replay.code import Otherwise
from research.replay.found import Compared, Divergence, Findings
from research.replay.replaying import Replay
from tests.replay import replayed_strategies

FILE = Path(replayed_strategies.__file__)
QUICK = {"backoff_min_ms": 1, "backoff_max_ms": 2, "strategy_max_restarts": 30, "hang_after_s": 1}

ONE = StrategyId("one")
"""The strategy of `config_of`."""
STRATEGY = "execution/strategies/one"
"""Its path."""
AtStart = Callable[[StepRuntime, System], object]


def config_of(
    run_dir: Path,
    name: str = "Waves",
    *,
    candles: int = 120,
    symbols: tuple[str, ...] = ("BTC/USDT",),
    batch: int = 256,
    window: int = 1024,
    **more: Any,
) -> Config:
    """A demo market, a strategy of `replayed_strategies` (or a registered one), a journal."""
    uses = name if name.islower() else f"{FILE}:{name}"
    params = {"fast": 3, "slow": 7} if name == "sma_cross" else {}
    overrides: dict[str, object] = {
        "run_dir": str(run_dir),
        "feed.speed": 0,
        "feed.limit": candles,
        "feed.batch": batch,
        "feed.window": window,
        "feed.symbols": list(symbols),
        "risk.max_order_notional": "150",
        "risk.max_position_notional": "100000",
        "risk.max_orders_per_minute": 1000,
        "strategy": [{"id": "one", "uses": uses, "symbols": list(symbols), "params": params}],
        "supervision": QUICK,
        "idempotency.backend": "sqlite",
        "journal.when": "always",
        **more,
    }
    return demo_config(overrides, strategies.check_params)


def run(
    config: Config, *, at_start: AtStart | None = None, seed: int | None = None, process: int = 1
) -> System:
    """Run it to its end; the journal is written when all is over, in the order it was taken.

    Where its executor is halted, which a person would have to end, that is its end: a strategy that
    was built anew in one process may decide otherwise in the next, and the ledger stands between.
    """
    runtime = StepRuntime(seed, start_ns=process * 10**15, ttl_enforced=False)
    with RunDir(config.run_dir) as run_dir:
        journal = journal_for(config, run_dir, runtime.clock.utc_ns)
        assert journal is not None
        runtime.recorder, runtime.notes = journal.record, journal
        journal.begun = run_begun(config, process)
        system = build(config, run_dir, runtime)
        assert not runtime.start(system.root, 60 * NS_PER_S).problem
        if at_start is not None:
            at_start(runtime, system)
        life = system.root.life
        assert life is not None
        runtime.run_until(lambda: life.gone.is_set() or system.executor.is_out)
        runtime.stop(system.root, 60 * NS_PER_S, drain=True)
        journal.start()
        journal.close()
    return system


def replayed(run_dir: Path, **otherwise: Any) -> tuple[Findings, list[Divergence]]:
    """Replay it; give what is found, and every divergence."""
    divergences: list[Divergence] = []
    work = Replay(run_dir / "journal", Otherwise(**otherwise), divergences.append)
    work.run(lambda _: None)
    assert work.findings.differs == len(divergences)
    return work.findings, divergences


def one(findings: Findings) -> Compared:
    """Give what was compared of the only strategy."""
    (compared,) = findings.strategies.values()
    return compared


def assert_the_same(run_dir: Path, least: int = 10) -> Findings:
    """All that the journal holds of decisions was compared, and nothing differs."""
    findings, divergences = replayed(run_dir)
    assert divergences == []
    compared, decided = one(findings), messages(run_dir, OrderIntent, STRATEGY)
    assert compared.decisions == compared.replayed == compared.same == len(decided) >= least
    assert compared.other_words == 0
    assert not findings.not_compared
    judged = [j for _, _, m in messages(run_dir, IntentsJudged) for j in m.verdicts]
    assert findings.judged.total() == len(judged) >= least
    return findings


# ------------------------------------------------------------------ journals changed by hand


def frames(run_dir: Path) -> Iterator[tuple[Path, int, Frame]]:
    """Give each frame with its segment and its place in it, the seals too."""
    for path in segments(run_dir / "journal"):
        for place, frame in enumerate(frames_of(path.read_bytes())):
            assert isinstance(frame, Frame)
            yield path, place, frame


def messages(run_dir: Path, kind: type[Any], path: str = "") -> list[tuple[Path, int, Any]]:
    """Give the messages of a kind that stand under a path, with where they are."""
    found = []
    for segment, place, frame in frames(run_dir):
        if frame.origin != SEAL and frame.path.startswith(path):
            message = from_msgpack(frame.payload)
            if isinstance(message, kind):
                found.append((segment, place, message))
    return found


def rewrite(segment: Path, change: Callable[[list[Frame]], object]) -> None:
    """Write a segment again with its frames changed."""
    content = segment.read_bytes()
    there = [frame for frame in frames_of(content) if isinstance(frame, Frame)]
    change(there)
    segment.write_bytes(content[:HEADER_SIZE] + b"".join(map(packed, there)))


def replace(segment: Path, place: int, message: Any) -> None:
    """Put another message in the place of one."""

    def change(there: list[Frame]) -> None:
        there[place] = there[place]._replace(payload=to_msgpack(message))

    rewrite(segment, change)


def remove(segment: Path, place: int) -> None:
    rewrite(segment, lambda there: there.pop(place))


def killed(run_dir: Path, less: int = 0) -> None:
    """Leave the newest segment as a kill would: no seal, and the last frames not written."""

    def change(there: list[Frame]) -> None:
        assert there.pop().origin == SEAL
        del there[max(len(there) - less, 0) :]

    rewrite(segments(run_dir / "journal")[-1], change)


def changed(intent: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(intent, **changes)


def object_in(text: str) -> dict[str, Any]:
    """Give the last line as an object."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found
