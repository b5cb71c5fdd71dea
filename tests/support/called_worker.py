"""A worker of the contract suite that its provider calls back, when the test says so."""

from __future__ import annotations

from fakes.imitation import Imitation, Webhook
from support.cloud_worker import CloudWorker
from support.sender import Answer, Sender


class CalledWorker:
    """A worker with callbacks, and the receiver that takes them."""

    def __init__(self, worker: CloudWorker, imitation: Imitation, sender: Sender) -> None:
        self.worker = worker
        self.imitation = imitation
        self.sender = sender

    async def call_back(self, parse_job_id: str, *, genuine: bool = True) -> Answer:
        """Send the webhook about the end of a job."""
        return await self.send(self.imitation.webhook(parse_job_id, genuine=genuine))

    async def send(self, webhook: Webhook) -> Answer:
        named = {name.replace("-", "_"): value for name, value in webhook.headers.items()}
        return await self.sender.post(webhook.path, webhook.body, **named)
