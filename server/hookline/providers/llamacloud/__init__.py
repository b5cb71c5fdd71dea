"""LlamaCloud as the parser: submit a document, ask about it, fetch the result."""
