"""What a run promises as one picture: an SVG with its words beside it, on the lead's page and in the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from solon.eval.report.drawing import draw_line, draw_text
from solon.eval.report.marking import load_templates

if TYPE_CHECKING:
    from markupsafe import Markup

    from solon.eval.report.promise import RunPromise
    from solon.eval.result import Figure

Say = Callable[[str], str]
BEHIND = "What it rests on, what suspends it, what brings it back"
WIDTH, EDGE = 360, 4
TOP, ROW, SCALE, BAR, LINE = 34, 40, 14, 16, 18
"""Heights: above the rows, of a row, of the scale in it, of the bar, of a line of the legend. At 390 px of screen a
unit is about 1 px."""


def draw_promise(promise: RunPromise, say: Say = str) -> str:
    """Return the picture as an SVG element, in classes that the page's style sheet colours; `say` gives its texts in
    the reader's language."""
    rows = promise.measured()
    parts = {name: n for name, n in promise.items.items() if n}
    bottom = TOP + ROW * len(rows)
    height = bottom + 3 * LINE + BAR + LINE * len(parts)
    low = _lowest(promise)

    def across(share: float) -> float:
        return EDGE + (share - low) / (1.0 - low) * (WIDTH - 2 * EDGE)

    words = escape(" ".join(promise.lines(say)), quote=True)
    aim = across(promise.aim)
    named = "promised" if promise.state == "in force" else "aimed at"
    drawn = [
        f'<svg class="promise-picture" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{words}">',
        draw_line("aim", [(aim, TOP - 12), (aim, TOP - 4)]),
        draw_text(min(max(aim, 80), WIDTH - 80), 16, say(f"{named}: {promise.aim:.0%} or more"), "middle"),
        draw_text(EDGE, bottom + 6, f"{low:.0%}", "start"),
        draw_text(WIDTH - EDGE, bottom + 6, "100%", "end"),
    ]
    for place, (name, figure) in enumerate(rows):
        top = TOP + ROW * place
        # under the names and values, which neither the line nor the shade's edge crosses
        drawn.append(
            f'<rect class="band" x="{aim:.1f}" y="{top + 13}" width="{WIDTH - EDGE - aim:.1f}" height="{SCALE}"/>'
        )
        drawn.append(draw_line("aim", [(aim, top + 13), (aim, top + 13 + SCALE)]))
        drawn += _row(top, say(name), figure, across, say)
    drawn += _bar(bottom + 2 * LINE, parts, promise.total, say)
    return "".join([*drawn, "</svg>"])


def _lowest(promise: RunPromise) -> float:
    """The left end of the scale: a round share under all that is drawn."""
    lows = [promise.aim - 0.1, *(figure.low for _, figure in promise.measured() if figure.known)]
    return max(0.0, math.floor(min(lows) * 10 + 1e-9) / 10)


def _row(top: float, name: str, figure: Figure, across: Callable[[float], float], say: Say) -> list[str]:
    """One agreement: its name, its interval as a line, its value as a dot on it."""
    value = f"{figure.value:.1%}" if figure.known else say("not known")
    drawn = [draw_text(EDGE, top + 8, name, "start"), draw_text(WIDTH - EDGE, top + 8, value, "end")]
    if figure.known and figure.value is not None:
        middle = top + 13 + SCALE / 2
        drawn.append(draw_line("whisker", [(across(figure.low), middle), (across(figure.high), middle)]))
        drawn.append(f'<circle class="dot" cx="{across(figure.value):.1f}" cy="{middle}" r="5"/>')
    return drawn


def _bar(top: float, parts: dict[str, int], total: int, say: Say) -> list[str]:
    """The items of the run as one bar, with a line for each of its parts."""
    drawn = [draw_text(EDGE, top, say(f"The {total} items of the run"), "start")]
    x = float(EDGE)
    for place, (name, n) in enumerate(parts.items()):
        kind = name.replace(" ", "-")
        width = n / max(total, 1) * (WIDTH - 2 * EDGE)
        line = top + 8 + BAR + LINE * (place + 1)
        drawn.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{top + 8}" width="{max(width, 1):.1f}" height="{BAR}"/>'
        )
        drawn.append(f'<rect class="{kind}" x="{EDGE}" y="{line - 10}" width="10" height="10"/>')
        drawn.append(draw_text(EDGE + 16, line, f"{n} {say(name)} ({say(_percent(n, total))})", "start"))
        x += width
    return drawn


def _percent(n: int, total: int) -> str:
    share = n / max(total, 1)
    return (
        f"{share:.0%}" if 0.01 <= share <= 0.99 or n == total else "under 1%" if share < 0.01 else "over 99%"
    )


def picture_style() -> str:
    """Return the style sheet of the picture. The page sets its colours: ink, soft, line, accent and bad."""
    return (Path(__file__).parent / "promise.css").read_text(encoding="utf-8")


def render_promise(promise: RunPromise, *, folded: bool = False, say: Say = str) -> Markup:
    """Return the picture with its words as an HTML figure, every text of it escaped.

    Args:
        folded: the words stand behind a line that opens them.
        say: gives what is composed in English in the reader's language.
    """
    from markupsafe import Markup

    picture = Markup(draw_promise(promise, say))
    values = {"promise": promise, "picture": picture, "folded": folded, "behind": BEHIND, "say": say}
    return Markup(load_templates().get_template("promise.html").render(**values))
