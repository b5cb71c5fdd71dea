"""The parser on this machine: a child process reads the PDF, a signed webhook brings the text."""
