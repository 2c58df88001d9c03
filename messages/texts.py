"""Texts that others wrote, as files can hold them: UTF-8 has no bytes for half of a character.

Such halves come of file names that are no UTF-8, and of JSON that was cut within an escape.
"""


def is_writable(text: str) -> bool:
    """Whether UTF-8 has bytes for all of it."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def writable(text: str) -> str:
    """Give the text with each such half spelled out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
