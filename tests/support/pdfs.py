"""Writes PDF files (ISO 32000-1) in pure Python. `sample()` has written standalone/sample.pdf.

Text and layout are Hookline's own, under its licence. The fonts are the standard ones that every
reader has, so none is embedded.

    python tests/support/pdfs.py > server/hookline/standalone/sample.pdf
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

# The keys are arbitrary: it only matters that a reader asks for a password.
_ENCRYPT = b"".join(
    (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32,
        b"> /U <" + b"42" * 32 + b"> >> /ID [<" + b"00" * 16 + b"> <" + b"00" * 16 + b">]",
    )
)
_LEFT, _TOP, _RIGHT = 72, 720, 540

Row = tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """A page that has more than a content stream.

    `entries` belong to its dictionary, for example b"/Rotate 90"; `resources` to its resources;
    `filters` to the dictionary of its content stream.
    """

    content: bytes = b""
    entries: bytes = b""
    resources: bytes = b""
    filters: bytes = b""


def pdf(
    pages: Sequence[bytes | Page],
    *,
    title: str = "",
    encrypted: bool = False,
    catalog: bytes = b"",
    objects_behind: Sequence[bytes] = (),
) -> bytes:
    """A PDF with these content streams as its pages. F1 is Helvetica, F2 is its bold.

    `catalog` is further entries of the document's catalog. `objects_behind` are further objects;
    the first of them has the number 6 + 2 * len(pages).
    """
    kids = b" ".join(b"%d 0 R" % (6 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R%s >>" % (catalog and b" " + catalog),
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        _font("Helvetica"),
        _font("Helvetica-Bold"),
        b"<< /Title (%s) /Producer (Hookline) >>" % _escape(title),
    ]
    for number, given in enumerate(pages):
        page = given if isinstance(given, Page) else Page(given)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R%s"
            b" /Resources << /Font << /F1 3 0 R /F2 4 0 R >>%s >> >>"
            % (7 + 2 * number, page.entries and b" " + page.entries, page.resources)
        )
        objects.append(
            b"<< /Length %d%s >>\nstream\n%s\nendstream"
            % (len(page.content), page.filters, page.content)
        )
    objects += objects_behind

    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    more = _ENCRYPT if encrypted else b""
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R %s >>\n" % (len(objects) + 1, more)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def text(line: str, *, size: float = 11, bold: bool = False, x: float = _LEFT, y: float) -> bytes:
    font = b"F2" if bold else b"F1"
    return b"BT /%s %g Tf %g %g Td (%s) Tj ET\n" % (font, size, x, y, _escape(line))


def sample() -> bytes:
    """Two pages with headings, paragraphs and a ruled table."""
    first, second = _Page(), _Page()
    first.heading("What a webhook has to survive", size=20)
    first.paragraph(
        "A document parser works for seconds or minutes, so it cannot answer in the call that "
        "asked for the work. It sends a webhook when it is done. Between that message and a "
        "database that knows about it lie a network, two clocks and a process that may be killed "
        "at any instruction. This note lists what goes wrong there, and what the receiver owes "
        "to the sender in each case."
    )
    first.heading("One message, four ways to go wrong", size=16)
    first.paragraph(
        "The sender repeats what was not acknowledged. It repeats too much when the answer was "
        "lost, and too little when the receiver was away for longer than its patience. A receiver "
        "must therefore count a repeated message once, and must be able to ask for one that "
        "never came."
    )
    first.table(
        ("What happens", "Answer", "Who finishes the work"),
        [
            ("The signature does not match", "401", "Nobody: it was not our parser"),
            ("The same message comes again", "200", "It is finished already"),
            ("Storage is away", "500", "The drain, or the next delivery"),
            ("The database is away", "503", "The sender, after Retry-After"),
            ("The receiver is killed", "none", "Postgres, which has the bytes"),
        ],
        (0, 200, 262),
    )
    second.heading("What is promised", size=16)
    second.paragraph(
        "A success leaves the receiver only after the commit. The status of a job and the event "
        "that explains it are written in one transaction, so that no reader ever sees one "
        "without the other. The text itself is in the database before anything else is tried, "
        "and leaves it when the object store has said that it is durable."
    )
    second.heading("How to check it", size=16)
    second.paragraph(
        "Compare three things: the SHA-256 of the object on disk, the SHA-256 in the row of the "
        "job, and the last event in its timeline. If they agree, the document was parsed once, "
        "stored once and recorded once. If they do not, one of the promises on this page is "
        "broken, and that is a bug."
    )
    return pdf([bytes(first.content), bytes(second.content)], title="What a webhook has to survive")


class _Page:
    """The content of a page, written from the top down."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._y = float(_TOP)

    def heading(self, line: str, *, size: float) -> None:
        self.content += text(line, size=size, bold=True, y=self._y)
        self._y -= size * 1.7

    def paragraph(self, words: str) -> None:
        for line in textwrap.wrap(words, 88):
            self.content += text(line, y=self._y)
            self._y -= 15
        self._y -= 14

    def table(self, header: Row, rows: Sequence[Row], columns: tuple[float, ...]) -> None:
        height = 20
        top, bottom = self._y + 14, self._y + 14 - height * (len(rows) + 1)
        for number, row in enumerate([header, *rows]):
            baseline = top - height * number - 14
            for word, offset in zip(row, columns, strict=True):
                self.content += text(
                    word, size=10, bold=number == 0, x=_LEFT + offset + 6, y=baseline
                )
        for number in range(len(rows) + 2):
            y = top - height * number
            self.content += b"%g %g m %g %g l S\n" % (_LEFT, y, _RIGHT, y)
        for x in (*(_LEFT + offset for offset in columns), _RIGHT):
            self.content += b"%g %g m %g %g l S\n" % (x, top, x, bottom)
        self._y = bottom - 24


def _font(name: str) -> bytes:
    return (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
        % name.encode()
    )


def _escape(line: str) -> bytes:
    encoded = line.encode("cp1252")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


if __name__ == "__main__":
    sys.stdout.buffer.write(sample())
