"""HTTP beside the actors: for this machine, or for the bearer of a token, and never in the way."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loguru import logger

from ops import http_server
from ops.http_server import MOST_AT_ONCE, HttpServer
from ops.loopback import is_loopback, split_address

Start = Callable[..., HttpServer]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[HttpServer] = []

    def go(
        token: str = "", reason: str = "", metrics: Callable[[], str] = lambda: "x 1\n"
    ) -> HttpServer:
        server = HttpServer(
            "127.0.0.1", 0, metrics, lambda question: reason and f"{question} {reason}", token
        )
        started.append(server.start())
        return server

    yield go
    for server in started:
        server.close()


@pytest.fixture
def errors() -> Iterator[list[Any]]:
    """What is logged as an error."""
    found: list[Any] = []
    logger.configure(patcher=lambda _: None)  # a command that ran in this process has left its own
    sink = logger.add(lambda message: found.append(message.record), level="ERROR")
    yield found
    logger.remove(sink)


def ask(
    server: HttpServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def test_metrics_are_told_in_the_text_format(start: Start) -> None:
    status, text, headers = ask(start(), "/metrics")

    assert (status, text) == (200, "x 1\n")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("path", "question"), [("/livez", "live"), ("/readyz", "ready"), ("/startupz", "startup")]
)
def test_a_probe_says_yes_or_why_not(start: Start, path: str, question: str) -> None:
    assert ask(start(), path)[:2] == (200, "ok\n")
    assert ask(start(reason="is down"), path)[:2] == (503, f"no: {question} is down\n")


def test_with_a_token_only_its_bearer_learns_anything(start: Start) -> None:
    server = start(token="sesame", reason="is down")

    assert ask(server, "/metrics")[0] == 401
    assert ask(server, "/metrics", Authorization="Bearer sesam")[0] == 401
    assert ask(server, "/metrics", Authorization="Basic sesame")[0] == 401
    assert ask(server, "/metrics", Authorization="Bearer sesame")[0] == 200
    assert ask(server, "/livez")[:2] == (503, "no\n")
    assert ask(server, "/livez", Authorization="bearer sesame")[1] == "no: live is down\n"
    assert ask(server, "/else")[0] == 401


def test_a_page_that_was_tricked_into_asking_is_turned_away(start: Start) -> None:
    server = start()

    assert ask(server, "/metrics", Host="evil.example")[0] == 403
    assert ask(server, "/metrics", Host="evil.example:9464")[0] == 403
    assert ask(server, "/metrics", Host=f"localhost:{server.port}")[0] == 200
    assert ask(server, "/metrics", Host="[::1]:9464")[0] == 200


def test_only_questions_are_answered(start: Start) -> None:
    server = start()

    assert ask(server, "/")[0] == 404
    assert ask(server, "/metrics", "HEAD")[:2] == (200, "")
    assert ask(server, "/metrics", "POST")[0] == 501
    assert ask(server, "/metrics?x=" + "y" * 100)[0] == 200


def test_who_says_nothing_keeps_nobody_waiting(start: Start) -> None:
    server = start()
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MOST_AT_ONCE - 2)]
    try:
        assert ask(server, "/metrics")[0] == 200
    finally:
        for one in silent:
            one.close()


@pytest.mark.parametrize("first", [b"", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_however_many_say_nothing_or_nothing_more_a_probe_is_answered(
    start: Start, first: bytes
) -> None:
    server = start()
    silent = []
    try:
        for _ in range(2 * MOST_AT_ONCE):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            silent.append(one)
            one.sendall(first)
            assert not first or one.recv(1)
            assert ask(server, "/livez")[0] == 200
    finally:
        for one in silent:
            one.close()


def test_who_is_being_answered_makes_room_for_nobody(start: Start) -> None:
    is_asked, may_go = threading.Semaphore(0), threading.Event()

    def slow() -> str:
        is_asked.release()
        assert may_go.wait(20)
        return "x 1\n"

    server, found = start(metrics=slow), list[int]()
    asking = [
        threading.Thread(target=lambda: found.append(ask(server, "/metrics")[0]))
        for _ in range(MOST_AT_ONCE)
    ]
    for one in asking:
        one.start()
        assert is_asked.acquire(timeout=20)
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(server, "/livez")
    may_go.set()
    for one in asking:
        one.join()

    assert found == [200] * MOST_AT_ONCE
    assert ask(server, "/livez")[0] == 200


def test_whom_no_thread_could_be_started_for_takes_no_place_away(
    start: Start, monkeypatch: pytest.MonkeyPatch, errors: list[Any]
) -> None:
    server, begin = start(), threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if "process_request_thread" in thread.name:
            raise RuntimeError("can't start new thread")
        begin(thread)

    with monkeypatch.context() as crowded:
        crowded.setattr(threading.Thread, "start", refused)
        for _ in range(2 * MOST_AT_ONCE):
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(server, "/livez")

    assert ask(server, "/livez")[0] == 200
    assert errors


def test_who_comes_a_letter_at_a_time_is_dropped_like_who_says_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "PATIENCE_S", 0.3)
    server, pause = start(), threading.Event()
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(0)
        slow.send(b"GET /livez HTTP/1.1\r\nX: ")
        for _ in range(400):
            pause.wait(0.05)  # never silent for as long as the patience is
            try:
                slow.send(b"x")
                if slow.recv(1) == b"":
                    break
            except BlockingIOError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("it held its place for twenty seconds")


def test_a_failing_answer_takes_nothing_down_and_is_said(start: Start, errors: list[Any]) -> None:
    broken = threading.Event()

    def metrics() -> str:
        if broken.is_set():
            return "x 1\n"
        broken.set()
        raise ValueError("not now")

    server = start(metrics=metrics)

    status, text, _ = ask(server, "/metrics")
    assert (status, text) == (500, "this could not be told: the log says why\n")
    assert ask(server, "/metrics")[0] == 200
    (error,) = errors
    assert error["message"] == "a request was not answered: ValueError: not now"
    assert error["exception"].value.args == ("not now",)


def test_an_answer_that_cannot_be_sent_is_said_too(start: Start, errors: list[Any]) -> None:
    server = start(metrics=lambda: "\udc80")

    with pytest.raises((http.client.HTTPException, OSError)):
        ask(server, "/metrics")
    (error,) = errors
    assert "UnicodeEncodeError" in error["message"]


def test_who_goes_away_in_the_middle_is_no_news(start: Start, errors: list[Any]) -> None:
    """It resets the connection, so nothing can be written to it any more."""
    asked, gone, written = threading.Event(), threading.Event(), threading.Event()

    def metrics() -> str:
        asked.set()
        gone.wait(20)
        return "x 1\n" * 1_000_000

    server = start(metrics=metrics)
    assert server._server is not None
    end = server._server.process_request_thread

    def ended(*arguments: Any) -> None:
        end(*arguments)
        written.set()

    server._server.process_request_thread = ended  # type: ignore[method-assign,assignment]  # planted
    client = socket.create_connection(("127.0.0.1", server.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert asked.wait(20)
    client.close()
    gone.set()

    assert written.wait(20)
    assert errors == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:1", ("::1", 1)),
        ("localhost:0", ("localhost", 0)),
        ("9464", None),
        (":9464", None),
        ("host:", None),
        ("host:65536", None),
        ("host:-1", None),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int] | None) -> None:
    assert split_address(text) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_what_only_this_machine_reaches(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_what_others_reach_too(host: str) -> None:
    assert not is_loopback(host)
