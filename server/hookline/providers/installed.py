"""The providers that are installed: the packages beside this module, and those of other projects.

Another project brings one by an entry point: in the group `hookline.providers`, with the name of
the provider, for an object as `hookline.providers.provider.Provider` describes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from hookline.providers.provider import Provider
from hookline.settings import ConfigurationError

__all__ = ["GROUP", "installed"]

GROUP: Final = "hookline.providers"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
# The local parser brings a stage of its own, and no client.
_RESERVED: Final = frozenset({"local", "none", "llamaparse", "llamaparse_push"})


@cache
def installed() -> Mapping[str, Provider]:
    """The providers by their names, in the order of the names.

    Raises ConfigurationError for an entry point that cannot be loaded or whose name is wrong or
    taken.
    """
    found: dict[str, Provider] = {}
    for module in iter_modules([str(Path(__file__).parent)]):
        if module.ispkg and module.name not in _RESERVED:
            found[module.name] = import_module(f"{__package__}.{module.name}.provider").PROVIDER
    for entry in entry_points(group=GROUP):
        where = f"The provider {entry.name} of the package {entry.dist.name if entry.dist else '?'}"
        if entry.name in found or entry.name in _RESERVED or not _NAME.fullmatch(entry.name):
            raise ConfigurationError(
                f"{where} needs another name: one that is not taken, of lower-case letters,"
                " digits and underscores."
            )
        try:
            provider = entry.load()
        except Exception as error:
            raise ConfigurationError(
                f"{where} cannot be imported: {type(error).__name__}, {error}."
            ) from error
        if getattr(provider, "name", None) != entry.name:
            raise ConfigurationError(f"{where} has another name in its code than in entry points.")
        found[entry.name] = provider
    return dict(sorted(found.items()))
