"""What a NATS server says of a stream, in its own words (JSON, headers, subjects), read."""

import json
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

_OUT_OF_STEP = (10070, 10071, 10164)
"""JetStream's codes where a stream's last message is not the one that was expected."""


class StreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of a stream."""

    first: int
    last: int
    messages: int
    created: str
    metadata: dict[str, str]
    subjects: tuple[str, ...]
    newest_age_s: float | None = None
    """How old the newest message is, by the server's clock; None where there is none."""


class Stored(NamedTuple):
    """A message of the stream. `number` counts what this reading was given, from 1."""

    subject: str
    payload: bytes
    place: int
    number: int
    behind: int
    """How many more there were for this reading when the server gave it."""


class Ack(msgspec.Struct, frozen=True):
    """What the server says of a publish."""

    place: int
    """0 where it was not stored."""
    is_duplicate: bool
    is_out_of_step: bool
    """Something else was stored before it; nothing of it was."""
    problem: str


def stored_in(message: Any) -> Stored:
    """Read the place of a message, which stands in the subject that would acknowledge it."""
    tokens = message.reply.split(".")
    first = 5 if len(tokens) == 9 else 7
    place, number, _, behind = map(int, tokens[first : first + 4])
    return Stored(message.subject, message.data, place, number, behind)


def status_in(message: Any) -> str | None:
    """Read the server's own word; a message of the stream has none, whatever its headers say."""
    return None if message.reply else (message.headers or {}).get("Status")


def facts_in(told: Any) -> StreamFacts | None:
    """Read what a stream has; None where there is no such."""
    if told is None:
        return None
    state, config = told["state"], told["config"]
    return StreamFacts(
        first=state["first_seq"],
        last=state["last_seq"],
        messages=state["messages"],
        created=told["created"],
        metadata=config.get("metadata") or {},
        subjects=tuple(config.get("subjects") or ()),
        newest_age_s=_age_s(told.get("ts"), state.get("last_ts")) if state["messages"] else None,
    )


def _age_s(now: str | None, then: str | None) -> float | None:
    if not now or not then:
        return None
    return (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds()


def ack_in(headers: Any, data: bytes) -> Ack:
    """Read the answer to a publish."""
    if headers and headers.get("Status"):
        return Ack(0, is_duplicate=False, is_out_of_step=False, problem="nobody keeps this subject")
    told = json.loads(data)
    problem = told.get("error")
    if problem is None:
        return Ack(
            told["seq"],
            is_duplicate=bool(told.get("duplicate")),
            is_out_of_step=False,
            problem="",
        )
    is_out_of_step = problem.get("err_code") in _OUT_OF_STEP
    return Ack(
        0,
        is_duplicate=False,
        is_out_of_step=is_out_of_step,
        problem=str(problem.get("description")),
    )


def description_in(message: Any) -> str:
    """Say why the server gives no more."""
    return str((message.headers or {}).get("Description") or message.headers)
