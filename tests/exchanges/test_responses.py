"""Reducing a response: whatever bytes a venue sends, reading them never fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.responses import response_of

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
LATER = "Wed, 21 Oct 2026 07:28:30 GMT"


@pytest.mark.parametrize(
    ("headers", "retry_after_ms"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7_000),
        ({"retry-after": " 0 "}, 0),
        ({"Retry-After": "999999999999999999"}, 345_600_000),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": LATER, "Date": DATE}, 30_000),
        ({"Retry-After": DATE, "Date": LATER}, 0),
        ({"Retry-After": LATER}, None),
        ({"Retry-After": "²"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], retry_after_ms: int | None) -> None:
    assert response_of(429, headers, "").retry_after_ms == retry_after_ms


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"code":-1021,"msg":"x"}', "-1021"),
        ('{"code":"51000"}', "51000"),
        ('{"retCode":10001}', "10001"),
        ('{"code":true}', None),
        ('{"code":{"a":1}}', None),
        ('{"code":-1021', None),
        ('["code"]', None),
        ("<html>code</html>", None),
        ("", None),
    ],
)
def test_the_code_of_a_body(body: str, code: str | None) -> None:
    assert response_of(400, {}, body).code == code


@pytest.mark.parametrize(
    ("body", "is_answer"),
    [
        ("[]", True),
        ('[{"a":1}]', True),
        ('{"a":1}', True),
        ("{}", False),
        ("", False),
        ("null", False),
        ("1", False),
        ('"[]"', False),
        ("<html>[]</html>", False),
        ('[{"a":1},{"b":[]}', False),
        ("[" * 100_000, False),
    ],
)
def test_what_counts_as_an_answer_at_all(body: str, is_answer: bool) -> None:
    assert response_of(200, {}, body).has_json is is_answer


@pytest.mark.parametrize(
    ("body", "is_empty"),
    [("{}", True), (" { } ", True), ("[]", False), ("{", False), ("", False), ('{"a":1}', False)],
)
def test_an_answer_that_has_nothing_to_say_is_told_from_none(body: str, is_empty: bool) -> None:
    assert response_of(200, {}, body).is_empty_object is is_empty


@pytest.mark.slow
@given(st.integers(100, 599), st.dictionaries(st.text(), st.text()), st.text())
def test_no_response_makes_it_fail(status: int, headers: dict[str, str], body: str) -> None:
    assert response_of(status, headers, body).http_status == status


@given(st.text(), st.text())
def test_no_header_makes_it_fail(retry_after: str, date: str) -> None:
    told = response_of(429, {"Retry-After": retry_after, "Date": date}, "").retry_after_ms

    assert told is None or told >= 0


@pytest.mark.parametrize(
    ("body", "is_page"),
    [("<html>", True), (" \n<!DOCTYPE html>", True), ('{"a": "<b>"}', False), ("", False)],
)
def test_what_is_written_for_people_is_told_from_an_answer(body: str, is_page: bool) -> None:
    assert response_of(503, {}, body).is_page is is_page
