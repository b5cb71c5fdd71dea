"""The text of a document's pages as markdown: what a reader of a page sees is kept.

liteparse's markdown of a page leaves out text that is not upright, the values of form fields
without an appearance stream (ISO 32000-1, 12.7.3.3) and text that was typed onto the page as an
annotation. It also leaves out running lines, such as page numbers, which is right where a page has
other text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookline.sources.markdown import holds_text

if TYPE_CHECKING:
    from liteparse import AnnotationRect, FormField, ParsedPage, TextItem

__all__ = ["DocumentText", "PageText", "Turned", "join_pages", "read_page", "read_turned"]

# Between two pages, as liteparse writes it.
_PAGE_BREAK: Final = "\n\n-----\n\n"
# Degrees that an item may differ from a right angle.
_TOLERANCE: Final = 2.0
# ISO 32000-1, table 228: a viewer shows asterisks for such a field.
_PASSWORD: Final = 1 << 13
# Fields that hold no text of the page.
_WITHOUT_VALUE: Final = frozenset({"pushbutton", "signature"})

# The markdown of a page as it reads when turned by an angle: by page and angle.
Turned = Mapping[tuple[int, int], "TurnedText"]


@dataclass(frozen=True, slots=True)
class TurnedText:
    """The text of a page that is upright after turning. `is_line`: it may be a running line."""

    markdown: str
    is_line: bool


@dataclass(frozen=True, slots=True)
class PageText:
    """What was read of one page.

    `markdown` is its upright text without running lines, `plain` all text. `angles` are those other
    than 0 by which the page has to be turned for the rest, and `upright` says whether there is text
    at 0. `diagonal` is text at no right angle, `typed` the values of fields and annotations.
    """

    number: int
    markdown: str
    plain: str
    upright: bool
    angles: tuple[int, ...]
    diagonal: tuple[str, ...]
    typed: tuple[str, ...]
    shows_image: bool


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The markdown of a document, and the numbers of its pages that have no text."""

    markdown: str
    pages_without_text: tuple[int, ...]


def read_page(page: ParsedPage) -> PageText:
    """What a page holds, as it was parsed without turning it."""
    characters: Counter[int] = Counter()
    diagonal = []
    for item in page.text_items:
        angle = _right_angle(item.rotation)
        if angle is None:
            diagonal.append(_one_line(item.text))
        else:
            characters[angle] += len(item.text.strip())
    # Text upside down is in liteparse's markdown, too, in the wrong order: the larger part decides.
    upside_down = characters[180] > characters[0]
    characters[0 if upside_down else 180] = 0
    image = page.complexity
    return PageText(
        number=page.page_num,
        markdown=page.markdown if holds_text(page.markdown) else "",
        plain="\n".join(line.strip() for line in page.text.splitlines() if line.strip()),
        upright=characters[0] > 0,
        angles=tuple(
            angle for angle, count in characters.most_common() if angle != 0 and count > 0
        ),
        diagonal=tuple(filter(holds_text, diagonal)),
        typed=tuple(_typed(page)),
        shows_image=image is not None
        and (image.full_page_image or image.has_substantial_images or image.image_block_count > 0),
    )


def read_turned(page: ParsedPage) -> TurnedText:
    """The text of a page that was parsed turned."""
    if holds_text(page.markdown):
        return TurnedText(page.markdown, is_line=False)
    upright = [item.text for item in page.text_items if _right_angle(item.rotation) == 0]
    return TurnedText(_one_line(" ".join(upright)), is_line=True)


def join_pages(pages: Sequence[PageText], turned: Turned) -> DocumentText:
    """The text of all pages, and which of them have none.

    A scan whose only text is a running line counts as a page without text.
    """
    repeated = _repeated_lines(pages, turned)
    texts, without_text = [], []
    for page in pages:
        parts = [page.markdown] if page.upright or not page.angles else []
        for angle in page.angles:
            found = turned[page.number, angle]
            if not (found.is_line and _pattern(found.markdown) in repeated):
                parts.append(found.markdown)
        parts += [line for line in page.diagonal if _pattern(line) not in repeated]
        if page.typed:
            parts.append("\n".join(page.typed))
        markdown = "\n\n".join(filter(holds_text, parts))
        is_running_line = not markdown
        if is_running_line:
            markdown = page.plain
        if not holds_text(markdown) or (is_running_line and page.shows_image):
            without_text.append(page.number)
        texts.append(markdown)
    return DocumentText(_PAGE_BREAK.join(texts), tuple(without_text))


def _repeated_lines(pages: Iterable[PageText], turned: Turned) -> set[str]:
    """Lines beside the upright text, such as a watermark, that more than one page has."""
    found: Counter[str] = Counter()
    for page in pages:
        lines = {_pattern(line) for line in page.diagonal}
        for angle in page.angles:
            if turned[page.number, angle].is_line:
                lines.add(_pattern(turned[page.number, angle].markdown))
        found.update(lines)
    return {line for line, count in found.items() if count > 1}


def _pattern(line: str) -> str:
    return re.sub(r"\d+", "0", line)


def _right_angle(rotation: float) -> int | None:
    nearest = round(rotation / 90) * 90
    return nearest % 360 if abs(rotation - nearest) <= _TOLERANCE else None


def _typed(page: ParsedPage) -> Iterable[str]:
    for field in page.form_fields or ():
        value = _value(field)
        if value and not _is_shown(value, field.rect, page.text_items):
            yield f"- {_one_line(field.alternate_name or field.name or field.type)}: {value}"
    shown = _one_line(page.text)
    for annotation in page.annotations or ():
        contents = _one_line(annotation.contents or "")
        if annotation.subtype == "freetext" and contents and contents not in shown:
            yield contents


def _value(field: FormField) -> str:
    """What a viewer shows in a field: nothing of a box that is not checked."""
    if field.type in _WITHOUT_VALUE or (field.type == "text" and field.field_flags & _PASSWORD):
        return ""
    if field.checked is not None:
        return _one_line(field.export_value or "yes") if field.checked else ""
    if field.selected_options:
        return _one_line(", ".join(field.selected_options))
    return _one_line(field.value or "")


def _is_shown(value: str, rect: AnnotationRect | None, items: Iterable[TextItem]) -> bool:
    """Whether the page's own text has the value where the field is."""
    if rect is None:
        return False
    for item in items:
        x, y = item.x + item.width / 2, item.y + item.height / 2
        across = rect.x <= x <= rect.x + rect.width
        down = rect.y <= y <= rect.y + rect.height
        if down and (across or value in _one_line(item.text)):
            return True
    return False


def _one_line(text: str) -> str:
    return " ".join(text.split())
