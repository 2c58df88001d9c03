"""Addresses as a person writes them, and whether only this machine can reach them."""

_PORTS = 65_535


def split_address(text: str) -> tuple[str, int] | None:
    """Give host and port of ``127.0.0.1:9464`` or ``[::1]:9464``; None where it is neither."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_number = port.isascii() and port.isdecimal() and len(port) <= len(str(_PORTS))
    return (host, int(port)) if host and is_number and int(port) <= _PORTS else None


def is_loopback(host: str) -> bool:
    """Whether a host's name or address can only be this machine."""
    import ipaddress  # costs a start some milliseconds and is rarely needed

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
