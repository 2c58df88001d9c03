import errno
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ops.client import NoAnswer, ask
from ops.control import ControlServer

BIG = {"text": "x" * 4_000_000}


def broken(_: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("nothing here")


HANDLERS = {
    "echo": lambda request: {"said": request.get("word")},
    "big": lambda _: BIG,
    "broken": broken,
    "small": lambda _: {"amount": Decimal("0E-8")},
    "odd": lambda _: {"number": int("odd")},
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with ControlServer(tmp_path / "control.sock", HANDLERS):
        yield tmp_path / "control.sock"


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(path))
    return client


def reply_to(path: Path, request: bytes) -> dict[str, Any]:
    with connected(path) as client, client.makefile("rb") as replies:
        client.sendall(request)
        reply: dict[str, Any] = json.loads(replies.readline())
        return reply


def test_a_request_reaches_its_handler(path: Path) -> None:
    assert ask(path, "echo", word="hello") == {"said": "hello"}


def test_an_amount_is_text_without_an_exponent(path: Path) -> None:
    assert ask(path, "small") == {"amount": "0.00000000"}


def test_ping_names_the_process(path: Path) -> None:
    assert ask(path, "ping") == {"pid": os.getpid()}


def test_stacks_show_every_thread(path: Path) -> None:
    stacks = ask(path, "stacks")["stacks"]

    assert any(name.startswith("MainThread") for name in stacks)


def test_only_the_owner_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "rubbish",
    [
        *(b"\n", b"\xff\xfe\n", b"[1]\n", b"null\n", b'{"command": []}\n', b"[" * 20_000 + b"\n"),
        b'{"command": "ping", "reason": "\\udce9"}\n',
        b'{"command": "ping", "reason": "\xe9"}\n',
    ],
)
def test_rubbish_gets_an_error_and_the_next_client_an_answer(path: Path, rubbish: bytes) -> None:
    assert "error" in reply_to(path, rubbish)
    assert ask(path, "ping") == {"pid": os.getpid()}


def test_an_unknown_command_is_told_the_known_ones(path: Path) -> None:
    assert "known: big, broken, echo, odd, ping, small, stacks" in ask(path, "helth")["error"]


def test_a_failing_handler_is_an_error_reply(path: Path) -> None:
    assert ask(path, "broken") == {"error": "KeyError: 'nothing here'"}


def test_a_handlers_own_bad_value_is_not_taken_for_a_bad_request(path: Path) -> None:
    assert ask(path, "odd")["error"].startswith("ValueError: invalid literal")


def test_a_request_without_end_is_cut_off(path: Path) -> None:
    with connected(path) as client, pytest.raises(OSError, match=r"Broken pipe|reset"):
        client.sendall(b"x" * 64_000_000)


def test_silent_clients_delay_nobody(path: Path) -> None:
    silent = [connected(path) for _ in range(100)]

    assert ask(path, "ping") == {"pid": os.getpid()}
    for client in silent:
        client.close()


def test_a_silent_client_is_sent_away_in_the_end(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "s", {}, patience_s=0.05)
    with server, connected(tmp_path / "s") as client:
        assert client.recv(1) == b""


def test_a_client_that_does_not_read_delays_nobody(path: Path) -> None:
    with connected(path) as lazy:
        lazy.sendall(b'{"command": "big"}\n')

        assert ask(path, "ping") == {"pid": os.getpid()}


@pytest.mark.slow
def test_a_client_that_vanishes_before_its_reply_harms_nobody(path: Path) -> None:
    for _ in range(20):
        with connected(path) as client:
            client.sendall(b'{"command": "big"}\n')

    assert ask(path, "ping", timeout_s=30) == {"pid": os.getpid()}


def test_a_request_in_pieces_is_one_request(path: Path) -> None:
    with connected(path) as client, client.makefile("rb") as replies:
        for byte in b'{"command": "echo", "word": 1}\n':
            client.sendall(bytes([byte]))

        assert json.loads(replies.readline()) == {"said": 1}


def test_a_large_reply_arrives_whole(path: Path) -> None:
    assert ask(path, "big", timeout_s=10) == BIG


def test_many_clients_at_once_all_get_their_own_answer(path: Path) -> None:
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda i: ask(path, "echo", word=i, timeout_s=10), range(300)))

    assert replies == [{"said": i} for i in range(300)]


def test_the_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()

    with ControlServer(path, {}):
        assert ask(path, "ping") == {"pid": os.getpid()}


def test_a_path_longer_than_a_socket_address_works(tmp_path: Path) -> None:
    place = tmp_path / ("d" * 120)
    place.mkdir()

    with ControlServer(place / "control.sock", {}):
        assert ask(place / "control.sock", "ping") == {"pid": os.getpid()}
    assert list(place.iterdir()) == []


def test_a_long_path_works_where_no_temporary_file_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A halt must reach a run though /tmp has become full, or is read-only."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place = tmp_path / ("d" * 120)
    place.mkdir()
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)

    with ControlServer(place / "control.sock", {}):
        assert ask(place / "control.sock", "ping") == {"pid": os.getpid()}


def test_a_long_path_works_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / ("d" * 120)
    place.mkdir()
    monkeypatch.setattr("ops.client._OPEN_FILES", tmp_path / "proc")

    with ControlServer(place / "control.sock", {}):
        assert ask(place / "control.sock", "ping") == {"pid": os.getpid()}


def test_after_the_close_nothing_is_left_and_nobody_answers(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    ControlServer(path, {}).start().close()

    with pytest.raises(NoAnswer) as caught:
        ask(path, "ping")

    assert caught.value.gone
    assert not path.exists()


def test_a_process_that_is_there_and_silent_is_not_called_gone(tmp_path: Path) -> None:
    release = threading.Event()

    def stuck(_: dict[str, Any]) -> dict[str, Any]:
        release.wait(10)
        return {}

    with ControlServer(tmp_path / "s", {"stuck": stuck}):
        with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s") as caught:
            ask(tmp_path / "s", "stuck", timeout_s=0.05)
        release.set()

    assert not caught.value.gone
