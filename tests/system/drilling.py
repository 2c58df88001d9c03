"""What the rehearsals share: a setting, the bugs that are planted, and how many at a time."""

from pathlib import Path

import strategies
from ops.config import demo_config, load
from ops.drill import CANDLES
from ops.drill_life import Nursery
from ops.drill_setting import Setting

JOBS = 3
MUTANTS = Path(__file__).with_name("drill_mutants.py")


def setting_of(nursery: Nursery, config_path: Path | None = None) -> Setting:
    check = strategies.check_params
    config = demo_config({}, check) if config_path is None else load(config_path, {}, check)
    return Setting(
        config_path=config_path, config=config, candles=CANDLES, seed=None, nursery=nursery
    )
