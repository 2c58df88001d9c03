"""Whether files that a process has open are still those that the next one would find.

One that is deleted or replaced is written on all the same, and is gone with its last holder.
"""

from pathlib import Path

_Place = tuple[int, int]


class OpenFiles:
    """Of what is open from now on; one that is not there yet is looked at once it is."""

    def __init__(self, *paths: Path) -> None:
        self._places: dict[Path, _Place | None] = dict.fromkeys(map(Path.absolute, paths))
        self.taken_away()

    def taken_away(self) -> str:
        """Say which was deleted or replaced, and what that means; empty where none was."""
        for path, ours in self._places.items():
            try:
                there = _place_of(path)
            except OSError:
                continue  # who cannot be asked now has not said that it is gone
            if ours is None:
                self._places[path] = there
            elif there != ours:
                return (
                    f"{path} was deleted or replaced under this run: what it writes is lost when it"
                    " ends; halt it, compare the orders with the venue's, and begin anew in another"
                    " run_dir"
                )
        return ""


def _place_of(path: Path) -> _Place | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
