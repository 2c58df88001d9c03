"""What a publisher wants of its stream; the rest of it is whoever runs the server's."""

from collections.abc import Mapping, Sequence
from typing import Any

from exchanges.bus_address import StreamLimits
from messages.ids import NS_PER_S

_AS_MADE = {"retention": "limits", "storage": "file", "num_replicas": 1, "max_msgs": -1}


def configured(
    told: Mapping[str, Any] | None,
    name: str,
    subjects: Sequence[str],
    metadata: Mapping[str, str],
    limits: StreamLimits,
    largest: int,
) -> dict[str, Any]:
    """Give the configuration of a stream that is made, or changed from what the server told of it.

    The server takes what an update leaves out for what it gives a new stream.
    """
    before: Mapping[str, Any] = _AS_MADE if told is None else told
    return {
        **before,
        "name": name,
        "subjects": list(subjects),
        "discard": "old",
        "max_age": limits.max_age_s * NS_PER_S,
        "max_bytes": limits.max_bytes,
        "max_msg_size": largest,
        "duplicate_window": min(limits.duplicates_s, limits.max_age_s) * NS_PER_S,
        "metadata": {**(before.get("metadata") or {}), **metadata},
    }
