"""A request that is answered with an error page."""

from __future__ import annotations

from http import HTTPStatus

__all__ = ["Refused", "unknown"]


class Refused(Exception):
    """The answer is a page with this status and this sentence, which says what to do."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def unknown(what: str) -> Refused:
    """404: `what` is not there, or not any more."""
    return Refused(HTTPStatus.NOT_FOUND, f"There is no {what}. It may have been erased or purged.")
