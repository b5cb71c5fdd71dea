"""Check the configuration: variables, sources, parser."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from hookline.doctor.check import Check, count
from hookline.process.http_client import open_http_client
from hookline.providers.configured_parser import LOCAL, NONE, choose_parser
from hookline.providers.installed import installed
from hookline.providers.local.parser import PARSER
from hookline.receiver.configured_sources import configured_sources
from hookline.settings import ConfigurationError, Settings, load

__all__ = ["check_configuration", "load_valid", "receives", "unknown_variables"]


_VARIABLES = [str(field.alias) for field in Settings.model_fields.values()]


def unknown_variables(environment: Mapping[str, str]) -> Iterator[Check]:
    """A warning for each HOOKLINE_ variable that is no setting, most often a misspelled one."""
    for name in sorted(environment):
        # HOOKLINE_SOURCES describes senders, and each has its own variable.
        of_sender = "HOOKLINE_SOURCES" in environment and name.endswith("_SECRETS")
        if name.startswith("HOOKLINE_") and name not in _VARIABLES and not of_sender:
            near = difflib.get_close_matches(name, _VARIABLES, n=1)
            meant = f": did you mean {near[0]}?" if near else ": remove it."
            yield Check("configuration", "warning", f"{name} is not a setting{meant}")


def load_valid() -> tuple[Settings | None, list[Check]]:
    """The settings without the variables that are wrong, and a row for each wrong one.

    The other checks run with these settings. None if not even the rest can be read.
    """
    faults: list[Check] = []
    ignored: set[str] = set()
    while True:
        try:
            settings = load(ignoring=ignored)
        except ConfigurationError as error:
            sentence = str(error)
            if not faults or faults[-1].sentence != sentence:
                faults.append(Check("configuration", "fault", sentence))
            named = [name for name in re.findall(r"[A-Z][A-Z_]+", sentence) if name in _VARIABLES]
            # The first one may be right, and disagree with another: then that is left out, too.
            if not (new := [name for name in named if name not in ignored]):
                return None, faults
            ignored.add(new[0])
        else:
            return settings, faults or [Check("configuration", "ok", "Every value is valid.")]


def check_configuration(settings: Settings) -> Iterator[Check]:
    """The rows of valid settings: who may send, who parses, who is told."""
    yield _check_sources(settings)
    yield check_parser(settings)
    if settings.notify_url is not None:
        # Without its path, which may be a secret.
        host = urlsplit(settings.notify_url.get_secret_value()).netloc
        signed = count(len(settings.notify_secrets), "secret")
        yield Check("notifications", "ok", f"Workers tell {host} of steps, signed with {signed}.")


def _check_sources(settings: Settings) -> Check:
    """The row of the sources: those that HOOKLINE_SOURCES describes must be right and whole."""
    try:
        sources = {source.name: len(source.keys) for source in configured_sources(settings)}
    except ConfigurationError as error:
        return Check("sources", "fault", f"`hookline serve` does not start: {error}")
    if not any(sources.values()):
        return Check(
            "sources",
            "warning",
            "No source has a secret, so `hookline serve` does not start: set"
            " HOOKLINE_LLAMAPARSE_SECRETS, HOOKLINE_LLAMACLOUD_SECRETS or HOOKLINE_PUSH_SECRETS.",
        )
    named = {
        f"llamaparse ({settings.llamaparse_scheme})": sources.pop("llamaparse"),
        "llamacloud": sources.pop("llamacloud"),
        "push": sources.pop("llamaparse_push"),
    }
    # Of the other providers only those that are in use.
    named |= {name: number for name, number in sources.items() if number}
    counts = ", ".join(
        f"{name}: {count(number, 'secret') if number else 'none, answers 401'}"
        for name, number in named.items()
    )
    if settings.push_secrets and settings.public_url is None:
        counts += "; `hookline url` also needs HOOKLINE_PUBLIC_URL"
    return Check("sources", "ok", f"{counts}.")


def check_parser(settings: Settings) -> Check:
    """Who parses, if a worker starts with these settings, and what is missing for that."""
    try:
        choice = choose_parser(settings)
        remedies = [one for parser in choice.parsers for one in _remedies(parser, settings)]
    except ConfigurationError as error:
        return Check("parser", "fault", f"`hookline work` does not start: {error}")
    if remedies:
        return Check(
            "parser",
            "fault",
            f"{choice.sentence} `hookline work` does not start: {' and '.join(remedies)}.",
        )
    if "llamacloud" in choice.parsers:
        from httpx import AsyncClient

        try:
            open_http_client(AsyncClient)
        except ConfigurationError as error:
            return Check("parser", "fault", f"`hookline work` does not start: {error}")
    return Check("parser", "ok", choice.sentence)


def _remedies(parser: str, settings: Settings) -> Sequence[str]:
    if parser == NONE:
        return ()
    if parser != LOCAL:
        return installed()[parser].remedies(settings)
    needs = (
        (
            f"pip install '.[local]' in the checkout of Hookline, which brings {PARSER}",
            find_spec(PARSER) is None,
        ),
        ("set HOOKLINE_LLAMAPARSE_SECRETS to sign with", not settings.llamaparse_secrets),
    )
    return [remedy for remedy, missing in needs if missing]


def receives(settings: Settings) -> bool:
    """Whether these settings are for a receiver: some source has a secret."""
    try:
        return any(source.keys for source in configured_sources(settings))
    except ConfigurationError:
        return True
