"""What a process says to systemd: `sd_notify(3)`, in its own few lines."""

import os
import socket
from collections.abc import Mapping

STATUS_LIMIT = 200


def notify_address(environment: Mapping[str, str] = os.environ) -> str:
    """Give where systemd listens; empty where it is not there to be told."""
    return environment.get("NOTIFY_SOCKET", "")


def notify(address: str, *words: str) -> bool:
    """Send words such as ``READY=1``, each a line; False when they were not taken."""
    if not address:
        return False
    text = "\n".join(word.replace("\n", " ") for word in words)
    place = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(0)
            out.connect(place)
            out.send(text.encode())
    except OSError:
        return False
    return True
