"""What an orchestrator must find again after it was killed, and what persons ask of it.

Both lie in one SQLite file: a request that was made while nobody ran is carried out by the next,
but for `down`, which is of the orchestrator that it was asked of.
That no bot runs twice does not rest on this file, but on the lock of each run directory.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from peewee import (
    AutoField,
    BigIntegerField,
    IntegerField,
    Model,
    PeeweeException,
    SchemaManager,
    SqliteDatabase,
    TextField,
)

from messages.errors import WatchkeeperError
from persistence.database import BUSY_MS, first_cause
from persistence.private_file import make_private


class FleetStateUnavailable(WatchkeeperError):
    """The fleet's file cannot be read or written; the text says why."""


class BotRow(Model):
    """One bot: what it was started with, where it stands, and its process."""

    bot = TextField(primary_key=True)
    place = IntegerField()
    spec = TextField()
    memory = TextField()
    pid = IntegerField(null=True)
    exit_code = IntegerField(null=True)

    class Meta:
        """As few rows as there are bots."""

        table_name = "bots"
        without_rowid = True


class RequestRow(Model):
    """What a person wants; `answer` is empty until it was taken up."""

    number = AutoField()
    verb = TextField()
    bot = TextField()
    at_ns = BigIntegerField()
    answer = TextField(default="")

    class Meta:
        """In the order of asking."""

        table_name = "requests"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One bot, as it was left. `spec` and `memory` are JSON of whoever wrote them."""

    bot: str
    place: int
    spec: str
    memory: str
    pid: int | None
    exit_code: int | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One wish of a person."""

    number: int
    verb: str
    bot: str


class FleetStore:
    """Belongs to the thread that made it. Many threads and processes may have the file open.

    Each query names its database: a model that is bound to one is so for all threads.

    Raises:
        FleetStateUnavailable: from here, and from every method.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        pragmas = {"journal_mode": "wal", "busy_timeout": BUSY_MS, "synchronous": 1}
        self._database = SqliteDatabase(str(path), pragmas=pragmas, autoconnect=False)
        with self._errors():
            make_private(path)
            self._database.connect()
            for model in (BotRow, RequestRow):
                SchemaManager(model, self._database).create_all(safe=True)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def bots(self) -> list[Kept]:
        """Give every bot, in the fleet's order."""
        with self._change():
            return [
                Kept(
                    bot=row.bot,
                    place=row.place,
                    spec=row.spec,
                    memory=row.memory,
                    pid=row.pid,
                    exit_code=row.exit_code,
                )
                for row in BotRow.select().order_by(BotRow.place).execute(self._database)
            ]

    def keep(self, kept: Kept) -> None:
        """Write one bot down, in the place of what was known of it."""
        with self._change():
            BotRow.replace(**msgspec.structs.asdict(kept)).execute(self._database)  # type: ignore[no-untyped-call]  # peewee has no types

    def forget(self, bot: str) -> None:
        """Take one bot out: it is no more in the fleet."""
        with self._change():
            BotRow.delete().where(BotRow.bot == bot).execute(self._database)

    def ask(self, verb: str, bot: str, now_ns: int) -> int:
        """Write a wish down, and give its number."""
        with self._change():
            wish = RequestRow.insert(verb=verb, bot=bot, at_ns=now_ns)
            return int(wish.execute(self._database))

    def open_requests(self) -> list[Request]:
        """Give the wishes that nobody has taken up, oldest first."""
        with self._change():
            rows = RequestRow.select().where(RequestRow.answer == "").order_by(RequestRow.number)
            return [
                Request(number=row.number, verb=row.verb, bot=row.bot)
                for row in rows.execute(self._database)
            ]

    def answer(self, number: int, answer: str) -> None:
        """Say what became of a wish; never with an empty text."""
        with self._change():
            said = RequestRow.update(answer=answer).where(RequestRow.number == number)
            said.execute(self._database)

    def answer_to(self, number: int) -> str:
        """Give the answer to a wish; empty while there is none."""
        with self._change():
            row = RequestRow.select().where(RequestRow.number == number).first(self._database)
            return "" if row is None else str(row.answer)

    def tidy(self, keep: int = 100) -> None:
        """Forget the oldest answered wishes."""
        with self._change():
            newest = (
                RequestRow.select(RequestRow.number).order_by(RequestRow.number.desc()).limit(keep)
            )
            old = RequestRow.delete().where(
                RequestRow.answer != "", RequestRow.number.not_in(newest)
            )
            old.execute(self._database)

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._errors(), self._database.atomic("IMMEDIATE"):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (PeeweeException, sqlite3.Error, OSError) as error:
            first = first_cause(error)
            raise FleetStateUnavailable(f"{self._path} cannot be used: {first}") from error
