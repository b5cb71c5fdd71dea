"""What an application calls: submit documents, wait for their jobs, read the markdown."""
