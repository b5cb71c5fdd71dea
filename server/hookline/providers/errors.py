"""What can go wrong with a call to a provider: one exception for each thing a caller can do."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "Misconfigured",
    "NotOffered",
    "NotReady",
    "ProviderError",
    "QuotaSpent",
    "RateLimited",
    "Refused",
    "Unanswered",
    "UnknownParseJob",
    "code_of_error",
    "read_retry_after",
    "result_too_large",
]


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """The header Retry-After in seconds. None without it, or if it is a date."""
    seconds = headers.get("Retry-After", "")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= 9
    return float(seconds) if is_number else None


class ProviderError(Exception):
    """The provider did not do what was asked. The message is a sentence."""


class RateLimited(ProviderError):
    """Not done: too many requests. Ask again later, after `retry_after` seconds if it is known."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaSpent(ProviderError):
    """Not done: all credits are used. Every other job would be refused now as well."""


class Misconfigured(ProviderError):
    """Not done: the API key or the address is wrong. Every call fails until it is corrected."""


class Refused(ProviderError):
    """Not done, and the same request will never be done.

    `code` names the reason in the history of the job. If `permanent`, every other attempt would be
    refused as well, and the job fails at once. `status` is that of the HTTP answer, if there is
    one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "provider_refused",
        permanent: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.permanent = permanent
        self.status = status


def result_too_large(most: int) -> Refused:
    """For an answer that has more bytes than are read of it."""
    return Refused(
        f"The provider's answer has more than {most:,} bytes.",
        code="result_too_large",
        permanent=True,
    )


class NotReady(ProviderError):
    """The job exists, but its result does not. The job's status says whether it will come."""


class UnknownParseJob(ProviderError):
    """The provider does not know the job, or has forgotten it."""


class NotOffered(UnknownParseJob):
    """The provider has no call for this. It forgets the job by its own rules."""


class Unanswered(ProviderError):
    """No answer, or one that says nothing. If `sent`, the request may have been carried out."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


def code_of_error(error: ProviderError | TimeoutError) -> str:
    """One word for a call that failed."""
    match error:
        case Refused():
            return error.code
        case QuotaSpent():
            return "quota_spent"
        case Misconfigured():
            return "provider_refused_us"
        case RateLimited():
            return "rate_limited"
        case NotReady():
            return "result_not_ready"
        case UnknownParseJob():
            return "parse_job_unknown"
        case _:
            return "provider_unanswered"
