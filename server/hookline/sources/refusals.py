"""Why a delivery is not accepted: one exception for each HTTP status."""

__all__ = ["Malformed", "NotProven", "Refusal", "Unprocessable"]


class Refusal(Exception):
    """A delivery is not accepted. `str()` of it is one sentence that is safe to send back.

    It holds no secret, no document text, and of what was sent no more than names of known fields.
    """


class NotProven(Refusal):
    """Nothing proves that the sender knows the secret: answer 401, whatever the body says."""


class Malformed(Refusal):
    """The bytes are not what the source promises to send: answer 400; a retry cannot help."""


class Unprocessable(Refusal):
    """Well-formed, but nothing can be done with it: answer 422."""
