"""What a text must be like for the databases to hold it. Imports nothing."""

from __future__ import annotations


def storable(body: str) -> str:
    """A text as both databases can hold it: NUL and lone surrogates are replaced, everything else is unchanged."""
    if body.isascii() and "\x00" not in body:
        return body
    clean = body.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return body if clean == body else clean
