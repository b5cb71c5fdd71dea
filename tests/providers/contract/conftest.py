"""A worker for each imitation. One provider is a package that a test installs."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from fakes.acme import Acme
from fakes.docling_serve import DoclingServe
from fakes.imitation import KEY, Imitation, name_of
from fakes.llamacloud.planned import LlamaCloudProvider
from fakes.reducto import SECRET as REDUCTO_SECRET
from fakes.reducto import Reducto
from hookline.providers.installed import installed
from hookline.receiver.run import receiving
from hookline.settings import Settings
from hookline.worker.parsing.stages import make_parser_stages
from support.called_worker import CalledWorker
from support.cloud_worker import CloudWorker, employing
from support.sender import Sender
from support.servers import ROOT

IMITATIONS: list[type[Imitation]] = [Acme, DoclingServe, LlamaCloudProvider, Reducto]
ENTRY_POINTS = "[hookline.providers]\nacme = acme_parser:PROVIDER\n"
# No webhook comes by itself.
AWAY = "http://127.0.0.1:9"
METADATA = "Metadata-Version: 2.1\nName: acme-parser\nVersion: 1.0\n"


@contextmanager
def installed_acme(packages: Path) -> Iterator[None]:
    """The example of server/README.md, as pip lays out an installed package, in a directory."""
    readme = (ROOT / "server/README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    [code] = [block for block in blocks if block.startswith("# acme_parser.py\n")]
    described = packages / "acme_parser-1.0.dist-info"
    described.mkdir(parents=True)
    (packages / "acme_parser.py").write_text(code)
    (described / "METADATA").write_text(METADATA)
    (described / "entry_points.txt").write_text(ENTRY_POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        installed.cache_clear()
        yield
    installed.cache_clear()
    sys.modules.pop("acme_parser", None)


@pytest.fixture
def acme_package(tmp_path: Path) -> Iterator[Path]:
    """A package that the test may change."""
    packages = tmp_path / "packages"
    with installed_acme(packages):
        yield packages


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package for all tests of a module: to look for packages takes a tenth of a second."""
    with installed_acme(tmp_path_factory.mktemp("acme") / "packages"):
        yield


@pytest.fixture(params=IMITATIONS, ids=name_of)
async def imitation(request: pytest.FixtureRequest) -> AsyncIterator[Imitation]:
    """The provider of a test: each test runs with every one."""
    async with request.param() as imitation:
        yield imitation


Employ = Callable[..., AbstractAsyncContextManager[CloudWorker]]


@pytest.fixture
def employ_for(
    acme: None,
    imitation: Imitation,
    database: str,
    login: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Employ:
    """`async with employ_for(**settings)`: a worker for the imitation.

    Its `cloud`, the imitation of LlamaCloud, is not used.
    """
    monkeypatch.setenv("ACME_KEY", KEY)
    monkeypatch.setenv("ACME_URL", imitation.url)
    objects = tmp_path / "objects"
    objects.mkdir()
    employ = employing(database, login, objects)
    values: dict[str, Any] = {
        "parser": imitation.name,
        "docling_url": imitation.url,
        "docling_api_key": SecretStr(KEY),
        "reducto_base_url": imitation.url,
        "reducto_api_key": SecretStr(KEY),
        "result_hosts": ("127.0.0.1",),
    }

    @asynccontextmanager
    async def employing_for(**changes: Any) -> AsyncIterator[CloudWorker]:
        if isinstance(imitation, LlamaCloudProvider):
            async with employ(imitation.cloud, **values | changes) as worker:
                imitation.cloud.jobs.hold()
                yield worker
                assert worker.is_whole()
            return
        async with (
            employ(**values | changes) as worker,
            installed()[imitation.name].open(worker.settings) as client,
        ):
            worker.parsing = make_parser_stages(
                client, worker.settings, lambda: worker.now().timestamp()
            )
            yield worker
            assert worker.is_whole()
            assert not worker.cloud.requests

    return employing_for


@pytest.fixture
async def worker(employ_for: Employ) -> AsyncIterator[CloudWorker]:
    """A worker that is not called back."""
    async with employ_for() as worker:
        yield worker


@pytest.fixture
async def called(
    employ_for: Employ,
    imitation: Imitation,
    database: str,
    login: Callable[[str], str],
    tmp_path: Path,
) -> AsyncIterator[CalledWorker]:
    """A worker that the imitation calls back when the test says so."""
    secrets: dict[str, Any] = {
        "docling_secrets": (SecretStr("a-secret-for-docling-serve"),),
        "llamacloud_secrets": (SecretStr("a-secret-for-llamacloud"),),
        "reducto_secrets": (SecretStr(REDUCTO_SECRET),),
    }
    settings = Settings(
        **secrets,
        database_url=login("ingest"),
        storage_url=f"file://{tmp_path}/objects",
        port=0,
        admin_port=0,
    )
    async with (
        employ_for(public_url=AWAY, receiver_url=AWAY, **secrets) as worker,
        receiving(settings) as receiver,
        aiohttp.ClientSession() as http,
    ):
        with closing(
            Sender(receiver.url, receiver.admin_url, http, database, tmp_path / "objects")
        ) as sender:
            yield CalledWorker(worker, imitation, sender)
