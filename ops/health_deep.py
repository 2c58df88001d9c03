"""`health --deep PATH` and `--errors`: one actor's inside, and what went wrong. Stdlib only."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.client import ask
from ops.health_text import duration, moment, one_line

PATIENCE_S = 0.25
"""How long an actor has to say something before its stack is shown instead."""
_PAUSE_S = 0.01


def look_deep(
    socket: Path, path: str, timeout_s: float, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Ask an actor what it holds; give that, or the stack of one that does not answer.

    Raises:
        NoAnswer: the process does not answer.
    """
    asked = ask(socket, "deep", timeout_s=timeout_s, actor=path)
    if "question" not in asked:
        return {"path": path, "problem": str(asked.get("error", "no usable answer"))}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        reply = ask(socket, "deep_answer", timeout_s=timeout_s, question=asked["question"])
        if reply.get("error"):
            return {"path": path, "problem": str(reply["error"])}
        if reply.get("told") is not None:
            return {"path": path, "told": reply["told"]}
        if time.monotonic() >= deadline:
            stacks = ask(socket, "stacks", timeout_s=timeout_s).get("stacks") or {}
            problem = f"no answer within {PATIENCE_S * 1000:.0f} ms"
            return {"path": path, "problem": problem, "stack": _of(stacks, asked.get("thread"))}
        sleep(_PAUSE_S)


def deep_lines(deep: Mapping[str, Any]) -> Iterator[str]:
    """Give it for a person."""
    yield ""
    yield f"{one_line(deep['path'])}: {one_line(deep.get('problem') or 'says')}"
    yield from _table(deep.get("told") or {}, "  ")
    for frame in deep.get("stack") or ():
        yield f"  {one_line(frame)}"


def error_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Give the last errors with their tracebacks, then the newest dead letters."""
    if found.get("error"):
        yield f"\nwhat went wrong can't be told: {one_line(found['error'])}"
        return
    errors, letters = found.get("errors") or (), found.get("dead_letters") or ()
    if not errors and not letters:
        yield "\nno actor has had an error, and no message was lost"
    for error in errors:
        at = moment(error["at_ns"]) if error.get("at_ns") else "at an unknown time"
        yield f"\n{one_line(error.get('path'))}  {at}  {one_line(error.get('error'))}"
        for line in str(error.get("traceback") or "").splitlines():
            yield f"  {one_line_kept(line)}"
    if letters:
        yield "\ndead letters, the newest last"
    for letter in letters:
        age = duration(letter.get("age_s") or 0)
        who, what = one_line(letter.get("path")), one_line(letter.get("message"))
        yield f"  {age} ago  {who}  {what}  {one_line(letter.get('why'))}"


def one_line_kept(text: str) -> str:
    """Give a line with its indentation, without anything that would move a terminal."""
    return " " * (len(text) - len(text.lstrip(" "))) + one_line(text)


def _table(told: Mapping[str, Any], margin: str) -> Iterator[str]:
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield f"{margin}{one_line(name)}"
            yield from _table(value, margin + "  ")
        else:
            yield f"{margin}{one_line(name)}: {one_line(value)}"


def _of(stacks: Mapping[str, Any], ident: object) -> list[str]:
    for thread, frames in stacks.items():
        if str(thread).endswith(f"({ident})"):
            return list(frames)
    return ["its thread is not there"]
