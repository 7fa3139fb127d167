"""Small plots as SVG text, drawn in the colours of the page around them. Imports nothing of Solon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 44


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a series.

    Attributes:
        x: place on the horizontal axis.
        y: place on the vertical axis.
        low: lower end of its interval; None: no interval is drawn.
        high: upper end of its interval; None: no interval is drawn.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points joined by a line.

    Attributes:
        name: shown in the legend where there are several series.
        points: from left to right.
        style: `main`, `other` (dashed) or `steps`.
    """

    name: str
    points: tuple[Point, ...]
    style: str = "main"


@dataclass(frozen=True, slots=True)
class Plot:
    """What one plot shows.

    Attributes:
        title: read out in place of the picture.
        x_label: below the horizontal axis.
        y_label: beside the vertical axis.
        series: drawn in their order.
        x: range of the horizontal axis.
        y: range of the vertical axis.
        x_format: of the numbers at the horizontal axis.
        x_ticks: where numbers stand at it; empty: six even places.
        diagonal: whether the line where x equals y is drawn.
        lines: horizontal lines, each with its name and height.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    x_format: str = ".1f"
    x_ticks: tuple[float, ...] = ()
    diagonal: bool = False
    lines: tuple[tuple[str, float], ...] = field(default=())


def draw(plot: Plot) -> str:
    """Return the plot as an SVG element, in classes that the page's style sheet colours."""
    scale = _Scale(plot)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title, quote=True)}">',
        *_axes(plot, scale),
    ]
    if plot.diagonal:
        low, high = max(plot.x[0], plot.y[0]), min(plot.x[1], plot.y[1])
        parts.append(draw_line("guide", [(scale.x(low), scale.y(low)), (scale.x(high), scale.y(high))]))
    for name, value in plot.lines:
        height = scale.y(value)
        parts.append(draw_line("guide", [(LEFT, height), (WIDTH - RIGHT, height)]))
        parts.append(draw_text(LEFT + 5, height - 4, name, "start"))
    for series in plot.series:
        parts += _series(series, scale)
    parts += _legend(plot.series)
    return "".join([*parts, "</svg>"])


class _Scale:
    def __init__(self, plot: Plot) -> None:
        self._x, self._y = plot.x, plot.y

    def x(self, value: float) -> float:
        low, high = self._x
        return LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        return HEIGHT - BOTTOM - (value - low) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)


def _axes(plot: Plot, scale: _Scale) -> list[str]:
    parts = []
    for y in _spread(plot.y):
        parts.append(draw_line("grid", [(LEFT, scale.y(y)), (WIDTH - RIGHT, scale.y(y))]))
        parts.append(draw_text(LEFT - 6, scale.y(y) + 4, f"{y:.2g}", "end"))
    for x in plot.x_ticks or _spread(plot.x):
        parts.append(draw_text(scale.x(x), HEIGHT - BOTTOM + 16, format(x, plot.x_format), "middle"))
    parts.append(draw_line("axis", [(LEFT, TOP), (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)]))
    parts.append(draw_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, plot.x_label, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="12" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 12 {middle:.1f})">'
        f"{escape(plot.y_label)}</text>"
    )
    return parts


def _spread(ends: tuple[float, float]) -> list[float]:
    return [ends[0] + (ends[1] - ends[0]) * i / 5 for i in range(6)]


def _series(series: Series, scale: _Scale) -> list[str]:
    parts = []
    at = [(scale.x(p.x), scale.y(p.y)) for p in series.points]
    for point, (x, _) in zip(series.points, at, strict=True):
        if point.low is not None and point.high is not None:
            parts.append(
                draw_line(f"whisker {series.style}", [(x, scale.y(point.low)), (x, scale.y(point.high))])
            )
    if len(at) > 1:
        parts.append(draw_line(series.style, at))
    if series.style == "main" and len(at) <= 40:
        parts += [f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in at]
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    if len(series) < 2:
        return []
    parts = []
    for i, one in enumerate(series):
        y = HEIGHT - BOTTOM - 12 - 16 * (len(series) - 1 - i)
        parts.append(draw_line(one.style, [(LEFT + 10, y - 4), (LEFT + 34, y - 4)]))
        parts.append(draw_text(LEFT + 40, y, one.name, "start"))
    return parts


def draw_line(kind: str, points: Sequence[tuple[float, float]]) -> str:
    """Return a line through points, in a class of the style sheet."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>'


def draw_text(x: float, y: float, text: str, anchor: str) -> str:
    """Return words at a place, anchored at their `start`, `middle` or `end`."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
