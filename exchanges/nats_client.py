"""One connection to NATS JetStream: asked, read and published to in its own words.

A connection that breaks is over: who uses it makes another, and says so meanwhile. JetStream is
asked in its own words (JSON on `$JS.API`, as its ADRs describe), because what matters here, a
pull that hands over each message as it comes and publishes that say what they expect to follow,
nats-py's own JetStream context does not let through.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exchanges.bus_address import BusAddress, StreamLimits
from exchanges.nats_answers import Ack, Stored, StreamFacts, ack_in, facts_in
from exchanges.nats_dial import dial, heeding, problem_of
from exchanges.nats_ending import let_go
from exchanges.nats_reading import HEARTBEAT_S, BusLost, NotThere, Reading
from exchanges.nats_stream import configured
from messages.ids import NS_PER_S

ANSWER_S = 5.0
_EXPIRES_S = 30
_NOT_FOUND = 404
_NO_LEADER_YET = 10008
"""JetStream's code where the servers of a cluster have not found each other yet."""

Handle = Callable[[str, bytes], object]


class NatsClient:
    """One connection. Every coroutine runs on one and the same loop."""

    def __init__(self, address: BusAddress, name: str) -> None:
        self.address, self._name = address, name
        self.closed = asyncio.Event()
        """Set when the connection is over, whoever ended it."""
        self._error = ""
        self._nats: Any = None
        self._inbox = ""
        self._readings: dict[str, Any] = {}
        """What listens for the messages of each, by inbox."""

    async def connect(self, limit_s: float = ANSWER_S) -> None:
        """Connect once.

        Raises:
            VenueRefused: nats-py is not installed.
            BusLost: there was no server, or it did not let us in.
        """
        client = await dial(self.address, self._name, limit_s, self._failed, self._over)
        self._nats, self._inbox = client, client.new_inbox()

    async def close(self) -> None:
        """Let go of the connection; what was published and not acknowledged is in doubt."""
        client, self._nats = self._nats, None
        if client is not None:
            await let_go(client)
        self.closed.set()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._nats is not None and not self.closed.is_set()

    @property
    def reason(self) -> str:
        """Say why the connection is over."""
        return self._error or "the server closed the connection"

    # ------------------------------------------------------------ the stream

    async def facts(self) -> StreamFacts | None:
        """Ask for the stream; None where there is no such.

        Raises:
            BusLost: there was no answer, or this server has no JetStream.
        """
        return facts_in(await self._api(f"STREAM.INFO.{self.address.stream}"))

    async def put_stream(
        self,
        subjects: Sequence[str],
        metadata: Mapping[str, str],
        limits: StreamLimits,
        largest: int,
        *,
        is_new: bool,
    ) -> None:
        """Make the stream, or change of it what is ours.

        Raises:
            BusLost: there was no answer, or the server did not want it; the text says why.
        """
        name = self.address.stream
        told = None if is_new else await self._api(f"STREAM.INFO.{name}")
        before = told and told["config"]
        config = configured(before, name, subjects, metadata, limits, largest)
        await self._api(f"STREAM.{'CREATE' if is_new else 'UPDATE'}.{name}", config)

    async def last_of(self, subject: str) -> Stored | None:
        """Give the newest message of a subject, None where the stream has none of it.

        Raises:
            BusLost: there was no answer.
        """
        return await self._one({"last_by_subj": subject})

    async def at(self, place: int) -> Stored | None:
        """Give one message, None where the stream does not keep it.

        Raises:
            BusLost: there was no answer.
        """
        return await self._one({"seq": place})

    async def _one(self, which: dict[str, Any]) -> Stored | None:
        answer = await self._api(f"STREAM.MSG.GET.{self.address.stream}", which)
        message = answer and answer["message"]
        if not message:
            return None
        payload = base64.b64decode(message.get("data") or "")
        return Stored(message["subject"], payload, message["seq"], number=0, behind=0)

    async def _api(self, name: str, body: Any = None) -> Any:
        nats = self._connected()
        try:
            words = json.dumps(body).encode() if body else b""
            answer = await heeding(nats.request(f"$JS.API.{name}", words, timeout=ANSWER_S))
            told = json.loads(answer.data)
        except Exception as error:
            if type(error).__name__ == "NoRespondersError":
                raise BusLost("this server has no JetStream: start it with -js") from error
            kind = NotThere if isinstance(error, TimeoutError) else BusLost
            raise kind(self._error or problem_of(error)) from error
        problem = told.get("error")
        if problem is None:
            return told
        if problem.get("code") == _NOT_FOUND:
            return None
        kind = NotThere if problem.get("err_code") == _NO_LEADER_YET else BusLost
        raise kind(str(problem.get("description") or problem))

    def _connected(self) -> Any:
        if self._nats is None or self.closed.is_set():
            raise BusLost(self.reason)
        return self._nats

    # ------------------------------------------------------------ reading

    async def listen(self, subject: str, handle: Handle) -> None:
        """Call `handle` with each message of a subject that is published from now on.

        Raises:
            BusLost: the connection is over.
        """

        async def heard(message: Any) -> None:
            handle(message.subject, message.data)

        await self._done(self._connected().subscribe(subject, cb=heard))

    async def read(
        self,
        subjects: Sequence[str],
        room: Callable[[], Awaitable[int]],
        *,
        place: int = 0,
        since_ns: int = 0,
    ) -> Reading:
        """Begin to read the stream at a place, or at a moment of publishing, or at its beginning.

        `room` waits until more messages may come and says how many. Nothing is acknowledged:
        where we are, we know.

        Raises:
            BusLost: there was no answer.
        """
        config: dict[str, Any] = {
            "deliver_policy": "all",
            "ack_policy": "none",
            "replay_policy": "instant",
            "filter_subjects": list(subjects),
            "inactive_threshold": 60 * NS_PER_S,
            "mem_storage": True,
            "num_replicas": 1,
        }
        if place:
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": place}
        elif since_ns:
            moment = datetime.fromtimestamp(since_ns / NS_PER_S, UTC).isoformat()
            config |= {"deliver_policy": "by_start_time", "opt_start_time": moment}
        stream = self.address.stream
        body = {"stream_name": stream, "config": config}
        made = await self._api(f"CONSUMER.CREATE.{stream}", body)
        if made is None:
            raise BusLost(f"the stream {stream} is gone")
        reading = Reading(self, made["name"], made["num_pending"], room)
        inbox = self._connected().new_inbox()
        listening = await self._done(self._connected().subscribe(inbox, cb=reading.take))
        self._readings[inbox] = listening
        reading.inbox = inbox
        return reading

    async def end_reading(self, consumer: str, inbox: str) -> None:
        """Let go of a reading, here and at the server; else it ends with the connection.

        No answer is waited for: the server lets go of it by itself, though later, where it does
        not let us ask for that.

        Raises:
            BusLost: the connection is over.
        """
        await self._done(self._readings.pop(inbox).unsubscribe())
        subject = f"$JS.API.CONSUMER.DELETE.{self.address.stream}.{consumer}"
        await self.publish(subject, b"", reply=self._connected().new_inbox())

    async def ask_for(self, consumer: str, count: int, inbox: str) -> None:
        """Ask for the next messages of a reading, each as soon as it is there."""
        request = {
            "batch": count,
            "expires": _EXPIRES_S * NS_PER_S,
            "idle_heartbeat": int(HEARTBEAT_S * NS_PER_S),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.address.stream}.{consumer}"
        await self.publish(subject, json.dumps(request).encode(), reply=inbox)

    # ------------------------------------------------------------ publishing

    async def open_acks(self, handle: Callable[[int, Ack], object]) -> None:
        """Call `handle` with the token of each `store` and what the server says of it.

        Raises:
            BusLost: the connection is over.
        """

        async def answered(message: Any) -> None:
            token = message.subject.rpartition(".")[2]
            handle(int(token), ack_in(message.headers, message.data))

        await self._done(self._connected().subscribe(f"{self._inbox}.*", cb=answered))

    async def store(
        self, subject: str, payload: bytes, *, after: int, follows: str, name: str, token: int
    ) -> None:
        """Publish what must come right after the stream's message at place `after`.

        With many under way a place alone is not enough: where one was refused because a stranger
        has put something there, the place is right for the next one. So each also says the name
        of the one that it `follows`. Returns before the answer, which comes by `open_acks`.

        Raises:
            BusLost: the connection is over.
        """
        headers = {"Nats-Expected-Last-Sequence": str(after), "Nats-Msg-Id": name}
        if follows:
            headers["Nats-Expected-Last-Msg-Id"] = follows
        await self.publish(subject, payload, reply=f"{self._inbox}.{token}", headers=headers)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send to whoever listens; nobody answers.

        Raises:
            BusLost: the connection is over.
        """
        await self._done(self._connected().publish(subject, payload, reply=reply, headers=headers))

    async def _done(self, asked: Awaitable[Any]) -> Any:
        """Have the library do it: it may know that the connection is over before it says so.

        Raises:
            BusLost: the connection is over.
        """
        try:
            return await heeding(asked)
        except Exception as error:
            raise BusLost(self._error or problem_of(error)) from error

    # ------------------------------------------------------------ callbacks

    async def _failed(self, error: Exception) -> None:
        self._error = problem_of(error)

    async def _over(self) -> None:
        self.closed.set()
