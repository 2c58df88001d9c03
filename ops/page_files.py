"""Where a page goes that a person asked for."""

from pathlib import Path

from ops.run_dir import atomic_write

_AS_THE_UMASK_SAYS = 0o666


def write_page(path: Path, text: str) -> None:
    """Replace a file as a whole: who looks, and a full disk, find the old one or the new one.

    Links stay, and so does who may read it.

    Raises:
        OSError: it cannot be written, with the name that was asked for.
    """
    try:
        place = path.resolve()
        if _is_device(path) or (place.exists() and not place.is_file()):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(place, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _is_device(path: Path) -> bool:
    """Whether it is /dev/stdout or the like, wherever that leads: into a file, perhaps."""
    return path.parent.resolve().parts[1:2] in (("dev",), ("proc",))


def _replace(place: Path, text: str) -> None:
    mode = place.stat().st_mode & 0o777 if place.exists() else None
    atomic_write(place, text.encode(), mode=_AS_THE_UMASK_SAYS if mode is None else mode)
    if mode is not None:
        place.chmod(mode)  # the umask may have taken of it
