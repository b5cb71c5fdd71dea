"""The local parser's child process: reads one PDF and prints its markdown, or why there is none.

python -m hookline.providers.local.child FILE NAME MAX_PAGES
                                prints a JSON object: {markdown} or {failed, reason}
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

__all__ = ["main"]

# The header may stand anywhere in the first 1024 bytes (ISO 32000-1, note 13 of annex H).
_MAGIC = b"%PDF-"
_MAGIC_WITHIN = 1024


def _read(file: Path, name: str, max_pages: int) -> dict[str, Any]:
    """What the child says: {markdown}, or {failed: a code, reason}."""
    from liteparse import LiteParse, ParseError

    content = file.read_bytes()
    if _MAGIC not in content[:_MAGIC_WITHIN]:
        if name.endswith(".pdf"):
            return _failed("PDF_IS_BROKEN", "The file is broken: it is called .pdf and is none.")
        return _failed(
            "UNSUPPORTED_FILE_TYPE", "Unsupported file type: the local parser reads PDF."
        )
    # OCR off: it would download language data while it runs.
    parser = LiteParse(ocr_enabled=False, output_format="markdown", max_pages=max_pages, quiet=True)
    try:
        result = parser.parse(content)
    except ParseError as error:
        reason = str(error)
        if "password" in reason:
            return _failed("PDF_IS_PROTECTED", "The file is encrypted: password required.")
        why = reason.removeprefix("PDF error: ")
        return _failed("PDF_IS_BROKEN", f"The file is broken: {why}.")
    if result.total_pages != result.num_pages or result.page_errors:
        if result.total_pages > max_pages:
            return _failed(
                "TOO_MANY_PAGES",
                f"The file is too large: {result.total_pages:,} pages, "
                f"and {max_pages:,} are the most.",
            )
        read = result.num_pages - len(result.page_errors)
        return _failed(
            "PDF_IS_BROKEN",
            f"The file is broken: {read} of its {result.total_pages} pages can be read.",
        )
    # Not the markdown: of a blank page that is an empty fence.
    if not any(page.text.strip() for page in result.pages):
        return _failed(
            "NO_DATA_FOUND_IN_FILE",
            f"The file is blank: no text on any of its pages ({result.num_pages}). "
            "A scan needs OCR, which the local parser does not do.",
        )
    return {"markdown": result.text}


def _failed(code: str, reason: str) -> dict[str, Any]:
    return {"failed": code, "reason": reason}


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Be the child. Anything but the answer that is printed, by native code too, goes elsewhere."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    json.dump(_read(Path(arguments[0]), arguments[1], int(arguments[2])), answer)
    answer.close()
    # Not by the interpreter's own end, which would wait for the thread's read.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
