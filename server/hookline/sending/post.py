"""One POST without retries or redirects, and a sentence for each way in which no answer comes."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hookline.process.http_client import proxied
from hookline.process.os_errors import reason_of
from hookline.process.short_answers import read_at_most
from hookline.sending.webhook import Webhook

__all__ = ["Answer", "NoAnswer", "post"]

# Bytes of an answer that are read. Ours are short; a proxy's page may be anything.
_MOST = 2**20

# What OpenSSL says of a certificate (X509_V_ERR_..., in openssl/x509_vfy.h).
_CERTIFICATES = {
    9: "it is not valid yet: is a clock wrong?",
    10: "it has expired: renew it",
    18: "it is self-signed, which senders refuse: get one from a public authority",
    19: "it is signed by an authority that senders do not know: get one from a public authority",
    20: "the chain is incomplete, or its authority is unknown: serve the intermediate certificates",
    21: "the chain is incomplete: serve the intermediate certificates, too",
    62: "it is for another host name",
    64: "it is for another address",
}


class NoAnswer(Exception):
    """No answer came. The message is a sentence that says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, from whoever it is."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float

    def told(self) -> dict[str, Any]:
        """The JSON object in the body. Empty if there is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


async def post(base: str, webhook: Webhook, *, within: float) -> Answer:
    """POST a webhook to the receiver at `base`. Raises NoAnswer `within` so many seconds.

    To an https:// address it uses the proxy of HTTPS_PROXY. Raises ConfigurationError if the
    environment names one that cannot be used.
    """
    started = time.perf_counter()
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=within),
                trust_env=proxied(base),
                auto_decompress=False,
                skip_auto_headers=["Accept-Encoding"],
            ) as session,
            session.post(  # aiohttp makes its own context once, when it is imported.
                base.rstrip("/") + webhook.path,
                data=webhook.body,
                headers=webhook.headers,
                allow_redirects=False,
                ssl=ssl.create_default_context(),
            ) as response,
        ):
            body = await read_at_most(response, _MOST)
            return Answer(
                response.status,
                response.reason or "",
                dict(response.headers),
                body,
                time.perf_counter() - started,
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        # Not the path: that of a push is a secret.
        reason = _reason(error, within)
        end = "" if reason.endswith("?") else "."
        raise NoAnswer(f"{base} gave no answer: {reason}{end}") from None


def _reason(error: Exception, within: float) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            code = getattr(cause, "verify_code", 0)
            said = _CERTIFICATES.get(code) or getattr(cause, "verify_message", "") or str(cause)
            return f"its TLS certificate is refused, {said}"
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError(reason="WRONG_VERSION_NUMBER")):
            return "it does not speak TLS: is the port one for http://, or does nothing end TLS?"
        case aiohttp.ClientConnectorSSLError(os_error=cause):
            return f"TLS failed, {reason_of(cause)}"
        case aiohttp.ClientConnectorDNSError(host=host):
            return f"the name {host} is not in DNS: add its A or AAAA record, or correct the name"
        case aiohttp.ClientProxyConnectionError():
            return "the proxy of the environment cannot be reached: see HTTPS_PROXY"
        case aiohttp.ClientConnectorError(os_error=cause):
            said = reason_of(cause)
            return f"no connection ({said}): does something listen there, and no firewall refuse?"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the connection was closed without an answer: look at the log of the proxy"
        case TimeoutError():
            return f"nothing came within {within:g} s: does a firewall drop it, or a proxy wait?"
        case aiohttp.InvalidURL():
            return "it is not a URL"
        case _:
            return str(error) or type(error).__name__
