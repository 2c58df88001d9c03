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
    ends = _ends(bounds, unit)
    for labels, histogram in histograms:
        view, inner = histogram.view(), _inner(tuple(labels.items()))
        begin = f'{name}_bucket{{{inner}{"," if inner else ""}le="'
        for end, count in zip(ends, (*view.below(bounds), view.count), strict=True):
            yield f"{begin}{end}{count}\n"
        braced = f"{{{inner}}}" if inner else ""
        yield f"{name}_sum{braced} {_number(view.sum / unit)}\n"
        yield f"{name}_count{braced} {view.count}\n"


@lru_cache(8)
def _ends(bounds: tuple[int, ...], unit: int) -> tuple[str, ...]:
    """Give the bounds, and what follows them in a line."""
    return (*(f'{_number(bound / unit)}"}} ' for bound in bounds), '+Inf"} ')


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
