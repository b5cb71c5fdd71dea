"""LlamaCloud as the provider: its client, through the vendor's SDK."""
