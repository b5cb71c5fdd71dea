"""Why a delivery is refused: one exception for each HTTP status."""

from typing import NamedTuple

__all__ = ["Malformed", "NotProven", "Reason", "Refusal", "Unprocessable"]


class Refusal(Exception):
    """A delivery is refused. The message is one sentence that is safe to send back.

    It holds no secret and no document text. Of the request it holds only names of known fields.
    """


class Reason(NamedTuple):
    """Why a sender is not proven: a word for the view refusal_log, a sentence for our log."""

    code: str
    sentence: str


class NotProven(Refusal):
    """Nothing proves that the sender knows the secret: answer 401, whatever the body is.

    The sender gets `told`, which does not say why. Only our log and the view get `reason`.
    """

    def __init__(
        self, reason: Reason, *, told: str = "The signature is missing or does not match."
    ) -> None:
        super().__init__(told)
        self.reason = reason


class Malformed(Refusal):
    """The body is not what this sender is documented to send: answer 400. A retry cannot help."""


class Unprocessable(Refusal):
    """The body is well-formed, but cannot be processed: answer 422."""
