"""Whether markdown holds any text: the one rule for every way in which a result arrives."""

import re
from typing import Final

from hookline.sources.long_strings import LongString

__all__ = ["holds_text"]

# Characters that show nothing: controls, blanks (also matched by \s), the code points with the
# property Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt), the blank Braille
# pattern, surrogates, and the placeholders U+FFF9 to U+FFFC.
_INVISIBLE: Final = (
    r"\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Characters of page separators, empty tables, headings, lists and quotes.
_MARKUP: Final = r"\-_*=#|:>+"

# Everything up to the first character of the text. Possessive, so that it never backtracks: a large
# body takes linear time.
_BEFORE_TEXT: Final = re.compile(
    rf"(?:[{_INVISIBLE}{_MARKUP}]++"
    r"|`{3,}+[^`\n]*+(?=\n|\Z)|~{3,}+[^\n]*+|~"  # lines that open or close a code fence
    r"|<!--.*?-->|&nbsp;|&#160;|<br\ */?>)*+",
    re.DOTALL,
)


# Characters that decide about nearly every long text, and the longest token of _BEFORE_TEXT that
# their end may cut, other than a comment or the line of a code fence.
_START: Final = 2**14
_LONGEST_TOKEN: Final = 8


def holds_text(markdown: str | LongString) -> bool:
    """Whether there is text: not only page separators, empty code fences, empty tables, comments
    or characters that show nothing.
    """
    if isinstance(markdown, LongString):
        start = markdown.start(_START)
        end = _end_of_nothing(start)
        if end < len(start) - _LONGEST_TOKEN and not start.startswith("<!--", end):
            return True
        markdown = markdown.whole()
    return _end_of_nothing(markdown) < len(markdown)


def _end_of_nothing(markdown: str) -> int:
    before = _BEFORE_TEXT.match(markdown)
    return before.end() if before else 0
