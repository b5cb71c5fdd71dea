"""The HTTP endpoint: checks a delivery, parses it, calls one SQL function and answers."""
