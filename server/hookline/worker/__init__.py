"""Workers: they claim jobs by their status, and hand each to the handler of its stage."""
