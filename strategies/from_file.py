"""A user's strategy: a class in a file of theirs, named ``path/to/file.py:ClassName``."""

import importlib.util
import sys
from contextlib import redirect_stdout
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from messages.errors import ConfigError
from messages.own_lines import line_of
from strategies.protocol import Strategy
from strategies.siblings import code_files, reach


def class_from_file(uses: str) -> type[Strategy]:
    """Run the file once per process and give its class.

    Raises:
        ConfigError: one sentence about what is wrong with the path, the file or the class.
    """
    path_text, _, class_name = uses.rpartition(":")
    if not path_text.endswith(".py") or not class_name:
        raise ConfigError([f'"{uses}" must look like path/to/file.py:ClassName'])
    path = Path(path_text)
    if not path.is_file():
        raise ConfigError([f"there is no strategy file {path_text}"])
    return _strategy_class(_module(path.resolve()), class_name, path_text)


def _module(path: Path) -> ModuleType:
    # The name is the path's hash: two files with one stem must not replace each other.
    name = f"_strategy_{path.stem}_{blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError([f"{path} is not a Python file"])
    reach(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: classes look themselves up there
    vars(module)["print"] = _print_aside
    try:
        with redirect_stdout(sys.stderr):  # what it imports may print, too
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # its file may call sys.exit, and we go on
        del sys.modules[name]
        where = line_of(error, str(path))
        said = error.msg if isinstance(error, SyntaxError) else error  # the rest is `where`
        what = f"{type(error).__name__}: {said}" + (f" ({where})" if where else "")
        raise ConfigError([f"{path} cannot be run: {what}"]) from error
    except BaseException:  # interrupted: what there is of it is no module
        del sys.modules[name]
        raise
    _print_all_aside(path)
    return module


def _print_all_aside(path: Path) -> None:
    """Take the `print` of what it imported from beside it, too."""
    beside = {str(one) for one in code_files(path)[1:]}
    for module in list(sys.modules.values()) if beside else ():
        if getattr(module, "__dict__", {}).get("__file__") in beside:
            vars(module).setdefault("print", _print_aside)


def _print_aside(*values: object, file: Any = None, **how: Any) -> None:
    """Be the `print` of a strategy's file: stdout is for lines that programs read."""
    print(*values, file=sys.stderr if file is None else file, **how)


def _strategy_class(module: ModuleType, class_name: str, path_text: str) -> type[Strategy]:
    found = getattr(module, class_name, None)
    if found is None:
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        from difflib import get_close_matches

        close = get_close_matches(class_name, classes, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise ConfigError([f'{path_text} has no class "{class_name}"{hint}'])
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        text = f"{path_text}: {class_name} must inherit strategies.protocol.Strategy"
        raise ConfigError([text])
    return found
