"""Faults of the storage. These senders never repeat a 500: the drain has to finish what is kept."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from fakes.supabase_storage import SECRET_KEY, SupabaseImitation
from faults.lab import Lab, System
from faults.postgres_faults import running_postgres
from faults.small_disk import fill, small_disk

# The drain leaves a content to the receiver for 30 seconds, and then doubles its pauses.
_SETTLE = 180.0


async def storage_fails(lab: Lab) -> None:
    """The remote storage answers 500, and comes back."""
    await _remote(lab, "database_is_down")


async def storage_hangs(lab: Lab) -> None:
    """The remote storage takes requests and never answers, and comes back."""
    await _remote(lab, "hangs")


async def _remote(lab: Lab, fault: str) -> None:
    imitation = SupabaseImitation()
    await imitation.start()
    try:
        async with (
            running_postgres() as postgres,
            _system(
                lab,
                postgres.url,
                {
                    "HOOKLINE_STORAGE_URL": "supabase://parsed",
                    "SUPABASE_URL": imitation.url,
                    "SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY,
                },
            ) as system,
        ):
            system.read = lambda path: _object(imitation, path)
            setattr(imitation, fault, True)
            await asyncio.sleep(lab.seconds(30, 3))
            setattr(imitation, fault, False)
            system.end()
    finally:
        await imitation.stop()
    _remark(lab, system)


def _object(imitation: SupabaseImitation, path: str) -> bytes | None:
    found = imitation.objects.get(("parsed", path.removeprefix("storage://parsed/")))
    return None if found is None else found.content


async def directory_away(lab: Lab) -> None:
    """The directory of the objects is away, as a disk that is not mounted, and comes back."""
    async with running_postgres() as postgres, _system(lab, postgres.url, {}) as system:
        away = system.objects.rename(system.objects.with_name("away"))
        await asyncio.sleep(lab.seconds(30, 3))
        away.rename(system.objects)
        system.end()
    _remark(lab, system)


async def disk_full(lab: Lab) -> None:
    """The disk of the objects is full, and is then freed."""
    async with running_postgres() as postgres:
        disk = lab.directory / "disk"
        disk.mkdir()
        with small_disk(disk, "4m"):
            async with _system(
                lab, postgres.url, {"HOOKLINE_STORAGE_URL": disk.as_uri()}
            ) as system:
                system.objects = disk
                filler = fill(disk)
                await asyncio.sleep(lab.seconds(30, 3))
                filler.unlink()
                system.end()
    _remark(lab, system)


def _system(
    lab: Lab, database: str, environment: dict[str, str]
) -> AbstractAsyncContextManager[System]:
    return lab.system(
        database,
        recovers_within=15,
        settle=_SETTLE,
        per_second=5,
        content_only=True,
        last_answers=("500",),
        environment={"HOOKLINE_STORAGE_DEADLINE": "2", **environment},
    )


def _remark(lab: Lab, system: System) -> None:
    lab.row.remarks.append(f"{system.ledger.answers['500']} kept, left to the drain")
