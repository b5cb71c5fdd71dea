"""Test webhooks: made and signed as a sender does, posted to a receiver, and what came back."""
