"""Text that is in a document is kept, and a page without text is named."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import pytest

from hookline.providers.local.parser import Parsed, ParseFailed, parse_content
from support.pdfs import Page, pdf, sample, text

HELLO = text("Hello world", y=400)
LINES = b"".join(
    text(f"Line {number} of the body of the page", y=700 - 20 * number) for number in range(6)
)
# A picture that covers the page, drawn by the image object behind a document of one page.
SCAN = b"q 612 0 0 792 0 0 cm /I Do Q\n"
PIXELS = (
    b"<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray"
    b" /BitsPerComponent 8 /Length 4 >>\nstream\n\x10\xf0\xf0\x10\nendstream"
)


def scanned(contents: Sequence[bytes | None]) -> bytes:
    """A document whose pages are scans with this text. None is a page with a text and no scan."""
    behind = 6 + 2 * len(contents)
    image = b" /XObject << /I %d 0 R >>" % behind
    pages = [HELLO if one is None else Page(SCAN + one, resources=image) for one in contents]
    return pdf(pages, objects_behind=[PIXELS])


def turned(lines: Sequence[str], matrix: bytes) -> bytes:
    """Lines whose letters are turned by a text matrix."""
    return b"".join(
        b"BT /F1 11 Tf %s %d 300 Tm (%s) Tj ET\n" % (matrix, 100 + 20 * number, line.encode())
        for number, line in enumerate(lines)
    )


async def parsed(content: bytes) -> Parsed:
    result = await parse_content(content, "a.pdf")
    assert isinstance(result, Parsed), result
    return result


async def failure(content: bytes) -> ParseFailed:
    result = await parse_content(content, "a.pdf")
    assert isinstance(result, ParseFailed), result
    return result


async def test_an_ordinary_document_has_no_page_without_text() -> None:
    assert (await parsed(sample())).pages_without_text == ()


@pytest.mark.parametrize("rotate", [90, 180, 270])
async def test_the_text_of_a_turned_page_is_kept_in_its_reading_order(rotate: int) -> None:
    result = await parsed(pdf([Page(LINES, b"/Rotate %d" % rotate)]))
    places = [result.markdown.index(f"Line {number} of the body") for number in range(6)]
    assert places == sorted(places)
    assert result.pages_without_text == ()


@pytest.mark.parametrize("matrix", [b"0 1 -1 0", b"0 -1 1 0"], ids=["upwards", "downwards"])
async def test_text_that_is_turned_beside_upright_text_is_kept(matrix: bytes) -> None:
    cells = [f"Turned cell {number}" for number in range(8)]
    upright = pdf([LINES + turned(cells, matrix)])
    heading = pdf([text("The heading", y=760) + turned(cells, matrix)])
    for content, beside in ((upright, "Line 5 of the body"), (heading, "The heading")):
        markdown = (await parsed(content)).markdown
        assert beside in markdown
        for cell in cells:
            assert markdown.count(cell) == 1


async def test_diagonal_text_is_kept_unless_it_repeats_on_every_page() -> None:
    stamp = b"BT /F1 30 Tf 0.7 0.7 -0.7 0.7 200 200 Tm (PAID ON MONDAY) Tj ET\n"
    assert "PAID ON MONDAY" in (await parsed(pdf([LINES + stamp]))).markdown
    assert "PAID ON MONDAY" in (await parsed(pdf([stamp]))).markdown
    watermarked = await parsed(pdf([LINES + stamp, HELLO + stamp]))
    assert "PAID ON MONDAY" not in watermarked.markdown


async def test_pages_with_only_running_lines_keep_them() -> None:
    result = await parsed(pdf([text("Page 1 of 1", y=20)]))
    assert (result.markdown, result.pages_without_text) == ("Page 1 of 1", ())
    pages = [
        text("ACME confidential", y=770) + text(f"Page {number}", y=20) for number in range(1, 4)
    ]
    result = await parsed(pdf(pages))
    assert result.markdown.count("ACME confidential") == 3
    assert "Page 3" in result.markdown


@pytest.mark.parametrize("pages", [1, 2, 5])
async def test_scans_whose_only_text_is_a_page_number_have_no_text(pages: int) -> None:
    numbers = [text(f"Page {number + 1} of {pages}", y=20) for number in range(pages)]
    assert (await failure(scanned(numbers))).code == "NO_DATA_FOUND_IN_FILE"
    assert (await failure(scanned([b""] * pages))).code == "NO_DATA_FOUND_IN_FILE"


async def test_the_pages_without_text_are_named_where_others_have_text() -> None:
    result = await parsed(scanned([None, b"", b"", text("Page 4 of 5", y=20), LINES]))
    assert result.pages_without_text == (2, 3, 4)
    assert "Hello world" in result.markdown
    assert "Line 5 of the body" in result.markdown
    assert "```" not in result.markdown


async def test_the_invisible_text_layer_of_a_scan_is_text() -> None:
    result = await parsed(scanned([b"3 Tr\n" + LINES]))
    assert "Line 5 of the body" in result.markdown
    assert result.pages_without_text == ()


def form(widgets: Sequence[bytes], content: bytes = HELLO) -> bytes:
    """One page with these fields. None has an appearance stream (/AP)."""
    numbers = b" ".join(b"%d 0 R" % (8 + number) for number in range(len(widgets)))
    return pdf(
        [Page(content, b"/Annots [%s]" % numbers)],
        catalog=b"/AcroForm << /Fields [%s] /NeedAppearances true /DA (/F1 12 Tf 0 g)"
        b" /DR << /Font << /F1 3 0 R >> >> >>" % numbers,
        objects_behind=[
            b"<< /Type /Annot /Subtype /Widget /F 4 /DA (/F1 12 Tf 0 g)"
            b" /Rect [150 %d 350 %d] %s >>" % (600 - 30 * number, 620 - 30 * number, widget)
            for number, widget in enumerate(widgets)
        ],
    )


async def test_the_values_of_form_fields_without_an_appearance_are_kept() -> None:
    markdown = (
        await parsed(
            form(
                [
                    b"/FT /Tx /T (surname) /V (EXAMPLE-NAME)",
                    b"/FT /Tx /Ff 4096 /T (notes) /TU (Your notes) /V (first\\nsecond)",
                    b"/FT /Ch /Ff 131072 /T (country) /V (Norway) /Opt [(Norway) (Chile)]",
                    b"/FT /Btn /T (agree) /V /Yes /AS /Yes",
                    b"/FT /Btn /T (decline) /V /Off /AS /Off",
                    b"/FT /Tx /T (empty)",
                    b"/FT /Tx /Ff 8192 /T (password) /V (open sesame)",
                ]
            )
        )
    ).markdown
    assert "Hello world" in markdown
    assert "- surname: EXAMPLE-NAME" in markdown
    assert "- Your notes: first second" in markdown
    assert "- country: Norway" in markdown
    assert "- agree: Yes" in markdown
    for absent in ("decline", "empty", "password", "sesame", "Chile"):
        assert absent not in markdown


async def test_a_document_whose_only_text_is_a_form_value_is_parsed() -> None:
    result = await parsed(form([b"/FT /Tx /T (surname) /V (ONLY-VALUE)"], content=b""))
    assert result.markdown == "- surname: ONLY-VALUE"
    assert result.pages_without_text == ()


async def test_a_form_value_that_the_page_shows_is_not_repeated() -> None:
    shown = b"BT /F1 12 Tf 2 5 Td (SHOWN-NAME) Tj ET"
    content = pdf(
        [Page(text("surname:", y=605), b"/Annots [8 0 R]")],
        catalog=b"/AcroForm << /Fields [8 0 R] >>",
        objects_behind=[
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (surname) /V (SHOWN-NAME) /F 4"
            b" /Rect [150 600 350 620] /AP << /N 9 0 R >> >>",
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 200 20]"
            b" /Resources << /Font << /F1 3 0 R >> >> /Length %d >>\nstream\n%s\nendstream"
            % (len(shown), shown),
        ],
    )
    assert (await parsed(content)).markdown.count("SHOWN-NAME") == 1


async def test_text_that_was_typed_onto_a_page_as_an_annotation_is_kept() -> None:
    content = pdf(
        [Page(HELLO, b"/Annots [8 0 R]")],
        objects_behind=[
            b"<< /Type /Annot /Subtype /FreeText /Contents (TYPED BY HAND) /F 4"
            b" /Rect [150 600 350 620] /DA (/F1 12 Tf 0 g) >>"
        ],
    )
    assert "TYPED BY HAND" in (await parsed(content)).markdown


WAIT = text(
    "Please wait... If this message is not eventually replaced by the proper contents", y=700
)
XFA = b"<< /Length 4 >>\nstream\n<x/>\nendstream"


async def test_the_placeholder_page_of_a_dynamic_xfa_form_is_not_the_document() -> None:
    rendered = b"/NeedsRendering true /AcroForm << /Fields [] /XFA 8 0 R >>"
    failed = await failure(pdf([WAIT], catalog=rendered, objects_behind=[XFA]))
    assert (failed.code, failed.permanent) == ("XFA_FORM_NOT_SUPPORTED", True)
    # Some writers leave the entry out.
    bare = b"/AcroForm << /Fields [] /XFA 8 0 R >>"
    failed = await failure(pdf([WAIT], catalog=bare, objects_behind=[XFA]))
    assert failed.code == "XFA_FORM_NOT_SUPPORTED"


async def test_the_pages_of_a_static_xfa_form_are_the_document() -> None:
    static = b"/AcroForm << /Fields [] /XFA 8 0 R >>"
    result = await parsed(pdf([LINES], catalog=static, objects_behind=[XFA]))
    assert "Line 5 of the body" in result.markdown


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b"\r\n\r\n", b"\0" * 512, b"From: a@example.com\n" * 40, b"x" * 1019],
    ids=["byte order mark", "new lines", "zeros", "mail", "as many as may be"],
)
async def test_bytes_before_the_header_do_no_harm(before: bytes) -> None:
    plain = await parsed(sample())
    assert await parsed(before + sample()) == plain


async def test_a_header_after_the_first_1024_bytes_is_none() -> None:
    assert (await failure(b"x" * 1020 + sample())).code == "PDF_IS_BROKEN"


async def test_a_document_of_many_pages_keeps_the_text_of_each() -> None:
    pages = [text(f"Body of page {number}", y=400) for number in range(1, 451)]
    result = await parsed(pdf(pages))
    assert [f"Body of page {number}\n" in f"{result.markdown}\n" for number in range(1, 451)] == (
        [True] * 450
    )
    assert result.markdown.count("\n-----\n") == 449


def bomb(piece: bytes, times: int, level: int) -> bytes:
    deflate = zlib.compressobj(level)
    return b"".join(deflate.compress(piece) for _ in range(times)) + deflate.flush()


def nested() -> bytes:
    packed = zlib.compress(bomb(b" " * 2**20, 512, level=1), 9)
    return pdf([Page(packed, filters=b" /Filter [/FlateDecode /FlateDecode]")])


def states() -> bytes:
    return pdf([Page(bomb(b"q " * 2**19, 64, level=9), filters=b" /Filter /FlateDecode")])


@pytest.mark.parametrize("make", [nested, states])
async def test_a_small_file_that_grows_without_bound_ends_at_the_memory_limit(
    make: Callable[[], bytes],
) -> None:
    content = make()
    assert len(content) < 100_000
    result = await parse_content(content, "a.pdf", memory=2**28)
    assert result == ParseFailed(
        "MEMORY_LIMIT_EXCEEDED", "Parsing needed more than 268,435,456 bytes of memory."
    )
