"""Options of the form KEY=VALUE, which may be given several times."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable

__all__ = ["json_of_pairs", "texts_of_pairs"]


def texts_of_pairs(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """The values as they were typed. Raises WrongUsage."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or key in found:
            fault = "is given twice" if key in found else "is wrong"
            raise WrongUsage(
                f"{option} {printable(pair)} {fault}. A right value: {option} customer=42."
            )
        found[key] = value
    return found


def json_of_pairs(option: str, pairs: Iterable[str]) -> dict[str, object]:
    """The values as JSON where they are JSON, else as texts. Raises WrongUsage."""
    return {key: _json_or_text(value) for key, value in texts_of_pairs(option, pairs).items()}


def _json_or_text(value: str) -> object:
    try:
        # json.loads would also take NaN and Infinity, which are not JSON.
        return json.loads(value, parse_constant=lambda constant: constant)
    except ValueError:
        return value
