"""The hash of a body is computed once, and stays when the body is freed."""

from __future__ import annotations

import hashlib

import pytest

from hookline.sources.body import Body, sha256_of


def test_a_body_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    right = hashlib.sha256(b"a body").hexdigest()
    body = Body()
    body += b"a body"
    assert sha256_of(b"a body") == sha256_of(bytearray(b"a body")) == sha256_of(body) == right
    body.clear()
    monkeypatch.delattr(hashlib, "sha256")
    assert sha256_of(body) == right
