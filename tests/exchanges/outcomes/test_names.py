"""From an exception to the names of what it is and came from, and to one sentence."""

from hypothesis import given
from hypothesis import strategies as st

from exchanges.outcomes import evidence_of, judge_placement


class Surprise(Exception):
    """A class that nobody wrote down, whatever it is derived from."""


def test_the_whole_chain_of_causes_is_named() -> None:
    def connect() -> None:
        raise ConnectionRefusedError(111, "refused")

    def request() -> None:
        try:
            connect()
        except OSError as error:
            raise Surprise("could not") from error

    try:
        request()
    except Surprise as error:
        evidence = evidence_of(error, requests=1)

    assert evidence.error == "Surprise"
    assert "ConnectionRefusedError" in evidence.causes
    assert "OSError" in evidence.causes


def test_a_suppressed_context_is_no_cause() -> None:
    error = Surprise()
    error.__context__, error.__suppress_context__ = ConnectionRefusedError(), True

    assert evidence_of(error).causes == ()


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = Surprise("a"), Surprise("b")
    first.__cause__, second.__cause__ = second, first

    assert evidence_of(first).causes.count("Surprise") <= 2


@given(st.text(), st.none() | st.integers(100, 599))
def test_whatever_the_venue_says_the_sentence_is_one_printable_line(
    text: str, status: int | None
) -> None:
    reason = judge_placement(evidence_of(Surprise(text), http_status=status)).reason

    assert reason.isprintable()
    assert len(reason) < 400
