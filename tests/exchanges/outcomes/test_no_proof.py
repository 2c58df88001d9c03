"""What proves nothing of an order: what is not listed, was not alone, or is said unsurely."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.outcomes import (
    CONNECT_ERRORS,
    LOCAL_ERRORS,
    REFUSALS,
    THROTTLES,
    UNSURE_CODES,
    Evidence,
    evidence_of,
    judge_placement,
)
from tests.exchanges.outcomes.evidence import DUPLICATE, NOT_SENT, REJECTED, UNKNOWN, seen


def test_a_connection_error_after_a_second_request_is_no_proof() -> None:
    evidence = seen("ExchangeNotAvailable", causes=("ClientConnectorError",), requests=2)

    assert judge_placement(evidence).knowledge is UNKNOWN


def test_a_connection_error_after_bytes_have_left_is_no_proof() -> None:
    evidence = seen("ExchangeNotAvailable", causes=("ClientConnectorError",), bytes_left=True)

    assert judge_placement(evidence).knowledge is UNKNOWN


@pytest.mark.parametrize(
    "more", [{"requests": 2}, {"requests": None}, {"bytes_left": True}, {"http_status": 502}]
)
def test_a_refused_tunnel_is_no_proof_where_anything_may_have_gone_through_another(
    more: dict[str, Any],
) -> None:
    evidence = seen("ExchangeError", causes=("ClientHttpProxyError",))

    assert judge_placement(msgspec.structs.replace(evidence, **more)).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(LOCAL_ERRORS))
def test_a_local_class_after_a_request_without_an_answer_is_no_proof(error: str) -> None:
    assert judge_placement(seen(error, requests=1)).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(LOCAL_ERRORS))
def test_a_local_class_is_no_proof_when_nobody_counted_requests(error: str) -> None:
    assert judge_placement(seen(error, requests=None)).knowledge is UNKNOWN


@pytest.mark.parametrize("code", ["408000", "513", "603"])
def test_what_says_try_again_later_is_no_refusal_though_ccxt_calls_it_one(code: str) -> None:
    """KuCoin's timeout and MEXC's: the order may be there all the same."""
    assert judge_placement(seen("BadRequest", 400, code)).knowledge is UNKNOWN
    assert judge_placement(seen("BadRequest", 400, "1")).knowledge is REJECTED


@pytest.mark.parametrize("error", sorted(REFUSALS))
@pytest.mark.parametrize("status", [None, 200, 302, 500, 503, 408])
def test_a_refusal_needs_a_4xx(error: str, status: int | None) -> None:
    assert judge_placement(seen(error, status, "-2010")).knowledge is UNKNOWN


@pytest.mark.parametrize("error", sorted(REFUSALS))
def test_a_refusal_needs_a_code(error: str) -> None:
    assert judge_placement(seen(error, 400)).knowledge is UNKNOWN


@pytest.mark.parametrize("code", sorted(UNSURE_CODES))
@pytest.mark.parametrize("error", sorted(REFUSALS))
def test_a_code_that_says_unsure_outweighs_the_class(error: str, code: str) -> None:
    assert judge_placement(seen(error, 400, code)).knowledge is UNKNOWN


def derived(name: str, base: str) -> type[Exception]:
    return type(name, (type(base, (Exception,), {}),), {})


@pytest.mark.parametrize("base", sorted({*REFUSALS, *LOCAL_ERRORS, *THROTTLES}))
def test_a_new_subclass_of_a_listed_class_is_no_proof(base: str) -> None:
    error = derived("BrandNewError", base)("new in the next release")

    for requests, status in ((0, None), (1, 400), (1, 429)):
        evidence = evidence_of(error, http_status=status, code="-2010", requests=requests)
        assert judge_placement(evidence).knowledge is UNKNOWN


class_names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=1)
NO_WAY = CONNECT_ERRORS | {"ClientHttpProxyError"}
listed = st.sampled_from(sorted({*REFUSALS, *LOCAL_ERRORS, *THROTTLES, *NO_WAY, "ExchangeError"}))
evidences = st.builds(
    Evidence,
    error=class_names | listed | st.just("OrderNotFound"),
    bases=st.lists(class_names | listed).map(tuple),
    causes=st.lists(class_names | listed).map(tuple),
    text=st.text() | st.just(DUPLICATE),
    http_status=st.none() | st.integers(100, 599),
    code=st.none() | st.integers(-3000, 1).map(str) | st.text(),
    requests=st.none() | st.integers(0, 3),
    bytes_left=st.booleans(),
)


@pytest.mark.slow
@given(evidences)
def test_no_class_outside_the_lists_ever_proves_anything(evidence: Evidence) -> None:
    verdict = judge_placement(evidence)

    if verdict.knowledge is NOT_SENT:
        assert evidence.http_status is None
        assert not evidence.bytes_left
        assert (evidence.requests == 0 and evidence.error in LOCAL_ERRORS) or (
            evidence.requests == 1 and not NO_WAY.isdisjoint(evidence.causes)
        )
    if verdict.knowledge is REJECTED:
        assert evidence.error in REFUSALS or evidence.error in THROTTLES
        assert evidence.http_status is not None
        assert 400 <= evidence.http_status < 500


@pytest.mark.slow
@given(evidences.filter(lambda e: e.error not in {*REFUSALS, *LOCAL_ERRORS, *THROTTLES}))
def test_an_unlisted_class_is_unknown_unless_no_connection_came_about(evidence: Evidence) -> None:
    verdict = judge_placement(evidence)

    assert verdict.knowledge is UNKNOWN or not NO_WAY.isdisjoint(evidence.causes)
