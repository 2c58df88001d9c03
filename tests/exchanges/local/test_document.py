"""The document of the local exchange names every fault and condition as the code does."""

import json
import re
from inspect import signature
from pathlib import Path

from exchanges.local.control import COMMANDS, READS
from exchanges.local.exchange import LocalExchange
from exchanges.local.faults import CATALOGUE, OPERATIONS
from tests.exchanges.local.documented import STREAMS

TEXT = (Path(__file__).parents[3] / "docs" / "venue.md").read_text(encoding="utf-8")


def test_the_tables_are_the_catalogue() -> None:
    sections = TEXT.split("\n## Faults on requests\n")[1].split("\n## What is not played\n")[0]

    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", sections, re.MULTILINE))

    assert rows == CATALOGUE


def test_every_operation_and_method_is_named() -> None:
    missing = [name for name in (*OPERATIONS, *COMMANDS, *READS) if f"`{name}" not in TEXT]

    assert missing == []


def test_what_undoes_a_condition_is_what_its_method_takes() -> None:
    section = TEXT.split("\n## Conditions\n")[1].split("\n| Method")[0]
    undoing = re.findall(r"`(\{.+?\})` for\s+`(\w+)`", section, re.DOTALL)

    assert [name for _, name in undoing] == [
        "revoke_key", "restrict_key", "let_key_withdraw", "halt", "set_maintenance", "set_page"
    ]  # fmt: skip
    for body, name in undoing:
        signature(getattr(LocalExchange, name)).bind(None, **json.loads(body))


def test_every_frame_that_is_sent_is_in_the_table_and_no_other() -> None:
    section = TEXT.split("\n## What streams send\n")[1].split("\n## ")[0]
    sent, not_sent = section.split("These are not sent.")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", sent, re.MULTILINE)[1:]

    of_market = {
        name.partition("@")[2] for names, _ in rows for name in re.findall("`(.+?)`", names)
    }
    assert {name.replace("<interval>", "1m") for name in of_market} == set(STREAMS)
    frames = {frame for _, told in rows for frame in re.findall(r"`(\w{2,})`", told)}
    of_streams = {name for name, _ in STREAMS.values() if name}
    assert frames == of_streams | {
        "executionReport", "outboundAccountPosition", "balanceUpdate", "eventStreamTerminated",
        "serverShutdown",
    }  # fmt: skip
    assert {"listStatus", "externalLockUpdate"} <= set(re.findall(r"`(\w+)`", not_sent))
