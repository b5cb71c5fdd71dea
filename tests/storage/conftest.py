"""Fixtures: every kind of storage, and an imitation of Supabase Storage that can fail."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from fakes.supabase_storage import Bucket, SupabaseImitation, imitation
from hookline.settings import Settings
from hookline.storage.objects import Storage
from hookline.storage.opening import open_storage


@pytest.fixture
async def supabase() -> AsyncIterator[SupabaseImitation]:
    async with imitation() as server:
        yield server


HAS_PROJECT = "SUPABASE_URL" in os.environ and "SUPABASE_SERVICE_ROLE_KEY" in os.environ


@pytest.fixture(params=["file", "imitation", *(["real"] if HAS_PROJECT else [])])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """Each kind of storage, empty. Supabase is a real project if the environment names one."""
    if request.param == "file":
        async with open_storage(Settings(storage_url=tmp_path.as_uri())) as opened:
            yield opened
    elif request.param == "imitation":
        async with imitation() as server, open_storage(server.settings()) as opened:
            server.buckets["parsed"] = Bucket()
            yield opened
    else:
        async with (
            _bucket() as bucket,
            open_storage(Settings(storage_url=f"supabase://{bucket}")) as opened,
        ):
            yield opened


@asynccontextmanager
async def _bucket() -> AsyncIterator[str]:
    name = f"hookline-test-{uuid4()}"
    key = os.environ["SUPABASE_SERVICE_ROLE_KEY"]
    url = f"{os.environ['SUPABASE_URL'].rstrip('/')}/storage/v1/bucket"
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as http:
        await http.post(url, json={"id": name, "name": name})
        try:
            yield name
        finally:
            await http.post(f"{url}/{name}/empty", json={})
            await http.delete(f"{url}/{name}", json={})
