"""What the driver takes for a secret in the address of a database."""

from contextlib import suppress


def passwords_in(address: str) -> set[str]:
    """Give every password in it; none where there is no driver, or it is no address.

    An URL ends a password elsewhere than the driver does, so nobody else is asked.
    """
    with suppress(Exception):  # who connects says what is wrong
        from psycopg.conninfo import conninfo_to_dict

        given = conninfo_to_dict(address)
        return {str(value) for name, value in given.items() if name.endswith("password")}
    return set()
