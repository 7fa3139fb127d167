"""Foreign text made harmless for a terminal or a page: what hides or turns text is shown. Imports nothing of Solon."""

from __future__ import annotations

import html
import time
import unicodedata

_HIDING = ("Cc", "Cs", "Co", "Cn", "Cf", "Zl", "Zp")


def clean(value: object) -> str:
    """Return text without what a terminal would obey: control and direction characters are shown as escapes."""
    return "".join(char if _is_harmless(char) else _escape(char) for char in str(value))


def shorten(value: object, width: int) -> str:
    """Return one clean line of at most `width` characters; what is cut off is shown as `...`."""
    line = " ".join(clean(value).split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def escape_html(value: object) -> str:
    """Return clean text that is nothing but text where it stands in HTML, in an element or a quoted attribute."""
    return html.escape(clean(value), quote=True)


def _is_harmless(char: str) -> bool:
    if char in "\n\t":
        return True
    # Zero-width joiners belong to emoji and to several scripts; other format characters only hide or turn text.
    return unicodedata.category(char) not in _HIDING or char in "\u200c\u200d"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def moment(seconds: float) -> str:
    """Return epoch seconds as a time in UTC that people and programs can read: `2026-01-31 12:00:00Z`."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
