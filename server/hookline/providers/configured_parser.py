"""Which parser the settings choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hookline.providers.local.parser import PARSER, ParserMissing, parser_version
from hookline.settings import Settings

__all__ = ["Parser", "ParserChoice", "choose_parser"]

Parser = Literal["local", "llamacloud", "none"]


@dataclass(frozen=True, slots=True)
class ParserChoice:
    """The parser that was chosen, and a sentence for people that says which and why."""

    parser: Parser
    sentence: str


def choose_parser(settings: Settings) -> ParserChoice:
    """Choose the parser: the one of HOOKLINE_PARSER, if it is set.

    Otherwise it is LlamaCloud if there is a key, else the local parser if it is installed and can
    sign, else none.
    """
    try:
        version: str | None = parser_version()
    except ParserMissing:
        version = None
    sentences = {
        "local": f"{PARSER} {version or '(not installed)'} parses on this machine",
        "llamacloud": "LlamaCloud parses",
        "none": "Nothing is parsed by this worker",
    }
    if settings.parser is not None:
        return ParserChoice(
            settings.parser, f"{sentences[settings.parser]}: HOOKLINE_PARSER says so."
        )
    if settings.llama_cloud_api_key is not None:
        return ParserChoice("llamacloud", f"{sentences['llamacloud']}: LLAMA_CLOUD_API_KEY is set.")
    if version is not None and settings.llamaparse_secrets:
        return ParserChoice("local", f"{sentences['local']}: LLAMA_CLOUD_API_KEY is not set.")
    missing = [
        sentence
        for sentence, found in (
            (f"{PARSER} is not installed", version),
            ("HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set", settings.llamaparse_secrets),
        )
        if not found
    ]
    return ParserChoice(
        "none",
        f"{sentences['none']}: LLAMA_CLOUD_API_KEY is not set, and for a parser on this machine"
        f" {' and '.join(missing)}.",
    )
