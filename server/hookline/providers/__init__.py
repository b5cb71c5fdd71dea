"""Who parses: one package a parser, and the choice between them."""
