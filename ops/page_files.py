"""Where a page goes that a person asked for."""

from pathlib import Path

from ops.run_dir import atomic_write

_AS_THE_UMASK_SAYS = 0o666


def write_page(path: Path, text: str) -> None:
    """Replace a file as a whole: who looks, and a full disk, find the old one or the new one.

    Raises:
        OSError: it cannot be written, with the name that was asked for.
    """
    try:
        if path.exists() and not path.is_file():  # /dev/stdout and its like are written to
            path.write_text(text, encoding="utf-8")
        else:
            atomic_write(path, text.encode(), mode=_AS_THE_UMASK_SAYS)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
