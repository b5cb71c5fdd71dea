"""The worker's part of parsing at a provider: submit, ask, fetch, poll, reconcile."""
