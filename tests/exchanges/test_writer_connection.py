"""What an actor is told of a writer to the bus that has ended by itself."""

from concurrent.futures import Future
from typing import Any, cast

import pytest

from exchanges.nats_chain import Fenced
from exchanges.nats_writer import NatsWriter
from exchanges.writer_connection import WriterConnection
from messages.errors import VenueRefused
from messages.ids import ActorPath

LIMIT_S = 20.0


class Ends:
    """A writer that ends with an error at once."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run(self, _: Any) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Fenced("another publisher writes"), "another publisher writes"),
        (VenueRefused("the stream is another's"), "the stream is another's"),
        (KeyError("seq"), "KeyError('seq')"),
    ],
)
def test_what_is_a_sentence_is_told_as_one_and_a_fault_by_its_name(
    error: Exception, said: str
) -> None:
    told: Future[str] = Future()
    connection = WriterConnection(lambda: cast("NatsWriter", Ends(error)), ActorPath("publisher"))

    connection.run(lambda _: None, told.set_result)

    assert told.result(LIMIT_S) == said
    assert connection.close(LIMIT_S)
