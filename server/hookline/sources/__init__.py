"""What a source of webhooks gives: a notice, a content, or a refusal. No I/O, no clock.

A source is two pure functions. Verify proves who sent the bytes; parse says what they mean in the
words of the database. One HTTP handler serves all sources: it maps the three refusals to a status
code, a `Notice` to SQL `receive_event`, and a `Content` to SQL `receive_content`.
"""
