"""ccxt's three packages without the hundred exchanges that nobody asked for.

Each of `ccxt`, `ccxt.async_support` and `ccxt.pro` imports a class of every exchange there is: that
is half of the memory of a bot that speaks to one. While the three are made, those lines of their
own source are left out, and a class is imported when somebody names it. All else of ccxt is as
it comes, the classes too; where its source has another shape nothing is left out.
"""

import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

_CHANGING = threading.Lock()
PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
_AN_EXCHANGE = re.compile(
    rb"^from (?:%b)\.(\w+) import \1\b"
    % b"|".join(re.escape(name.encode()) for name in reversed(PACKAGES)),
    re.MULTILINE,
)


class _Package(ModuleType):
    """Imports the class of an exchange that is asked for; it then stands where ccxt puts it."""

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("exchanges", ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        # Another thread may have made the module and not put it into the package yet.
        return getattr(import_module(f"{self.__name__}.{name}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system puts a module that it has made into its package: ours holds the class.
        if isinstance(value, ModuleType) and name in self.__dict__.get("exchanges", ()):
            value = getattr(value, name)
        super().__setattr__(name, value)


class _Loader(SourceFileLoader):
    """Makes one of the packages."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile what is left of it; the cache on the disk is of the whole."""
        path = self.get_filename(fullname)
        source = _AN_EXCHANGE.sub(b"pass  #", self.get_data(path))
        return self.source_to_code(source, path)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        super().exec_module(module)
        module.__class__ = _Package


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the packages our loader, where they are files of source."""
        if fullname not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


@contextmanager
def without_exchanges() -> Iterator[None]:
    """Have the packages that are imported in the block made so."""
    if all(name in sys.modules for name in PACKAGES):
        yield
        return
    finder = _Finder()
    # Lists of its own, for another thread may go through the one there is, and skip what moves.
    with _CHANGING:
        sys.meta_path = [finder, *sys.meta_path]
    try:
        yield
    finally:
        with _CHANGING:
            sys.meta_path = [one for one in sys.meta_path if one is not finder]
