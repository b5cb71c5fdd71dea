"""Options of a job reach the parser, and what it does not take is refused before it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fakes.acme import Acme
from fakes.docling_serve import DoclingServe
from fakes.imitation import Imitation, name_of
from fakes.llamacloud.planned import LlamaCloudProvider
from fakes.reducto import Reducto
from hookline.providers.docling.options import DoclingOptions
from hookline.providers.errors import Refused
from hookline.providers.job_options import check_job_options
from hookline.providers.llamacloud.options import LlamaCloudOptions
from hookline.providers.options import chosen_pages, read_options
from hookline.providers.reducto.options import ReductoOptions
from support.cloud_worker import CloudWorker


@pytest.mark.parametrize("options", [{"colour": "red"}, {"llamacloudy": {"tier": "agentic"}}])
async def test_an_option_that_the_parser_does_not_take_fails_the_job_before_it_costs(
    worker: CloudWorker, imitation: Imitation, options: dict[str, object]
) -> None:
    job_id = await worker.upload(options=options)
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", "option_refused")
    assert (imitation.files, imitation.jobs) == ([], {})
    assert worker.query("select 1 from upload_pipeline.credit_reservations") == []


async def test_options_of_another_parser_do_not_concern_this_one(
    worker: CloudWorker, imitation: Imitation
) -> None:
    others = {"local", "llamacloud", "docling", "reducto", "acme"} - {imitation.name}
    job_id = await worker.upload(options={name: {"whatever": 1} for name in others})
    await worker.work("uploaded")
    assert worker.status(job_id) == "parse_queued"


@pytest.mark.parametrize("imitation", [LlamaCloudProvider], ids=name_of, indirect=True)
async def test_options_of_llamacloud_reach_it_and_are_reserved_for(
    worker: CloudWorker, imitation: LlamaCloudProvider
) -> None:
    options = {
        "tier": "agentic_plus",
        "version": "2026-09-28",
        "prompt": "Dates as YYYY-MM-DD.",
        "languages": "de, en",
        "pages": "2",
        "disable_cache": True,
    }
    job_id = await worker.upload(options=options)
    await worker.work("uploaded")
    [job] = imitation.jobs.values()
    assert (job.tier, job.version) == ("agentic_plus", "2026-09-28")
    assert job.options == {
        "agentic_options": {"custom_prompt": "Dates as YYYY-MM-DD."},
        "processing_options": {"ocr_parameters": {"languages": ["de", "en"]}},
        "page_ranges": {"target_pages": "2"},
        "disable_cache": True,
    }
    assert worker.reservation(job_id)["reserved"] == 45
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    completed = worker.event(job_id, "parse_completed")
    assert (completed["tier"], completed["version"]) == ("agentic_plus", "2026-09-28")
    assert completed["confidence"] == {"mean": 0.85, "lowest": 0.8, "lowest_pages": [2, 1]}


@pytest.mark.parametrize("imitation", [DoclingServe], ids=name_of, indirect=True)
async def test_options_of_docling_serve_reach_it(
    worker: CloudWorker, imitation: DoclingServe
) -> None:
    options = {"ocr": "force", "languages": ["de", "en"], "tables": "fast", "pages": "2-5"}
    imitation.result = {"confidence": {"mean_score": 0.91234, "low_score": 0.5, "pages": {}}}
    job_id = await worker.upload(options=options)
    await worker.work("uploaded")
    [sent] = imitation.options
    assert sent == {
        "to_formats": ["md"],
        "image_export_mode": "placeholder",
        "force_ocr": True,
        "ocr_lang": ["de", "en"],
        "table_mode": "fast",
        "page_range": [2, 5],
    }
    await imitation.end()
    await worker.ask()
    await worker.work("parse_ready")
    completed = worker.event(job_id, "parse_completed")
    assert completed["confidence"] == {"mean": 0.912, "low": 0.5}


@pytest.mark.parametrize("imitation", [Reducto], ids=name_of, indirect=True)
async def test_options_of_reducto_reach_it_and_are_reserved_for(
    worker: CloudWorker, imitation: Reducto
) -> None:
    options = {"pages": "1,3-4", "tables": "md", "extraction": "ocr", "agentic": True}
    job_id = await worker.upload(options=options)
    await worker.work("uploaded")
    [order] = imitation.orders
    assert order["settings"] == {
        "extraction_mode": "ocr",
        "page_range": [{"start": 1, "end": 1}, {"start": 3, "end": 4}],
    }
    assert order["formatting"] == {"table_output_format": "md"}
    assert order["enhance"] == {"agentic": [{"scope": "text"}, {"scope": "table"}]}
    # One of the two pages that there are, twice the two credits.
    assert worker.reservation(job_id)["reserved"] == Decimal(4)


@pytest.mark.parametrize("imitation", [Acme], ids=name_of, indirect=True)
async def test_options_of_a_package_reach_its_client(worker: CloudWorker, imitation: Acme) -> None:
    await worker.upload(options={"language": "en", "acme": {"language": "de"}})
    await worker.work("uploaded")
    [order] = imitation.orders
    assert order["language"] == "de"


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (LlamaCloudOptions, {"tier": "fast"}, "The option tier of p is wrong: Input should be"),
        (LlamaCloudOptions, {"version": "newest"}, "The option version of p is wrong"),
        (LlamaCloudOptions, {"prompt": "x" * 8001}, "The option prompt of p is wrong"),
        (LlamaCloudOptions, {"languages": []}, "it has 1 to 20 languages"),
        (LlamaCloudOptions, {"languages": ["en", 7]}, "The option languages of p is wrong"),
        (LlamaCloudOptions, {"pages": "5-1"}, "it is pages in ascending order, such as 1-5,8"),
        (LlamaCloudOptions, {"pages": "1,1"}, "ascending order"),
        (LlamaCloudOptions, {"pages": "0"}, "ascending order"),
        (LlamaCloudOptions, {"pages": None, "p": {"x": 1}}, "p takes no option x. It takes tier,"),
        (DoclingOptions, {"pages": "1,3"}, "docling-serve takes one range of pages"),
        (ReductoOptions, {"agentic": "perhaps"}, "The option agentic of p is wrong"),
    ],
)
def test_a_wrong_option_is_refused_for_good_with_a_sentence(
    model: Any, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        check_job_options(options, model, "p")
    assert sentence in str(refused.value)
    assert (refused.value.code, refused.value.permanent) == ("option_refused", True)


def test_texts_of_a_command_line_are_read_as_what_they_mean() -> None:
    options = read_options(
        LlamaCloudOptions, {"pages": 3, "languages": "en,de", "disable_cache": "true"}, "p"
    )
    assert (options.pages, options.languages) == ("3", ("en", "de"))
    assert options.disable_cache is True


@pytest.mark.parametrize(
    ("ranges", "pages", "chosen"),
    [(None, 7, 7), ("1-5,8", 10, 6), ("1-5,8", 3, 3), ("9", 3, 1), ("2-3", 2, 1)],
)
def test_only_chosen_pages_count(ranges: str | None, pages: int, chosen: int) -> None:
    assert chosen_pages(ranges, pages) == chosen
