"""docling-serve as the provider: self-hosted, free, and polled."""
