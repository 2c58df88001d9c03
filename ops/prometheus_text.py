"""Prometheus' text format: families of samples, named and escaped as it wants them. Pure.

A few lines of our own and no library: the client's registry would hold every number a second
time, and what is measured here is counted already. Its parser is the judge in the tests.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from decisions.histogram import LatencyHistogram
from messages.ids import NS_PER_S

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]
NO_LABELS: Labels = {}
BOUNDS_NS = tuple(1_000 * 4**step for step in range(13))
"""From one microsecond to 17 seconds, each four times the one before."""
BOUNDS_COUNT = (*(2**step for step in range(8)), 512)


def counter(name: str, help_text: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """Give a family of what only ever rises; the name ends with ``_total``."""
    yield from _family(name, "counter", help_text, samples)


def gauge(name: str, help_text: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    """Give a family of what goes up and down."""
    yield from _family(name, "gauge", help_text, samples)


def durations(
    name: str, help_text: str, histograms: Iterable[tuple[Labels, LatencyHistogram]]
) -> Iterator[str]:
    """Give a family of histograms, nanoseconds told as seconds."""
    yield from _histograms(name, help_text, histograms, BOUNDS_NS, NS_PER_S)


def sizes(
    name: str, help_text: str, histograms: Iterable[tuple[Labels, LatencyHistogram]]
) -> Iterator[str]:
    """Give a family of histograms of numbers of things."""
    yield from _histograms(name, help_text, histograms, BOUNDS_COUNT, 1)


def _family(
    name: str, kind: str, help_text: str, samples: Iterable[tuple[Labels, float]]
) -> Iterator[str]:
    yield from _head(name, kind, help_text)
    for labels, value in samples:
        yield _sample(name, labels, value)


def _histograms(
    name: str,
    help_text: str,
    histograms: Iterable[tuple[Labels, LatencyHistogram]],
    bounds: tuple[int, ...],
    unit: int,
) -> Iterator[str]:
    # Most of what is told are these lines, and a scrape shares the interpreter with actors.
    yield from _head(name, "histogram", help_text)
    for labels, histogram in histograms:
        view = histogram.view()
        count, total = view.count, _number(view.sum / unit)
        lines = _lines(name, tuple(labels.items()), bounds, unit)
        yield lines % (*view.below(bounds), count, total, count)


@lru_cache(1_024)
def _lines(
    name: str, labels: tuple[tuple[str, str], ...], bounds: tuple[int, ...], unit: int
) -> str:
    """Give the lines of one histogram without their numbers; the same again and again."""
    inner = _inner(labels).replace("%", "%%")
    comma, braced = ("," if inner else ""), (f"{{{inner}}}" if inner else "")
    ends = [*(_number(bound / unit) for bound in bounds), "+Inf"]
    buckets = [f'{name}_bucket{{{inner}{comma}le="{end}"}} %d\n' for end in ends]
    return "".join(buckets) + f"{name}_sum{braced} %s\n{name}_count{braced} %d\n"


def _head(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP {name} {_escaped(help_text)}\n# TYPE {name} {kind}\n"


def _sample(name: str, labels: Labels, value: float) -> str:
    if not labels:
        return f"{name} {_number(value)}\n"
    return f"{name}{{{_inner(tuple(labels.items()))}}} {_number(value)}\n"


@lru_cache(4_096)
def _inner(labels: tuple[tuple[str, str], ...]) -> str:
    """Give what stands in the braces; the same again and again."""
    return ",".join(f'{key}="{_quoted(text)}"' for key, text in labels)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
