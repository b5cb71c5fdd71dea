"""What is wrong with a configuration, a database or a storage, and what to do about it."""
