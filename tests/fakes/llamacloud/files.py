"""The files of a job: what its `output_options` ask for, and where the answer says they are.

Vendor: LlamaCloud docs, "Retrieving Results"; SDK llama-cloud 2.19, ImagesContentMetadata,
ResultContentMetadata.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from fakes.llamacloud.jobs import ParseJob

_SINGLE: Final = {
    "output_pdf_content_metadata": ("outputPDF", "output.pdf"),
    "xlsx_content_metadata": ("xlsx", "tables.xlsx"),
}
# Kept as it is in the query: a client that encodes it again breaks the signature.
_SIGNED: Final = "?X-Amz-Signature=a%2Fb"


def files_of(job: ParseJob) -> dict[str, bytes]:
    """The bytes of each file by its name. A document whose first line is %BLANK has no tables."""
    options = _options(job)
    made = {name: f"{name} of {job.file.sha256}".encode() for name in _images(job)}
    if options.get("tables_as_spreadsheet", {}).get("enable") and job.document.markdown:
        made["tables.xlsx"] = b"PK\x03\x04 tables"
    if options.get("save_output_pdf"):
        made["output.pdf"] = job.file.data
    return made


def files_json(job: ParseJob, expand: Collection[str], url: str) -> dict[str, Any]:
    """The fields `images_content_metadata` and `result_content_metadata`, as far as asked for."""
    files, found = files_of(job), {}
    if "images_content_metadata" in expand:
        images = [
            {
                "index": index,
                "filename": name,
                "category": category,
                "content_type": "image/png" if name.endswith(".png") else "image/jpeg",
                "presigned_url": f"{url}/{name}{_SIGNED}",
                "size_bytes": None,
                "bbox": None if category == "screenshot" else {"x": 1, "y": 2, "w": 3, "h": 4},
            }
            for index, (name, category) in enumerate(_images(job).items())
        ]
        found["images_content_metadata"] = {"images": images, "total_count": len(images)}
    listed = {
        key: {
            "size_bytes": len(files.get(name, b"")),
            "exists": name in files,
            "presigned_url": f"{url}/{name}{_SIGNED}" if name in files else None,
        }
        for field, (key, name) in _SINGLE.items()
        if field in expand
    }
    return found | ({"result_content_metadata": listed} if listed else {})


def _images(job: ParseJob) -> dict[str, str]:
    """The images by their names: a screenshot of each page, and two on the first page."""
    saved = _options(job).get("images_to_save") or ()
    pages = range(1, len(job.document.pages) + 1)
    images = {f"page_{number}.jpg": "screenshot" for number in pages}
    images |= {"img_p0_1.png": "embedded", "page_1_chart_1.jpeg": "layout"}
    return {name: category for name, category in images.items() if category in saved}


def _options(job: ParseJob) -> Mapping[str, Any]:
    options = job.options.get("output_options")
    return options if isinstance(options, dict) else {}
