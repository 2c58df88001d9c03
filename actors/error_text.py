"""What an error says, as it is kept: a strategy or a library wrote it, and perhaps much of it."""

import traceback
from collections.abc import Callable

from messages.texts import writable

MOST = 1_000
"""Letters of a sentence. All of it is in the log."""
MOST_OF_TRACE = 20_000
"""The end of a traceback says where."""
_CUT = "..."
Clean = Callable[[str], str]
"""Takes secrets out of a text."""


def as_it_is(text: str) -> str:
    """Give the text; where there are secrets, another function takes them out."""
    return text


def sentence_of(text: str, clean: Clean) -> str:
    """Give the first line; cleaned whole, then cut: a part of a secret would not be recognized."""
    line = writable(clean(text)).split("\n", 1)[0]
    return line if len(line) <= MOST else line[: MOST - len(_CUT)] + _CUT


def trace_of(error: BaseException, clean: Clean) -> str:
    """Give the traceback, or its end."""
    text = writable(clean("".join(traceback.format_exception(error))))
    return text if len(text) <= MOST_OF_TRACE else _CUT + text[len(_CUT) - MOST_OF_TRACE :]
