"""What msgspec must have looked at before two threads decode it at once."""

import threading
from typing import Any

import msgspec

_one_at_a_time = threading.Lock()


def learn(*kinds: Any) -> None:
    """Have msgspec look at types now: where their module is imported, before there are threads.

    Otherwise it looks at a Struct when that is first decoded, with Python's own code in between,
    and a second thread that comes meanwhile is given the half of it: the interpreter crashes.
    msgspec 0.23 has mended that; older ones are allowed.
    """
    with _one_at_a_time:
        for kind in kinds:
            msgspec.json.Decoder(kind)
