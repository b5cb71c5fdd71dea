"""The stages of the parser that the settings choose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings
from hookline.tracing.spans import calls_traced

__all__ = ["parser_stages"]

log = structlog.get_logger("hookline.worker")


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
        case "none":
            yield ParserStages()
        case name:
            from hookline.worker.parsing.stages import make_parser_stages

            async with installed()[name].open(settings) as client:
                with calls_traced(
                    type(client), f"{name} ", {"hookline.provider": name}, called="hookline.call"
                ):
                    yield make_parser_stages(client, settings)
