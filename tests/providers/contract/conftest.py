"""A worker for each imitation. One provider is a package that a test installs."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from fakes.acme import Acme
from fakes.docling_serve import DoclingServe
from fakes.imitation import KEY, Imitation
from hookline.providers.installed import installed
from hookline.worker.parsing.stages import make_parser_stages
from support.cloud_worker import CloudWorker, employing
from support.servers import ROOT

ENTRY_POINTS = "[hookline.providers]\nacme = acme_parser:PROVIDER\n"
METADATA = "Metadata-Version: 2.1\nName: acme-parser\nVersion: 1.0\n"


@pytest.fixture
def acme_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example of server/README.md, as pip lays out an installed package."""
    readme = (ROOT / "server/README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    [code] = [block for block in blocks if block.startswith("# acme_parser.py\n")]
    packages = tmp_path / "packages"
    described = packages / "acme_parser-1.0.dist-info"
    described.mkdir(parents=True)
    (packages / "acme_parser.py").write_text(code)
    (described / "METADATA").write_text(METADATA)
    (described / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(packages))
    installed.cache_clear()
    yield packages
    installed.cache_clear()
    sys.modules.pop("acme_parser", None)


@pytest.fixture(params=[Acme, DoclingServe], ids=lambda kind: kind.name)
async def imitation(request: pytest.FixtureRequest) -> AsyncIterator[Imitation]:
    """The provider of a test: each test runs with every one."""
    async with request.param() as imitation:
        yield imitation


@pytest.fixture
async def worker(
    acme_package: Path,
    imitation: Imitation,
    database: str,
    login: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[CloudWorker]:
    """A worker for the imitation. Its `cloud`, the imitation of LlamaCloud, is not used."""
    monkeypatch.setenv("ACME_KEY", KEY)
    monkeypatch.setenv("ACME_URL", imitation.url)
    objects = tmp_path / "objects"
    objects.mkdir()
    employ = employing(database, login, objects)
    async with (
        employ(
            parser=imitation.name, docling_url=imitation.url, docling_api_key=SecretStr(KEY)
        ) as worker,
        installed()[imitation.name].open(worker.settings) as client,
    ):
        worker.parsing = make_parser_stages(
            client, worker.settings, lambda: worker.now().timestamp()
        )
        yield worker
        assert worker.is_whole()
        assert not worker.cloud.requests
