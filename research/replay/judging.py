"""The executor's judgements made again, each by what the journal says that it knew."""

from collections.abc import Callable

from decisions.judgement import Seen, judge_again, seen_in, told_of
from messages.errors import CodecError
from messages.orders import OrderIntent
from messages.recorded import IntentsJudged, JudgedIntent
from persistence.ledger import fingerprint
from research.replay.found import JUDGED, Divergence, Findings, said
from research.replay.reading import Place

BY_EXECUTOR = "that the executor made by itself: its own state is not in the journal"
WITHOUT_HELD = "judged by an older version, which did not keep what each strategy held"


class Judging:
    """`take` each message of the executor that says what it did."""

    def __init__(self, findings: Findings, report: Callable[[Divergence], object]) -> None:
        self._findings, self._report = findings, report

    def take(self, message: object, at_ns: int, place: Place) -> None:
        """Judge again, where it judged."""
        if isinstance(message, IntentsJudged):
            self._judged(message, at_ns, place)
        elif isinstance(message, OrderIntent):
            self._findings.not_compared[BY_EXECUTOR] += 1

    def _judged(self, message: IntentsJudged, at_ns: int, place: Place) -> None:
        try:
            seen = seen_in(message.seen)
        except CodecError as error:
            self._findings.not_compared[f"judged by {error}"] += len(message.intents)
            return
        if seen.held_by is None and any(intent.leaves for intent in message.intents):
            self._findings.not_compared[WITHOUT_HELD] += len(message.intents)
            return
        again = judge_again(message.intents, seen, fingerprint)
        for intent, recorded, verdict in zip(
            message.intents, message.verdicts, again, strict=False
        ):
            replayed = told_of(verdict)
            self._findings.judged[recorded.verdict] += 1
            if recorded != replayed:
                self._diverges(intent, recorded, replayed, seen, at_ns, place)
        missing = abs(len(message.intents) - len(message.verdicts))
        if missing:
            self._findings.not_compared["whose judgement is not recorded"] += missing

    def _diverges(
        self,
        intent: OrderIntent,
        recorded: JudgedIntent,
        replayed: JudgedIntent,
        seen: Seen,
        at_ns: int,
        place: Place,
    ) -> None:
        self._report(
            Divergence(
                who="executor",
                kind=JUDGED,
                at_ns=at_ns,
                place=str(place),
                event=f"{intent.strategy_id}'s decision to {said(intent)}",
                order_key=intent.order_key,
                recorded=_text(recorded),
                replayed=_text(replayed),
                state=_state(intent, seen),
            )
        )


def _text(judged: JudgedIntent) -> str:
    code = f" ({judged.code})" if judged.code else ""
    return f"{judged.verdict}{code} {judged.quantity}"


def _state(intent: OrderIntent, seen: Seen) -> dict[str, str]:
    """Say what the executor knew, as far as it was anything."""
    symbol, known = intent.symbol, seen.known.get(intent.order_key)
    held = {(who, one): quantity for who, one, quantity in seen.held_by or ()}
    limits = {name: getattr(seen.limits, name) for name in seen.limits.__struct_fields__}
    told: dict[str, object] = {
        "exposure": seen.exposure.get(symbol),
        "held by the strategy": held.get((intent.strategy_id, symbol)),
        "mark": seen.marks.get(symbol),
        "open orders": None if seen.open_orders is None else len(seen.open_orders),
        "decided in the last minute": len(seen.decided.get(symbol, ())) or None,
        "unknown outcome": True if symbol in seen.unsettled else None,
        "halted": seen.halt_reason or None,
        "known as": known and known.state,
        "clock": seen.now_ns,
        **{f"limit {name}": value or None for name, value in limits.items()},
    }
    return {name: str(value) for name, value in told.items() if value is not None}
