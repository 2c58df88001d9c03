"""Kills writers of numbered lines and holds what they leave against what they had said.

A program of its own, for it forks. `steps`: the child ends itself at one step after the other
(an audit hook sees every rename, removal, opening and cutting off of a file), is followed by one
that ends at the same step of what is left, and by one that ends in order. `random`: the parent
kills the child after some of its reports. `summary`: as `steps`, but at each line of code that
runs while a summary is replaced. Each prints what it did.
"""

import gzip
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from ops.metric_lines import metric_files
from ops.run_dir import atomic_write
from persistence.lines import RotatingLines

KEPT = 100_000
SUMMARY = "metrics_summary.json"
SEEN = {"os.rename", "os.remove", "os.truncate", "open"}


def numbers(folder: Path) -> int:
    """Give how many lines there are; every one is whole, in its place, and there once."""
    expected = 0
    files = metric_files(folder)
    for path in files:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        assert not torn or path == files[-1], f"{path} ends in the middle of a line"
        for text in whole.splitlines():
            assert json.loads(text)["n"] == expected, path
            expected += 1
    return expected


def write_on(folder: Path, count: int, report: Callable[[int], object]) -> None:
    """Go on where the files end; report how far it is after each flush."""
    lines = RotatingLines(folder / "metrics.ndjson", 2_000, KEPT, max_lines=70)
    number = numbers(folder)
    end = number + count
    while number < end:
        for _ in range(1 + number % 7):
            lines.write(b'{"at_ns":1,"n":%d,"pad":"%s"}\n' % (number, b"x" * (number % 50)))
            number += 1
        lines.flush()
        atomic_write(folder / SUMMARY, b'{"n":%d,"pad":"%s"}' % (number, b"x" * 20_000))
        report(number)
    lines.close()


def die_at(folder: Path, step: int) -> None:
    """End this process just before it does this many things to files of the folder."""
    left = step

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if event in SEEN and (event == "os.truncate" or str(folder) in str(args[0])):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def die_in_summary(folder: Path, step: int) -> None:
    """End this process before this many lines of what replaces the summary, at any depth."""
    left, inside = step, False

    def watch(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left, inside
        if frame.f_code is atomic_write.__code__:
            inside = event != "return"
        if inside and event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return watch if inside else None

    sys.settrace(watch)


def child(
    folder: Path, count: int, step: int = 0, die: Callable[[Path, int], None] = die_at
) -> tuple[int, int]:
    """Fork a writer; give its number and where its reports come out."""
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return pid, out
    try:
        if step:
            die(folder, step)
        write_on(folder, count, lambda number: os.write(into, b"%d\n" % number))
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - a child ends here, whatever it is
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)


def check(folder: Path, told: bytes) -> None:
    """Hold the files against what the child said before it ended."""
    whole = told.rpartition(b"\n")[0].split()
    said, there = int(whole[-1]) if whole else 0, numbers(folder)
    summary = folder / SUMMARY
    summed = json.loads(summary.read_bytes())["n"] if summary.exists() else 0
    assert said <= summed <= there, told[-80:]


def rest_of(pid: int, out: int) -> tuple[bytes, int]:
    """Give what a child still said, and how it ended."""
    with os.fdopen(out, "rb") as reports:
        told = reports.read()
    _, status = os.waitpid(pid, 0)
    return told, os.waitstatus_to_exitcode(status)


def steps(
    folder: Path, stride: int, count: int = 160, die: Callable[[Path, int], None] = die_at
) -> dict[str, int]:
    """Kill at every `stride`-th step there is; give how many kills that were."""
    kills = 0
    for step in range(1, 10_000, stride):
        place = folder / str(step)
        place.mkdir()
        ended = 0
        for dies_at in (step, step, 0):
            told, code = rest_of(*child(place, count, dies_at, die))
            check(place, told)
            assert code in (0, -signal.SIGKILL), code
            kills += code != 0
            ended += code == 0
        left = {one.name for one in place.iterdir() if ".gz" not in one.name}
        assert {one for one in left if one[0] != "."} <= {"metrics.ndjson", SUMMARY}
        assert not list(place.glob("*.part")) + list(place.glob("*.0.gz"))
        if ended == 3:
            break
    return {"kills": kills, "torn": torn(folder)}


def at_random(folder: Path, kills: int) -> dict[str, int]:
    """Kill at moments that nobody chose; give how many lines outlived it all."""
    chance = random.Random(7)
    for number in range(kills):
        place = folder / str(number // 25)
        place.mkdir(exist_ok=True)
        pid, out = child(place, 1 << 40)
        told = b""
        for _ in range(1 + chance.randrange(30)):
            told += os.read(out, 1 + chance.randrange(40))
        os.kill(pid, signal.SIGKILL)
        rest, code = rest_of(pid, out)
        assert code == -signal.SIGKILL, code
        check(place, told + rest)
    lines = sum(numbers(place) for place in folder.iterdir())
    return {"kills": kills, "lines": lines, "torn": torn(folder)}


def torn(folder: Path) -> int:
    """Give how many summaries were on their way when the kill came: each left its own beside."""
    return len(list(folder.glob(f"*/.{SUMMARY}.*.tmp")))


def of_summary(folder: Path, stride: int) -> dict[str, int]:
    """Kill at the lines of code that replace it: the first, the one after it, and one more."""
    return steps(folder, stride, 9, die_in_summary)


if __name__ == "__main__":
    acts: dict[str, Callable[[Path, int], dict[str, int]]]
    acts = {"steps": steps, "random": at_random, "summary": of_summary}
    sys.stdout.write(json.dumps(acts[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
