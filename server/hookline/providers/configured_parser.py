"""Which parser the settings choose."""

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
    """LOCAL, NONE or the name of a provider, and a sentence for people that says which and why."""

    parser: str
    sentence: str


def choose_parser(settings: Settings) -> ParserChoice:
    """Choose the parser: the one of HOOKLINE_PARSER, if it is set.

    Otherwise it is the first provider whose variable is set, else the local parser if it is
    installed and can sign, else none. Raises ConfigurationError if HOOKLINE_PARSER names no
    provider that is installed, or a provider's own variable is wrong.
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
    if settings.parser is not None:
        if settings.parser not in sentences:
            raise ConfigurationError(
                f"HOOKLINE_PARSER is wrong: no provider {settings.parser} is installed. A right"
                f" value: {', or '.join(sorted(sentences))}."
            )
        return ParserChoice(
            settings.parser, f"{sentences[settings.parser]}: HOOKLINE_PARSER says so."
        )
    for name, provider in providers.items():
        if provider.is_configured(settings):
            return ParserChoice(name, f"{sentences[name]}: {provider.variable} is set.")
    if version is not None and settings.llamaparse_secrets:
        return ParserChoice(LOCAL, f"{sentences[LOCAL]}: LLAMA_CLOUD_API_KEY is not set.")
    missing = [
        sentence
        for sentence, found in (
            (f"{PARSER} is not installed", version),
            ("HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set", settings.llamaparse_secrets),
        )
        if not found
    ]
    return ParserChoice(
        NONE,
        f"{sentences[NONE]}: LLAMA_CLOUD_API_KEY is not set, and for a parser on this machine"
        f" {' and '.join(missing)}.",
    )
