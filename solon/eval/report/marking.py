"""Templates of a report: every foreign text is escaped, what is hidden in it becomes visible, commands become code."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Categories of characters that show nothing, and could hide or turn what follows."""


def load_templates() -> Environment:
    """Return the templates of this folder, which escape and show whatever is put into them."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=make_visible,
    )
    templates.filters["code"] = mark_code
    return templates


def make_visible(value: Any) -> Any:
    """Return a text whose control and direction characters are visible; anything but a text as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(
        c if c in "\n\t\u200c\u200d" or unicodedata.category(c) not in HIDDEN else "\ufffd" for c in value
    )


def mark_code(sentence: str) -> Markup:
    """Return a sentence as HTML in which what stands between backticks, such as a command, is code."""
    from markupsafe import Markup, escape

    spans = [escape(make_visible(span)) for span in sentence.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(span) if place % 2 else span for place, span in enumerate(spans)
    )
