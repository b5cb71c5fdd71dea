"""The options of a job, checked for a provider before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping

from hookline.providers.configured_parser import LOCAL
from hookline.providers.errors import Refused
from hookline.providers.installed import installed
from hookline.providers.options import NoOptions, Options, read_options

__all__ = ["check_job_options", "options_of_parser"]


def check_job_options(given: Mapping[str, object], model: type[Options], name: str) -> None:
    """Raise Refused, permanent, unless the provider of this name takes these options.

    A value that is an object is of the provider that its key names, so that a job can be retried
    with another one: `{"pages": "1-5", "llamacloud": {"tier": "agentic"}}`.
    """
    known = {*installed(), LOCAL, name}
    for key, value in given.items():
        if isinstance(value, Mapping) and key not in known:
            raise Refused(
                f"The option {key[:100]} is an object, and there is no provider of this name. The"
                f" providers are {', '.join(sorted(known))}.",
                code="option_refused",
                permanent=True,
            )
    read_options(model, given, name)


def options_of_parser(name: str) -> type[Options] | None:
    """The model of a parser's options; None for a name that is not installed here."""
    provider = installed().get(name)
    if provider is not None:
        return provider.options
    return NoOptions if name == LOCAL else None
