"""Which parser the settings choose, and its stages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import structlog

from hookline.providers.local.parser import PARSER, ParserMissing, parser_version
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings

__all__ = ["Parser", "ParserChoice", "choose_parser", "parser_stages"]

log = structlog.get_logger("hookline.worker")

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


@asynccontextmanager
async def parser_stages(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stages of the parser that `choose_parser` chooses. Its clients are open inside the block.

    Raises ConfigurationError if the parser that was asked for cannot run.
    """
    choice = choose_parser(settings)
    log.info("parser", parser=choice.parser, reason=choice.sentence)
    # Imported here, since each parser needs an optional package.
    match choice.parser:
        case "local":
            from hookline.providers.local.stage import local_stage

            async with local_stage(settings) as stages:
                yield stages
        case "llamacloud":
            from hookline.providers.llamacloud.stages import llamacloud_stages

            async with llamacloud_stages(settings) as stages:
                yield stages
        case "none":
            yield ParserStages()
