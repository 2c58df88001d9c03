"""The text format, held against Prometheus' own parser: what goes in comes out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decisions.histogram import RELATIVE_ERROR, LatencyHistogram
from ops.prometheus_text import BOUNDS_NS, counter, durations, gauge, sizes

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not there")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20)
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))


def families(lines: Any) -> list[Any]:
    return list(parser.text_string_to_metric_families("".join(lines)))


@given(labels=st.dictionaries(st.sampled_from(["actor", "reason"]), texts), value=numbers)
def test_a_sample_comes_out_as_it_went_in(labels: dict[str, str], value: float) -> None:
    (family,) = families(gauge("watchkeeper_x", "Says\\what\nit is.", [(labels, value)]))

    assert (family.type, family.documentation) == ("gauge", "Says\\what\nit is.")
    assert [(s.name, s.labels, s.value) for s in family.samples] == [
        ("watchkeeper_x", labels, float(value))
    ]


def test_a_counter_is_one() -> None:
    (family,) = families(counter("watchkeeper_x_total", "Things.", [({}, 3)]))

    assert (family.type, family.name) == ("counter", "watchkeeper_x")


@given(values=st.lists(st.integers(0, 10**11), max_size=300), text=texts | st.just("100%d"))
def test_a_histogram_rises_to_its_count(values: list[int], text: str) -> None:
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(value)

    (family,) = families(durations("watchkeeper_x_seconds", "Time.", [({"a": text}, histogram)]))

    assert {s.labels["a"] for s in family.samples} == {text}
    buckets = [s for s in family.samples if s.name.endswith("_bucket")]
    counts = [s.value for s in buckets]
    assert family.type == "histogram"
    assert [float(s.labels["le"]) for s in buckets] == [*[b / 1e9 for b in BOUNDS_NS], float("inf")]
    assert counts == sorted(counts)
    others = {s.name: s.value for s in family.samples if s not in buckets}
    assert others["watchkeeper_x_seconds_count"] == counts[-1] == len(values)
    assert others["watchkeeper_x_seconds_sum"] == pytest.approx(sum(values) / 1e9)
    for bound, count in zip(BOUNDS_NS, counts[:-1], strict=True):
        assert count <= sum(v <= bound for v in values)
        assert count >= sum(v * (1 + RELATIVE_ERROR) <= bound for v in values)


def test_numbers_of_things_are_told_as_they_are() -> None:
    histogram = LatencyHistogram()
    for claims in (1, 2, 2, 256):
        histogram.record(claims)

    (family,) = families(sizes("watchkeeper_claims", "Claims.", [({}, histogram)]))

    counts = {s.labels["le"]: s.value for s in family.samples if "le" in s.labels}
    assert (counts["1"], counts["2"], counts["128"], counts["512"]) == (1, 3, 3, 4)
