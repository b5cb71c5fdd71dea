"""Separators, empty fences and invisible characters are no text; anything a reader sees is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.sources.markdown import holds_text


@pytest.mark.parametrize(
    "markdown",
    [
        "",
        " \t\r\n\f\v",
        "\n---\n\n---\n",
        "---\n---\n---",
        "***\n\n___\n\n===\n",
        "\u200b\ufeff\u00a0",
        "\u00ad\u2060\u200d\u3164\u2800\ufe0f\U000e0020",
        "```text\n\n```\n\n-----\n\n```text\n\n```",
        "~~~ markdown\n~~~",
        "> ```\n> ```",
        "| | |\n|---|:-:|\n| | |\n",
        "#\n\n##\n",
        "- \n* \n+ \n> \n",
        "<!-- page 1 -->\n\n<!-- page\n2 -->",
        "&nbsp;\n<br>\n<br/>",
        "\x00\x00",
        "\ud800",
        "\ufffc",
    ],
)
def test_markdown_that_shows_nothing_holds_no_text(markdown: str) -> None:
    assert not holds_text(markdown)


@pytest.mark.parametrize(
    "markdown",
    [
        "7",
        "# Total 42\n\n---\n",
        "世",
        "\u200bé\u200b",
        "👍",
        "•",
        "```\ncode\n```",
        "```inline```",
        "| a |\n|---|",
        "![](figure.png)",
        "<!-- a comment --> text",
        "<!-- never closed",
        "$",
        "!!!",
    ],
)
def test_anything_that_a_reader_sees_is_text(markdown: str) -> None:
    assert holds_text(markdown)


@given(st.text("-_*=#|:>+~ \n\t\u200b\ufeff"), st.characters(categories=["L", "N"]))
def test_one_letter_among_separators_is_text(around: str, letter: str) -> None:
    # Fillers are letters by category, but show nothing.
    if letter in "\u115f\u1160\u3164\uffa0":
        return
    assert holds_text(f"{around}\n{letter}{around}")


@pytest.mark.parametrize("part", ["---\n", "\u200b", "<!--", "<!-- -->", "```\n", "> ", "`", "&"])
def test_a_large_body_without_text_is_read_in_linear_time(part: str) -> None:
    started = time.process_time()
    holds_text(part * (2**22 // len(part)))
    assert time.process_time() - started < 5
