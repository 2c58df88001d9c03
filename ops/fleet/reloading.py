"""What a fleet file that is read anew changes, before anything of it is done."""

from collections.abc import Mapping

import msgspec

from messages.learning import learn
from ops.fleet.bot_files import problems_of
from ops.fleet.config import FleetConfig
from ops.fleet.roster import Bot


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The bots of both, by what becomes of them."""

    changed: list[str]
    """Drained and started as they are now; what a person stopped stays so."""
    begun: list[str]
    ended: list[str]
    left_alone: list[str]

    def __str__(self) -> str:
        parts = {
            name.replace("_", " "): names for name, names in msgspec.structs.asdict(self).items()
        }
        return "; ".join(f"{name} {', '.join(names)}" for name, names in parts.items() if names)


learn(Reloaded)


def compare(bots: Mapping[str, Bot], fleet: FleetConfig) -> Reloaded:
    """Say what becomes of whom; `bots` are those that there are."""
    wanted = {spec.bot: spec for spec in fleet.bots}
    known = {name: bot for name, bot in bots.items() if name in wanted and not bot.leaves}
    changed = [name for name, bot in known.items() if bot.differs(wanted[name])]
    return Reloaded(
        changed=changed,
        begun=[name for name in wanted if name not in known],
        ended=[name for name in bots if name not in wanted],
        left_alone=[name for name in known if name not in changed],
    )


def mistakes(bots: Mapping[str, Bot], fleet: FleetConfig) -> list[str]:
    """Say what is wrong with the changed config of a bot: nobody is drained to be refused next."""
    known = ((bots[spec.bot], spec) for spec in fleet.bots if spec.bot in bots)
    changed = [spec.config for bot, spec in known if bot.has_other_files(spec)]
    return [found for config in dict.fromkeys(changed) if (found := problems_of(config))]
