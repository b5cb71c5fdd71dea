"""The HTTP endpoint: verifies a delivery, parses it, calls SQL functions and answers."""
