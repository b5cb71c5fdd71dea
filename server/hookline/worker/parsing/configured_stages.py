"""The stages of the parsers that the settings choose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog

from hookline.providers.configured_parser import choose_parser
from hookline.providers.installed import installed
from hookline.providers.parser_stages import ParserStages, PeriodicTask
from hookline.settings import Settings
from hookline.stages import Stage
from hookline.tracing.spans import calls_traced

__all__ = ["parser_stages"]

log = structlog.get_logger("hookline.worker")


@asynccontextmanager
async def parser_stages(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stages of the parsers that `choose_parser` chooses: each has its own for its own jobs.

    Jobs that name no provider belong to the first parser with a stage for their status. The clients
    are open inside the block. Raises ConfigurationError if a parser that was asked for cannot run.
    """
    choice = choose_parser(settings)
    log.info("parser", parser=",".join(choice.parsers), reason=choice.sentence)
    stages: list[Stage] = []
    periodic: list[PeriodicTask] = []
    async with AsyncExitStack() as stack:
        for name in choice.parsers:
            parser = await stack.enter_async_context(_stages_of(name, settings))
            known = {stage.status for stage in stages}
            stages += [
                replace(stage, provider=name, takes_unnamed=stage.status not in known)
                for stage in parser.stages
            ]
            periodic += parser.periodic
        yield ParserStages(tuple(stages), tuple(periodic))


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
