"""The path of each webhook: the receiver serves it, and whoever sends a webhook builds its URL."""

from typing import Final
from uuid import UUID

LLAMAPARSE: Final = "/webhooks/llamaparse"
"""The signed envelope."""

LLAMAPARSE_PUSH: Final = "/webhooks/llamaparse/{job_id}/{token}"
"""The result push of LlamaParse v1. `token` is the proof, so this path is a secret once filled."""

LLAMACLOUD: Final = "/webhooks/llamacloud"
"""The event notifications of LlamaCloud."""


def push_path(job_id: UUID, token: str) -> str:
    """The path of LLAMAPARSE_PUSH for one attempt of a job; `token` is what `mint_token` made."""
    return LLAMAPARSE_PUSH.format(job_id=job_id, token=token)
