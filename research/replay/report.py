"""What a replay found, for a person and for a machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from research.replay.found import Compared, Divergence, Findings
from research.replay.reading import JournalReader
from research.texts import moment


def as_lines(
    run_dir: Path, reader: JournalReader, findings: Findings, first: Sequence[Divergence]
) -> Iterator[str]:
    """Give the table, and the first divergence with its cause."""
    yield f"replay of {run_dir}"
    span = f", {moment(reader.first_ns)} to {moment(reader.last_ns)}" if reader.frames else ""
    yield f"  journal       {reader.segments} segment(s), {reader.frames:,} messages{span}"
    for name, one in findings.strategies.items():
        yield f"  {name:<14}{_compared(one)}"
    if findings.judged:
        pairs = ", ".join(f"{count} {word}" for word, count in findings.judged.most_common())
        yield f"  executor      {findings.judged.total()} judgements: {pairs}"
    for why, count in findings.not_compared.most_common():
        yield f"  not compared  {count} {why}"
    for text in findings.breaks:
        yield f"  break         {text}"
    if findings.more_breaks:
        yield f"  break         and {findings.more_breaks} more"
    for why, them in findings.unreadable.items():
        yield f"  unreadable    {them.count:,} records, the first {them.first}: {why}"
    for note in findings.notes:
        yield f"  note          {note}"
    yield _verdict(findings)
    for divergence in first:
        yield "the first:"
        yield from divergence_lines(divergence)


def _verdict(findings: Findings) -> str:
    if findings.is_nothing:
        if findings.unreadable:
            text = "another version of watchkeeper wrote this journal"
            return f"nothing could be compared: {text}; name its checkout (--code-from CHECKOUT)"
        return "nothing could be compared: this journal does not say how its strategies began"
    kinds = ", ".join(f"{count} {kind}" for kind, count in findings.divergences.most_common())
    missing = findings.not_compared.total()
    text = f"{findings.differs} divergences" + (f" ({kinds})" if kinds else "")
    return text + (f"; {missing:,} decisions or judgements were not compared" if missing else "")


def _compared(one: Compared) -> str:
    text = f"{one.events:,} events, {one.decisions} decisions"
    if one.replayed != one.decisions or one.same != one.decisions:
        text += f", {one.replayed} replayed, {one.same} the same"
    if one.other_words:
        text += f", {one.other_words} with other words"
    if one.from_ns is None:
        return f"{text}; nothing of it could be compared"
    text += f"; compared from {moment(one.from_ns)} to {moment(one.until_ns)}"
    return text + (", after a warm-up that the run did not have" if one.is_warmed else "")


def divergence_lines(one: Divergence) -> Iterator[str]:
    """Give one divergence: where, on what, both decisions, and what the replay held then."""
    yield f"  {one.who}, {one.place}, taken {moment(one.at_ns)}"
    yield f"    on        {one.event}"
    yield f"    recorded  {one.recorded or 'nothing'}"
    yield f"    replayed  {one.replayed or 'nothing'}"
    if one.order_key is not None:
        yield f"    key       {one.order_key}"
    for name, value in one.state.items():
        yield f"    {name}: {value}"


def as_object(
    reader: JournalReader, findings: Findings, first: Sequence[Divergence]
) -> dict[str, Any]:
    """Give the same as plain values."""
    return {
        "segments": reader.segments,
        "messages": reader.frames,
        "from_ns": reader.first_ns,
        "until_ns": reader.last_ns,
        "strategies": {
            name: msgspec.structs.asdict(one) for name, one in findings.strategies.items()
        },
        "judgements": dict(findings.judged),
        "divergences": None if findings.is_nothing else findings.differs,
        "by_kind": dict(findings.divergences),
        "not_compared": dict(findings.not_compared),
        "breaks": findings.breaks,
        "more_breaks": findings.more_breaks,
        "unreadable": msgspec.to_builtins(findings.unreadable),
        "notes": findings.notes,
        "first": msgspec.to_builtins(first[0]) if first else None,
    }
