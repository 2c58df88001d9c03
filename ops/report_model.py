"""From a run directory to its tear sheets: the ledger's executions, beside the market it saw."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from decisions.round_trips import Executed
from decisions.split_sample import split_ns
from decisions.tear_sheet import Sheet, Trials, sheet_of
from decisions.tear_sheet_model import marks_of, sheet_model
from decisions.tear_sheet_rows import moment, money
from decisions.valued import Lane
from decisions.why_no_order import Hindsight, reasons_of_orders
from exchanges.paper_order import BY_REQUEST
from messages.errors import ConfigError
from messages.ids import Symbol, quote_of
from messages.lifecycle import ActorState
from ops.dashboard.equity import fee_share_of, most_in_use, start_balance
from ops.dashboard.facts import facts, toml_text
from ops.dashboard.run import RunModel
from ops.report_executions import executions_of

Model = dict[str, Any]
NO_EDGE = "no edge claimed: this is what was, and not what will be"
_MOST_ORDERS = 1_000


class RunSheets(msgspec.Struct, kw_only=True):
    """What a run directory tells, by quote currency."""

    name: str
    mode: str
    run_dir: str
    sheets: list[Sheet]
    notes: list[str]
    why: list[str]
    model: Model
    """All of the page."""


def run_sheets(run_dir: Path, split: str, trials: Trials) -> RunSheets:
    """Read a run.

    Raises:
        DataError: there is no such directory.
        LedgerUnavailable: its ledger cannot be read, and nothing is known of its orders.
        ConfigError: the split is no moment of it.
    """
    reader = RunModel(run_dir, most_orders=_MOST_ORDERS)
    try:
        status = reader.read()
        executions, undated = executions_of(run_dir)
        found = _sheets(run_dir, reader, status, executions, split, trials)
        if undated:
            found.notes.append(
                f"{undated} executions tell no moment and are left out: these are not the figures"
                " of the whole run, `watchkeeper positions` has those."
            )
        return found
    finally:
        reader.close()


def _sheets(
    run_dir: Path,
    reader: RunModel,
    status: Mapping[str, Any],
    executions: Sequence[Executed],
    split: str,
    trials: Trials,
) -> RunSheets:
    columns = _columns(reader)
    symbols = list(dict.fromkeys([*columns, *(one[2] for one in executions)]))
    times = [t for found, _ in columns.values() for t in (found[0], found[-1])]
    times += [one[0] for one in (*executions[:1], *executions[-1:])]
    at_ns = _split_ns(split, times) if split else None
    notes, sheets = list(_notes(reader, status)), list[Sheet]()
    for quote in dict.fromkeys(map(quote_of, symbols)):
        ours = [one for one in executions if quote_of(one[2]) == quote]
        capital, note = _capital(reader.config, quote, ours)
        notes += [note] if note else []
        named = [symbol for symbol in symbols if quote_of(symbol) == quote]
        share = float(fee_share_of(reader.config))
        lanes = [
            Lane(
                symbol,
                [columns[symbol]] if symbol in columns else [],
                [one for one in ours if one[2] == symbol],
                hold=capital / len(named),
                fee_share=share,
                split_ns=at_ns,
            )
            for symbol in named
        ]
        sheets.append(sheet_of(quote, lanes, ours, capital=capital, split_ns=at_ns, trials=trials))
    found = RunSheets(
        name=str(reader.config.get("name") or status.get("name") or run_dir.name),
        mode=str(reader.config.get("mode") or status.get("mode") or "run"),
        run_dir=str(run_dir),
        sheets=sheets,
        notes=notes,
        why=[] if executions else list(_why(reader, status)),
        model={},
    )
    found.model = _page(found, reader, status, trials)
    return found


def _columns(reader: RunModel) -> dict[Symbol, tuple[list[int], list[float]]]:
    found: dict[Symbol, tuple[list[int], list[float]]] = {}
    for ts_ns, symbol, price in reader.market.points:
        times, prices = found.setdefault(symbol, ([], []))
        times.append(ts_ns)
        prices.append(float(price))
    return found


def _split_ns(asked: str, times_ns: Sequence[int]) -> int:
    if not times_ns:
        raise ConfigError(["--split: this run has no price and no execution to be split"])
    try:
        return split_ns(asked, min(times_ns), max(times_ns))
    except ValueError as error:
        raise ConfigError([f"--split: {error}"]) from None


def _capital(
    config: Mapping[str, Any], quote: str, executions: Sequence[Executed]
) -> tuple[float, str]:
    """Give what there was at the beginning, and what to say where that is not known."""
    start = start_balance(config, quote)
    if start is not None:
        return float(start), ""
    used = most_in_use(quote, [(one.ts_ns, one.symbol, one.side, one.fill) for one in executions])
    if not used:
        return 0.0, ""
    text = f"{money(used, quote)}, the most that was in use at once"
    return float(used), f"Nobody wrote down what this account began with: parts are of {text}."


def _notes(reader: RunModel, status: Mapping[str, Any]) -> Iterator[str]:
    yield from reader.missing(dict(status))
    if reader.ledger.halted:
        yield f"Trading is halted: {reader.ledger.halted}"


def _why(reader: RunModel, status: Mapping[str, Any]) -> Iterator[str]:
    """Say why nothing was executed, strategy by strategy, by what the ledger and the run tell."""
    configured = reader.config.get("strategy")
    states: dict[str, Counter[str]] = defaultdict(Counter)
    refusals: dict[str, Counter[str]] = defaultdict(Counter)
    rejections: dict[str, Counter[str]] = defaultdict(Counter)
    ended: Counter[str] = Counter()
    for row in reader.ledger.table.get("rows", []):
        states[row["strategy"]][row["state"]] += 1
        if row["state"] in ("refused", "rejected"):
            said = refusals if row["state"] == "refused" else rejections
            said[row["strategy"]][row["state_reason"]] += 1
        ended[row["strategy"]] += row["state_reason"] == BY_REQUEST
    for one in configured if isinstance(configured, list) else []:
        if not isinstance(one, Mapping):
            continue
        name = str(one.get("id"))
        if not states[name]:
            yield f"strategy {name} decided nothing{_why_undecided(status, name)}"
            continue
        yield from reasons_of_orders(
            Hindsight(
                strategy=name,
                symbol=str(one.get("symbol") or "its market"),
                events=0,
                warmup=0,
                states=states[name],
                refusals=refusals[name],
                rejections=rejections[name],
                ended=ended[name],
            )
        )


def _why_undecided(status: Mapping[str, Any], strategy: str) -> str:
    """Give what the process last said of a strategy; that its actors stop at the end is no reason.

    How much market it was shown is not asked: no file says it of every run.
    """
    trading = status.get("trading")
    said = trading.get(strategy) if isinstance(trading, Mapping) else None
    why = said.get("why") if isinstance(said, Mapping) else None
    if not isinstance(why, list):
        return ", and no file of the run says why"
    reasons = [str(one) for one in why if not str(one).endswith(f" is {ActorState.STOPPED}")]
    return f": {'; '.join(reasons)}" if reasons else ", and nothing kept it: its rule was not met"


def _page(found: RunSheets, reader: RunModel, status: Mapping[str, Any], trials: Trials) -> Model:
    bars = reader.market.bars
    symbols: Model = {}
    for sheet in found.sheets:
        marks = marks_of(sheet)
        for lane in sheet.lanes:
            fills, total = marks.get(lane.symbol, ([], 0))
            own = bars.get(lane.symbol)
            rows = own.rows if own is not None else []
            symbols[lane.symbol] = {
                "bars": [[row[0], *[float(f"{x:.9g}") for x in row[1:]]] for row in rows],
                "width_s": own.shown_width_ns / 10**9 if own is not None else 0,
                "gaps": own.gaps if own is not None else [],
                "is_line": reader.market.is_line,
                "fills": fills,
                "fills_total": total,
            }
    told = facts(Path(found.run_dir), reader.config, status)
    return {
        "schema": 1,
        "kind": f"{found.mode} run",
        "name": found.name,
        "title": found.run_dir,
        "claim": NO_EDGE,
        "trials": _trials(trials),
        "notes": found.notes,
        "why": found.why,
        "sheets": [sheet_model(sheet, trials, bars) for sheet in found.sheets],
        "market": {"sentence": reader.market.sentence, "symbols": symbols},
        "facts": [[label, _text(fact)] for label, fact in told],
        "config": toml_text(reader.config),
    }


def _text(fact: object) -> str:
    return f"{moment(int(fact * 1e9))} UTC" if isinstance(fact, float) else str(fact)


def _trials(trials: Trials) -> str:
    if trials.count > 1:
        return f"{trials.count:,} ways were tried before this run was chosen, as you told."
    return (
        "A run is one trial of what was chosen before it; how many ways were tried to choose it"
        " is what you tell us (--trials N)."
    )
