"""Which parsers the settings choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookline.providers.installed import installed
from hookline.providers.local.parser import PARSER, ParserMissing, parser_version
from hookline.settings import ConfigurationError, Settings

__all__ = ["LOCAL", "NONE", "ParserChoice", "choose_parser"]

LOCAL: Final = "local"
"""The parser on this machine."""

NONE: Final = "none"
"""No parser."""


@dataclass(frozen=True, slots=True)
class ParserChoice:
    """The parsers, and a sentence for people that says which and why.

    Each is LOCAL or the name of a provider, or there is only NONE. The first takes the jobs that
    name no provider.
    """

    parsers: tuple[str, ...]
    sentence: str


def choose_parser(settings: Settings) -> ParserChoice:
    """Choose the parsers: those of HOOKLINE_PARSER, if it is set.

    Otherwise it is the first provider whose variable is set, else the local parser if it is
    installed and can sign, else none. Raises ConfigurationError if HOOKLINE_PARSER names a
    provider that is not installed or names one twice, or a provider's own variable is wrong.
    """
    try:
        version: str | None = parser_version()
    except ParserMissing:
        version = None
    providers = installed()
    sentences = {name: f"{provider.title} parses" for name, provider in providers.items()}
    sentences |= {
        LOCAL: f"{PARSER} {version or '(not installed)'} parses on this machine",
        NONE: "Nothing is parsed by this worker",
    }
    if settings.parsers:
        for parser in settings.parsers:
            if parser not in sentences:
                raise ConfigurationError(
                    f"HOOKLINE_PARSER is wrong: no provider {parser} is installed. A right"
                    f" value: {', or '.join(sorted(sentences))}; or several, with commas."
                )
        if len(set(settings.parsers)) < len(settings.parsers) or (
            settings.parsers[1:] and (NONE in settings.parsers)
        ):
            raise ConfigurationError(
                "HOOKLINE_PARSER is wrong: it names a parser twice, or `none` beside another. A"
                " right value: llamacloud,local."
            )
        said = [sentences[settings.parsers[0]]]
        said += [f"{sentences[one]} what names {one}" for one in settings.parsers[1:]]
        return ParserChoice(settings.parsers, f"{', '.join(said)}: HOOKLINE_PARSER says so.")
    for name, provider in providers.items():
        if provider.is_configured(settings):
            return ParserChoice((name,), f"{sentences[name]}: {provider.variable} is set.")
    if version is not None and settings.llamaparse_secrets:
        return ParserChoice((LOCAL,), f"{sentences[LOCAL]}: LLAMA_CLOUD_API_KEY is not set.")
    missing = [
        sentence
        for sentence, found in (
            (f"{PARSER} is not installed", version),
            ("HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set", settings.llamaparse_secrets),
        )
        if not found
    ]
    return ParserChoice(
        (NONE,),
        f"{sentences[NONE]}: LLAMA_CLOUD_API_KEY is not set, and for a parser on this machine"
        f" {' and '.join(missing)}.",
    )
