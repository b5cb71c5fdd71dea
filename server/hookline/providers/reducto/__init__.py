"""Reducto as the provider: its client, its webhooks, its options."""
