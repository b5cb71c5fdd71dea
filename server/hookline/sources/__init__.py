"""Sources: one module for each sender of webhooks. They verify, then parse; no I/O and no clock.

`protocol.Source` is what a source can do. A source turns a delivery into a `Notice` (an event
without content) or a `Content` (the bytes of a result), or refuses it by one of the exceptions in
`refusals`. One HTTP handler of the receiver serves all sources.
"""
