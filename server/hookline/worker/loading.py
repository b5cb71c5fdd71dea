"""Loads the user's stages: imports modules or .py files, whose decorators register the stages."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from hookline.settings import ConfigurationError
from hookline.stages import Stage, registered
from hookline.stages.registry import RIGHT_HANDLER

__all__ = ["load_stages"]


def load_stages(names: Iterable[str]) -> tuple[Stage, ...]:
    """Import each name: a module, looked for in the working directory first, or a .py file's path.

    Returns the stages that are registered afterwards. Raises ConfigurationError, which says what
    cannot be imported and why, or which name has no stage.
    """
    for name in names:
        before = len(registered())
        try:
            module = _import(name)
        except ConfigurationError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"The stages of {name} cannot be imported: {_why(error)}."
            ) from error
        if len(registered()) == before and not _has_stage(module):
            raise ConfigurationError(
                f"There is no stage in {name}: a handler there needs {RIGHT_HANDLER}."
            )
    return registered()


def _has_stage(module: ModuleType) -> bool:
    """Whether a module that was imported before has a stage: its own, a submodule's or imported."""
    named = vars(module).values()
    return any(
        f"{getattr(stage.handler, '__module__', '')}.".startswith(f"{module.__name__}.")
        or any(stage.handler is value for value in named)
        for stage in registered()
    )


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        _search(os.getcwd())
        return importlib.import_module(name)
    path = Path(name).resolve()
    if not path.is_file():
        raise ConfigurationError(f"The stages of {name} cannot be imported: there is no such file.")
    # The module gets a name of its own, since another module may have the name of the file.
    module_name = f"hookline_stages_{path.stem}_{abs(hash(path)):x}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    _search(str(path.parent))
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(
            f"The stages of {name} cannot be imported: it is not a Python file."
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _search(directory: str) -> None:
    if directory not in sys.path:
        sys.path.insert(0, directory)


def _why(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError, {error.msg} ({error.filename}, line {error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}, {str(error).rstrip('.')}{where}"
