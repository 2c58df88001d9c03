"""One life of our process in the order path's model, and what a kill leaves of it."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pykka

from actors.live_gateway import LiveGateway
from decisions.risk import RiskLimits
from messages.errors import LedgerUnavailable
from messages.ids import TimestampNs
from persistence.ledger import SqliteLedger
from tests.actors.exchange_model import ModelExchange, ModelVenue
from tests.actors.order_path import BTC, OPENED, OnSteps
from tests.actors.stepped_loop import SteppedLoop

LIMITS = RiskLimits(max_daily_loss={"USDT": Decimal(10**9)})
MEMORY = Path("/dev/shm")


def new_folder(*, on_disk: bool) -> Path:
    return Path(tempfile.mkdtemp(dir=None if on_disk or not MEMORY.is_dir() else MEMORY))


class Life:
    """An executor, its gateway and its client, on the files of a folder."""

    def __init__(
        self, folder: Path, exchange: ModelExchange, start_ns: int, max_age_ns: int | None
    ) -> None:
        self.folder = folder
        self.loop = SteppedLoop()
        self.venue = ModelVenue(exchange)
        self.fails = ""
        """What happens at the next commit: ``fail`` or ``kill``, ``before`` or ``after``."""
        self.remains: Path | None = None
        """What it left on the disk, once it was killed."""
        self.path = OnSteps(
            folder,
            limits=LIMITS,
            max_decision_age_ns=max_age_ns,
            open_ledger=lambda: MortalLedger(folder / "ledger.db", self),
            make_gateway=self._gateway,
            start_ns=start_ns,
        )

    def _gateway(self, executor: Any, utc_ns: Callable[[], TimestampNs]) -> LiveGateway:
        loop: Any = self.loop
        self.gateway = LiveGateway(self.venue, loop, executor, utc_ns)
        return self.gateway

    def begin(self) -> None:
        self.gateway.watch([BTC])
        self.loop.tasks[0].go()
        self.path.start()

    def kill(self) -> None:
        """SIGKILL: what was committed is on the disk, and nothing else is left."""
        if self.remains is None:
            self.remains = self.folder.with_name(self.folder.name + "x")
            shutil.copytree(self.folder, self.remains, ignore=shutil.ignore_patterns("*-shm"))
        self.loop.kill()

    def let_the_loop_run(self) -> None:
        """Meanwhile the loop's own thread sends what it has been given so far."""
        for name in ("begin", "connect"):
            for task in self.loop.waiting(name):
                task.go(None if name == "begin" else True)

    def bury(self) -> None:
        """Give back what this process holds of a life that is over."""
        self.loop.kill()
        for ref in pykka.ActorRegistry.get_all():
            pykka.ActorRegistry.unregister(ref)
        while OPENED:
            OPENED.pop().close()
        shutil.rmtree(self.folder)


class MortalLedger(SqliteLedger):
    """Fails, or dies with its process, before it has written or when all is on disk."""

    def __init__(self, path: Path, life: Life) -> None:
        self._life = life
        super().__init__(path)

    def _commit(self, writes: Sequence[Any]) -> None:
        how, self._life.fails = self._life.fails, ""
        if how:
            self._life.let_the_loop_run()
        if how.endswith("before"):
            self._end(how)
        super()._commit(writes)
        if how.endswith("after"):
            self._end(how)

    def _end(self, how: str) -> None:
        if how.startswith("kill"):
            self._life.kill()
        raise LedgerUnavailable(how)
