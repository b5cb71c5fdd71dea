"""The stages that Hookline brings along, by what is configured: whose parser it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import structlog

from hookline.providers.local.parser import PARSER, ParserMissing, parser_version
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings

__all__ = ["Choice", "Parser", "choose_parser", "parser_stages"]

log = structlog.get_logger("hookline.worker")

Parser = Literal["local", "llamacloud", "none"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Who parses, and a sentence that says so and why."""

    parser: Parser
    sentence: str


def choose_parser(settings: Settings) -> Choice:
    """What HOOKLINE_PARSER says; else LlamaCloud with a key, else what this machine can do."""
    try:
        version: str | None = parser_version()
    except ParserMissing:
        version = None
    here = f"{PARSER} {version or '(not installed)'} parses on this machine"
    words = {
        "local": here,
        "llamacloud": "LlamaCloud parses",
        "none": "Nothing is parsed by this worker",
    }
    if settings.parser is not None:
        return Choice(settings.parser, f"{words[settings.parser]}: HOOKLINE_PARSER says so.")
    if settings.llama_cloud_api_key is not None:
        return Choice("llamacloud", f"{words['llamacloud']}: LLAMA_CLOUD_API_KEY is set.")
    if version is not None and settings.llamaparse_secrets:
        return Choice("local", f"{words['local']}: LLAMA_CLOUD_API_KEY is not set.")
    lacks = [
        what
        for what, there in (
            (f"{PARSER} is not installed", version),
            ("HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set", settings.llamaparse_secrets),
        )
        if not there
    ]
    return Choice(
        "none",
        f"{words['none']}: LLAMA_CLOUD_API_KEY is not set, and for a parser on this machine"
        f" {' and '.join(lacks)}.",
    )


@asynccontextmanager
async def parser_stages(settings: Settings) -> AsyncIterator[ParserStages]:
    """What `choose_parser` chose; clients that it needs are open inside the block.

    Raises ConfigurationError if what was asked for cannot be.
    """
    choice = choose_parser(settings)
    log.info("parser", parser=choice.parser, reason=choice.sentence)
    # Imported here, since each needs an extra of its own.
    match choice.parser:
        case "local":
            from hookline.providers.local.stage import local_stage

            async with local_stage(settings) as stages:
                yield stages
        case "llamacloud":
            from hookline.providers.llamacloud.stages import llamacloud

            async with llamacloud(settings) as stages:
                yield stages
        case "none":
            yield ParserStages()
