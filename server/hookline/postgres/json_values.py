"""Reading the JSON of Postgres without ever failing: one value that is odd must not stop a batch.

Postgres stores numbers of 131,072 digits and nests thousands of levels deep. Python reads integers
of at most 4,300 digits (sys.get_int_max_str_digits), and its own stack limits the nesting.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

__all__ = ["UNREADABLE", "read_json"]

UNREADABLE: Final = "unreadable"
"""The only key of the object that stands for a value which Python cannot hold; says why."""


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        # Written again it would be `Infinity`, which is not JSON.
        raise ValueError("a number beyond a double")
    return number


def read_json(text: bytes | str) -> Any:
    """The value of a json or jsonb column, or {"unreadable": reason}. Never raises."""
    try:
        return json.loads(text, parse_float=_finite)
    except ValueError:
        return {UNREADABLE: "a number is too long for Python"}
    except RecursionError:
        return {UNREADABLE: "it is nested too deeply for Python"}
