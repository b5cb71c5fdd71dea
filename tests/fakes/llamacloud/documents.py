"""The result of parsing a file: a text that can be computed from its bytes, or a failure.

The first line of a file may choose the result:

    %FAIL PDF_IS_PROTECTED   its job fails with this code
    %BLANK                   its job succeeds without any text
    %SEPARATORS              its job succeeds with page separators and empty fences only
    %LONG                    its first page is longer than what the provider keeps of a page
    %PARTIAL                 its last page fails (it has two at least)
    %STUCK                   its job runs and never ends
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

PAGE_LIMIT: Final = 64 * 1024
"""Bytes of a page's text. The provider cuts longer text without saying so."""

CREDITS_A_PAGE: Final = {"fast": 1, "cost_effective": 3, "agentic": 10, "agentic_plus": 45}

FAILURES: Final = {
    "UNSUPPORTED_FILE_TYPE": "The type of this file is not supported.",
    "PDF_IS_PROTECTED": "The PDF is protected by a password.",
    "PDF_IS_BROKEN": "The PDF cannot be read.",
    "NO_DATA_FOUND_IN_FILE": "There is nothing in the file.",
    "DOCUMENT_TOO_LARGE": "The document is too large.",
    "TOO_MANY_PAGES": "The document has too many pages.",
    "TIMEOUT": "Parsing took too long.",
}

_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page\b")


@dataclass(frozen=True, slots=True)
class Document:
    """The outcome of parsing one file. A page of None is one that failed."""

    pages: tuple[str | None, ...]
    error: str | None = None
    stuck: bool = False

    @property
    def partial(self) -> bool:
        return None in self.pages

    @property
    def markdown(self) -> str:
        """The whole markdown: the pages that succeeded, a blank line between them."""
        return "\n\n".join(page for page in self.pages if page)


def parse(name: str, data: bytes) -> Document:
    """The outcome for a file's name and bytes: the same on every machine and under every seed."""
    marker, *words = data[:100].partition(b"\n")[0].decode("ascii", "replace").split() or [""]
    if marker == "%FAIL":
        code = words[0] if words else "PDF_IS_BROKEN"
        return Document((), error=f"{code}: {FAILURES.get(code, 'Parsing failed.')}")
    count = page_count(data)
    if marker == "%BLANK":
        return Document(("",) * count)
    if marker == "%SEPARATORS":
        return Document(("```text\n\n```\n\n---\n\u200b",) * count)
    if marker == "%PARTIAL":
        count = max(count, 2)
    sha256 = hashlib.sha256(data).hexdigest()
    pages: list[str | None] = [
        f"sha256 {sha256}, page {number} of {count}" for number in range(1, count + 1)
    ]
    pages[0] = f"# {name}\n\n{pages[0]}"
    if marker == "%LONG":
        pages[0] = f"{pages[0]}\n\n{'long ' * PAGE_LIMIT}".encode()[:PAGE_LIMIT].decode()
    if marker == "%PARTIAL":
        pages[-1] = None
    return Document(tuple(pages), stuck=marker == "%STUCK")


def page_count(data: bytes) -> int:
    """The pages that a PDF declares. Other files have one page more than form feeds."""
    pages = len(_PDF_PAGE.findall(data)) if data.startswith(b"%PDF") else data.count(b"\f") + 1
    return max(pages, 1)


def expected_markdown(name: str, data: bytes) -> str:
    """The markdown that a test may expect in storage for a parsed file."""
    return parse(name, data).markdown
