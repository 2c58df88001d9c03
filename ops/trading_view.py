"""Why each strategy does not trade now, put together from the cells and from what was told."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.cell import Cell
from decisions.strategy_memory import StrategyMemory
from decisions.why_no_order import small_targets, too_small
from decisions.why_no_trade import Sight, reasons
from messages.errors import WatchkeeperError
from messages.ids import NS_PER_S, ActorPath, StrategyId, Symbol
from messages.lifecycle import ActorState
from ops.config import Config
from ops.run_facts import RunFacts
from ops.wiring import System


def trading_view(
    system: System, config: Config, facts: RunFacts, snapshot: Mapping[str, Any], now_ns: int
) -> dict[str, dict[str, Any]]:
    """Give, by strategy, the reasons and the figures behind them."""
    found = {}
    for settings in config.strategies:
        sight = _sight(system, config, facts, snapshot, settings.id, settings.symbol, now_ns)
        fields = msgspec.to_builtins(sight)
        keep = ("symbol", "events", "warmup", "position", "decisions", "last")
        found[str(settings.id)] = {"why": reasons(sight), **{k: fields[k] for k in keep}}
    return found


def why_nothing(
    system: System, config: Config, facts: RunFacts, halt: Mapping[str, Any]
) -> dict[str, str]:
    """Say of each strategy of a run that has ended why nothing of it was filled.

    That its actors are stopped by then is no reason; that one was halted is.
    """
    found = {}
    for one in config.strategies:
        sight = _sight(system, config, facts, {"halt": halt}, one.id, one.symbol, 0)
        sight = msgspec.structs.replace(
            sight,
            executor=_if_halted(system.executor.cell),
            actor=_if_halted(system.strategies[one.id].cell),
            feed=_if_halted(system.feed.cell) or _never_came(facts, system.feed.path, one.symbol),
            market_age_s=0.0,
            market_limit_s=None,
        )
        found[str(one.id)] = "; ".join(reasons(sight))
    return found


def _sight(
    system: System,
    config: Config,
    facts: RunFacts,
    snapshot: Mapping[str, Any],
    strategy: StrategyId,
    symbol: str,
    now_ns: int,
) -> Sight:
    cell, feed = system.strategies[strategy].cell, system.feed.cell
    memory = cell.arguments["kept"].memory if cell.arguments else None
    seen, needed = memory.warmed if memory is not None else (0, 0)
    is_live = config.feed.is_live
    decisions, last = facts.last_of(strategy)
    link = facts.link().get(feed.path, {})
    return Sight(
        symbol=symbol,
        halt=_halt(snapshot.get("halt") or {}),
        barred=_barred(snapshot.get("lease") or {}),
        rate=snapshot.get("rate") or "",
        executor=_instead(system.executor.cell, now_ns),
        actor=_instead(cell, now_ns),
        feed=_phase(link, symbol) or _instead(feed, now_ns),
        market_age_s=(snapshot.get("market_age_s") or {}).get(symbol),
        market_limit_s=config.risk.max_market_age_ms / 1_000 if is_live else None,
        behind_s=_behind_s(memory, Symbol(symbol), facts.market_at_ns(symbol)),
        too_small=_too_small(config, strategy, cell),
        small_targets=_small_targets(memory, cell),
        events=min(seen, needed),
        warmup=needed,
        unknown=facts.unknown_of(symbol),
        position=memory.position if memory is not None else Decimal(0),
        decisions=decisions,
        known=facts.known_of(strategy),
        last=last,
    )


def _too_small(config: Config, strategy: StrategyId, cell: Cell) -> str:
    (settings,) = (one for one in config.strategies if one.id == strategy)
    if not cell.arguments:
        return ""
    try:
        instrument = cell.arguments["instrument_of"](settings.symbol)
    except WatchkeeperError:
        return ""  # the venue has not told its rules
    return too_small(settings.order_notional, instrument)


def _small_targets(memory: StrategyMemory | None, cell: Cell) -> str:
    if memory is None or not memory.small_targets:
        return ""
    return small_targets(dict(memory.small_targets), cell.arguments["instrument_of"])


def _behind_s(memory: StrategyMemory | None, symbol: Symbol, market_at_ns: int | None) -> float:
    if memory is None or market_at_ns is None:
        return 0.0
    return max(0, memory.decided_to(symbol) - market_at_ns) / NS_PER_S


def _halt(halt: Mapping[str, Any]) -> str:
    if not halt:
        return ""
    by, since = halt.get("ordered_by") or "the run itself", halt.get("since")
    return f"halted by {by}" + (f" at {since}" if since else "") + f": {halt.get('reason')}"


def _barred(lease: Mapping[str, Any]) -> str:
    return f"nothing may be sent: {lease['barred']}" if lease.get("barred") else ""


def _instead(cell: Cell, now_ns: int) -> str:
    limit_ns = cell.hang_after_ns
    if limit_ns is not None and cell.hung_for_ns(now_ns) > limit_ns:
        return f"{cell.path} hangs"
    if cell.state is ActorState.RUNNING:
        return ""
    return f"{cell.path} is {cell.state}" + (f": {cell.problem}" if cell.problem else "")


def _if_halted(cell: Cell) -> str:
    return _instead(cell, 0) if cell.state is ActorState.HALTED else ""


def _never_came(facts: RunFacts, feed: ActorPath, symbol: str) -> str:
    """Say of a market over a connection that has shown nothing why that was, as it was last."""
    link = facts.link().get(feed)
    if link is None or facts.market_at_ns(symbol) is not None:
        return ""
    reason = f": {link['reason']}" if link["reason"] else ""
    return f"its market never came ({link['phase']}{reason})"


def _phase(link: Mapping[str, Any], symbol: str) -> str:
    """Say why the market of a symbol is not told; of another's in the same feed, nothing."""
    if not link:
        return ""
    if link["phase"] == "live":
        named = (word.strip(",:;") for word in link["reason"].split())
        return link["reason"] if symbol in named else ""
    reason = f": {link['reason']}" if link["reason"] else ""
    return f"the market is {link['phase']} for {link['for_s']:.0f} s{reason}"
