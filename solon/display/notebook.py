"""How things look in a notebook: cards and tables of escaped HTML, lists that become data frames.

Texts of seeds, models and people are hostile: nothing gets into a page but through `escape_html`. Styles are inline
and inherit the notebook's colours, since a notebook strips style sheets and may be dark.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from solon.display.text import escape_html, shorten
from solon.errors import UsageError

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
SHOWN = 20
"""Rows of a list that a notebook shows; all of them are in `to_pandas()`."""
_CELL = "text-align:left;vertical-align:top;padding:.2em .8em .2em 0"
_LINE = "border:1px solid color-mix(in srgb,currentColor 25%,transparent)"
# Without it a notebook would set `$...$` in foreign texts as formulas, which may hold links.
_AS_TEXT = 'class="tex2jax_ignore mathjax_ignore"'
_TEXT = "white-space:pre-wrap;overflow-wrap:anywhere"


def is_notebook() -> bool:
    """Tell whether this code is run by a Jupyter kernel. It imports nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def card(title: object, facts: Mapping[str, object], *parts: str) -> str:
    """Return a titled box as HTML: facts by name (empty ones are left out), then `parts`, which are HTML already."""
    rows = "".join(
        f'<div><span style="opacity:.7">{escape_html(name)}:</span> {escape_html(value)}</div>'
        for name, value in facts.items()
        if value not in (None, "", ())
    )
    head = f'<div style="font-weight:600;margin-bottom:.3em">{escape_html(title)}</div>'
    box = f"{_LINE};border-radius:4px;padding:.7em 1em;max-width:70em"
    return f'<div {_AS_TEXT} style="{box}">{head}{rows}{"".join(parts)}</div>'


def passage(title: object, text: object) -> str:
    """Return a foreign text under its title as HTML, shown as it was written."""
    return (
        f'<div style="margin-top:.6em"><div style="opacity:.7">{escape_html(title)}</div>'
        f'<div style="{_LINE};padding:.4em .6em;{_TEXT}">{escape_html(text)}</div></div>'
    )


def side_by_side(parts: Iterable[str]) -> str:
    """Return parts, which are HTML already, beside each other where there is room, else one below the other."""
    cells = "".join(f'<div style="flex:1 1 18em;min-width:0">{part}</div>' for part in parts)
    return f'<div style="display:flex;flex-wrap:wrap;gap:.8em">{cells}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, width: int = 120) -> str:
    """Return a table of short texts as HTML: every cell is one line of at most `width` characters."""
    head = "".join(f'<th style="{_CELL}">{escape_html(name)}</th>' for name in columns)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL}">{escape_html(shorten(cell, width))}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table {_AS_TEXT}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class Listing(list[T]):
    """A list of reviews, items, records or runs that a notebook shows as a table, and that becomes a data frame."""

    def __init__(self, rows: Iterable[T] = (), *, columns: Sequence[str] = ()) -> None:
        """Make a list of rows, which are dataclasses.

        Args:
            columns: the fields that a notebook shows; without any, all of them. A data frame always has all.
        """
        super().__init__(rows)
        self._columns = tuple(columns)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a data frame with one row per entry and one column per field; nested values stay Python objects.

        Raises:
            UsageError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise UsageError(
                "a data frame needs pandas, which is not installed",
                next_step="pip install 'solon[notebook]'",
            ) from None
        return pandas.DataFrame([_values(row) for row in self])

    def _repr_html_(self) -> str:
        if not self:
            return "<p>nothing here</p>"
        columns = self._columns or tuple(_values(self[0]))
        rows = ([spell_cell(getattr(row, name)) for name in columns] for row in self[:SHOWN])
        more = f"<p>{SHOWN} of {len(self)} are shown</p>" if len(self) > SHOWN else ""
        return table(columns, rows) + more


def _values(row: object) -> dict[str, Any]:
    if not is_dataclass(row):
        raise TypeError(f"a {type(row).__name__} has no fields")
    return {field.name: getattr(row, field.name) for field in fields(row)}


def spell_cell(value: object) -> str:
    """Return a value as the text of a table's cell: texts joined by `;`, numbers to three digits, nothing for None."""
    if isinstance(value, tuple | list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
