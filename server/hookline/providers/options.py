"""Options of a job for its provider: one model for each provider says which keys it takes.

Values may come from a command line, so a text is taken for a list, a number or a flag as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)

from hookline.providers.errors import Refused

__all__ = [
    "NO_OPTIONS",
    "Kinds",
    "Languages",
    "NoOptions",
    "Options",
    "PageRanges",
    "chosen_pages",
    "read_options",
]

_RANGE: Final = re.compile(r"([1-9][0-9]{0,5})(?:-([1-9][0-9]{0,5}))?")

NO_OPTIONS: Final[Mapping[str, object]] = {}
"""What a job has that was given none."""


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Kinds = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,29}$")], ...],
    BeforeValidator(_split),
    AfterValidator(lambda kinds: tuple(dict.fromkeys(kinds))),
]
"""Kinds of artifacts, such as text or json. Each provider offers some."""


class Options(BaseModel):
    """The base of all models of options. Every field has a default; unknown keys are refused.

    `artifacts` is what the job wants beside its markdown. A kind that the provider does not offer
    is no error, because the job may fall back to another one: the event artifact_failed names it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    artifacts: Kinds = ()


class NoOptions(Options):
    """Of a provider that takes no options."""


_AnyOptions = TypeVar("_AnyOptions", bound=Options)


def read_options(model: type[_AnyOptions], given: Mapping[str, object], name: str) -> _AnyOptions:
    """The options of a job for the provider of this name.

    A value that is an object holds the options of the provider that its key names: they win over
    the others for that one, and do not concern the rest. Raises Refused, permanent, with the code
    option_refused, for an unknown key or a wrong value.
    """
    chosen = {key: value for key, value in given.items() if not isinstance(value, Mapping)}
    own = given.get(name)
    if isinstance(own, Mapping):
        chosen |= own
    try:
        return model.model_validate(chosen)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = str(first["loc"][0])
    # Its own first, then those that every provider takes.
    taken = ", ".join(sorted(model.model_fields, key=lambda name: name in Options.model_fields))
    reason = first["msg"].removeprefix("Value error, ")
    raise Refused(
        f"{name} takes no option {key[:100]}. It takes {taken}."
        if first["type"] == "extra_forbidden"
        else f"The option {key} of {name} is wrong: {reason}.",
        code="option_refused",
        permanent=True,
    )


def _check_ranges(value: str) -> str:
    last = 0
    for part in value.split(","):
        found = _RANGE.fullmatch(part)
        first = int(found[1]) if found else 0
        if not found or first <= last or (found[2] and int(found[2]) < first):
            raise ValueError("it is pages in ascending order, such as 1-5,8")
        last = int(found[2] or first)
    return value


def _as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _check_languages(value: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(value) <= 20:
        raise ValueError("it has 1 to 20 languages")
    return value


PageRanges = Annotated[
    str,
    BeforeValidator(_as_text),
    StringConstraints(max_length=1000),
    AfterValidator(_check_ranges),
]
"""Pages from 1 in ascending order: `1-5,8`."""

Languages = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z_-]{1,19}$")], ...],
    BeforeValidator(_split),
    AfterValidator(_check_languages),
]
"""Languages as the provider names them, the most likely one first."""


def chosen_pages(ranges: str | None, pages: int) -> int:
    """How many of a document's pages a PageRanges chooses; all without one."""
    if ranges is None:
        return pages
    count = 0
    for first, last in _RANGE.findall(ranges):
        count += max(0, min(int(last or first), pages) - int(first) + 1)
    return max(1, count)
