"""Where in a person's own file something is: of an error, or of a thread that does not end."""

import traceback
from pathlib import Path
from types import FrameType


def line_of(error: BaseException, file: str) -> str:
    """Give the last line of a person's own file that an error came through; empty without one.

    As `mine.py:12, in on_candle`: the frames of libraries and of this project are left out.
    """
    if isinstance(error, SyntaxError) and error.filename == file:
        return f"{Path(file).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if not own:
        return line_of(error.__cause__, file) if error.__cause__ is not None else ""
    return _line(file, own[-1].lineno, own[-1].name)


def line_of_stack(frame: FrameType | None, file: str) -> str:
    """Give the same of what a thread is doing now."""
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return "" if frame is None else _line(file, frame.f_lineno, frame.f_code.co_name)


def _line(file: str, number: int | None, name: str) -> str:
    return f"{Path(file).name}:{number}" + (f", in {name}" if name != "<module>" else "")
