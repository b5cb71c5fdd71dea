"""Files become jobs: find them, store them, wait for their end."""
