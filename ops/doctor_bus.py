"""The bus that a config's market comes by: is it there, is it fed, and what to do if it is not."""

import ipaddress
from collections.abc import Iterator
from concurrent.futures import TimeoutError as TookTooLong
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from messages.errors import VenueError
from messages.market import FeedPhase
from ops.config_bus import address_of, missing_from
from ops.config_schema import Config, NatsConfig, VenueType
from ops.doctor_finding import Finding, ok, problem, warning
from ops.moments import span

if TYPE_CHECKING:
    from exchanges.nats_look import BusLook
    from messages.bus import BusPulse

_ABOUT = "bus"
_LIMIT_S = 20.0
_CLOSE_S = 5.0


def bus_findings(config: Config, *, online: bool) -> Iterator[Finding]:
    """Look at the bus, where the market comes by one; the network is used only when `online`."""
    nats = config.feed.nats
    if nats is None:
        return
    missing = missing_from(nats)
    for text in missing:
        what, _, todo = text.rpartition(": ")
        yield problem(_ABOUT, what, todo)
    if _is_readable_by_others(nats):
        text = f"the login goes to {nats.url} as it is, and whoever listens in between has it"
        yield warning(_ABOUT, text, "give the server a certificate, and take tls://")
    if not online:
        yield ok(_ABOUT, "not asked; --online asks for the stream, and listens who publishes it")
    elif missing:
        yield problem(_ABOUT, "not asked, for a login is missing", "set it, then ask again")
    else:
        yield from _asked(config, nats)


def _is_readable_by_others(nats: NatsConfig) -> bool:
    parts = urlsplit(nats.url)
    has_login = bool(nats.user_env or nats.token_env)  # a .creds file signs, and is never sent
    return has_login and parts.scheme != "tls" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked(config: Config, nats: NatsConfig) -> Iterator[Finding]:
    from exchanges.nats_look import look_at_bus  # of an extra that few need
    from exchanges.nats_reading import BusLost, NotLetIn
    from exchanges.venue_loop import VenueLoop

    loop = VenueLoop("doctor")
    loop.start()
    try:
        look = loop.submit(look_at_bus(address_of(nats))).result(_LIMIT_S)
    except BusLost as error:
        text = f"the NATS server {nats.url} cannot be used: {error}"
        is_ours = isinstance(error, NotLetIn)
        todo = "see to feed.nats" if is_ours else "start it, or correct its url"
        yield problem(_ABOUT, text, todo)
        return
    except (VenueError, TookTooLong) as error:
        text = str(error) or f"{nats.url} did not answer within {_LIMIT_S:g} s"
        yield problem(_ABOUT, text, "see to it: a start would be refused")
        return
    finally:
        loop.close(_CLOSE_S)
    yield from look_findings(look, config, nats)


def look_findings(look: "BusLook", config: Config, nats: NatsConfig) -> Iterator[Finding]:
    """Judge what was found."""
    from exchanges.bus_frames import head_of
    from exchanges.nats_gate import problem_of
    from ops.live_feed import request_of
    from ops.wiring_feeds import path_of_feed

    where = f"{nats.stream} at {nats.url}"
    publish = f"watchkeeper publish CONFIG --to {nats.url} --stream {nats.stream}"
    if look.facts is None:
        yield problem(_ABOUT, f"there is no stream {where}", publish)
        return
    head = head_of(look.facts.metadata)
    source = f"ccxt:{config.venue.exchange}" if config.venue.type is VenueType.CCXT else ""
    request = request_of(config, path_of_feed(config), 0)
    if said := problem_of(head, request, str(nats.clock), source):
        what, _, todo = said.rpartition(": ")
        yield problem(
            _ABOUT, f"the stream {where} {what or said}", todo if what else "take another"
        )
        return
    assert head is not None, "it was held against the request"
    age_s = look.facts.newest_age_s
    newest = "nothing yet" if age_s is None else f"the newest {span(int(age_s * 1e9))} old"
    text = f"the stream {where} has {head.source}: {look.facts.messages} messages, {newest}"
    yield ok(_ABOUT, text)
    yield _publisher(look.pulse, publish)


def _publisher(pulse: "BusPulse | None", publish: str) -> Finding:
    if pulse is None or pulse.phase is FeedPhase.STOPPED:
        return warning(_ABOUT, "nobody publishes: what is there is all that comes", publish)
    if pulse.phase is FeedPhase.LIVE:
        return ok(_ABOUT, f"{pulse.who} publishes, and its market is live")
    why = f": {pulse.reason}" if pulse.reason else ""
    text = f"{pulse.who} publishes, and its market is {pulse.phase}{why}"
    return warning(_ABOUT, text, "ask it there, with watchkeeper health")
