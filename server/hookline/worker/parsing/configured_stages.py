"""The stages of the parsers that the settings choose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog

from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings
from hookline.stages import (
    Advance,
    HandedOver,
    Handler,
    Job,
    Paused,
    Stage,
    Tools,
)
from hookline.tracing.spans import calls_traced

__all__ = ["combine", "parser_stages"]

log = structlog.get_logger("hookline.worker")


@asynccontextmanager
async def parser_stages(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stages of the parsers that `choose_parser` chooses: each has its own for its own jobs.

    Jobs that name no provider belong to the first parser with a stage for their status. The clients
    are open inside the block. Raises ConfigurationError if a parser that was asked for cannot run.
    """
    choice = choose_parser(settings)
    log.info("parser", parser=",".join(choice.parsers), reason=choice.sentence)
    async with AsyncExitStack() as stack:
        yield combine(
            {
                name: await stack.enter_async_context(_stages_of(name, settings))
                for name in choice.parsers
            }
        )


def combine(parsers: Mapping[str, ParserStages]) -> ParserStages:
    """The stages of parsers that run side by side, each for its own jobs."""
    stages: list[Stage] = []
    for name, parser in parsers.items():
        known = {stage.status for stage in stages}
        stages += [
            replace(
                stage,
                handler=_pausing_only(name, stage.handler),
                provider=name,
                takes_unnamed=stage.status not in known,
            )
            for stage in parser.stages
        ]
    return ParserStages(
        tuple(stages), tuple(task for parser in parsers.values() for task in parser.periodic)
    )


def _pausing_only(provider: str, handler: Handler) -> Handler:
    """The handler, whose pauses concern the jobs of its provider only.

    Other workers may parse the jobs of others in the same stage.
    """

    async def handle(job: Job, tools: Tools) -> Advance | HandedOver | str:
        try:
            return await handler(job, tools)
        except Paused as paused:
            paused.provider = provider
            raise

    return handle


@asynccontextmanager
async def _stages_of(name: str, settings: Settings) -> AsyncIterator[ParserStages]:
    # Imported here, since each parser needs an optional package.
    match name:
        case "local":
            from hookline.providers.local.stage import local_stage

            async with local_stage(settings) as stages:
                yield stages
        case "none":
            yield ParserStages()
        case _:
            from hookline.worker.parsing.stages import make_parser_stages

            async with installed()[name].open(settings) as client:
                with calls_traced(
                    type(client), f"{name} ", {"hookline.provider": name}, called="hookline.call"
                ):
                    yield make_parser_stages(client, settings)
