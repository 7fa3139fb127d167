"""A report as one HTML page: nothing is fetched, nothing runs, every foreign text is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solon.eval.report.drawing import Plot, Point, Series, draw
from solon.eval.report.examples import LEVELS
from solon.eval.report.marking import load_templates
from solon.eval.report.promise_picture import render_promise
from solon.eval.result import spell_interval, spell_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solon.eval.report.curves import Step
    from solon.eval.report.report import Report
    from solon.eval.result import Figure

TEMPLATE = "report.html"


def render_page(report: Report) -> str:
    """Return the report as an HTML page, with its plots in it."""
    environment = load_templates()
    environment.filters |= {
        "share": spell_share,
        "interval": spell_interval,
        "number": spell_number,
    }
    return environment.get_template(TEMPLATE).render(
        report=report,
        plots=_plots(report),
        figures=list_figures(report),
        levels=LEVELS,
        render_promise=render_promise,
    )


AS_ASKED = (
    "each item once, by its first answer, and by the panel as it was when people were asked; a promise rests on the "
    "panel as it is after learning, where each item is judged by what the others taught, and may show another figure"
)
"""Why the agreement on what was drawn is another figure than the one that a promise rests on."""


def list_figures(report: Report) -> list[dict[str, Any]]:
    """The rows of "How good it is": what each figure is of, the figure, whether it is a share, and what to add."""
    rows: list[tuple[str, Figure, bool, str]] = []
    for run in report.audit.runs:
        low, high = run.always
        of, promised = f"run {run.name[:10]}", "promised" if run.promised else "aimed at"
        more = f"{run.promise:.0%} {promised}; {run.state}: {run.why}. At all looks together: {low:.1%} to {high:.1%}"
        rows.append(
            (f"accepted records that an expert agrees with, by blind audit ({of})", run.agreement, True, more)
        )
        if run.saved:
            name = f"the same of records in force, made sharper by the panel's confidence ({of})"
            rows.append((name, run.sharpened, True, f"it saves {run.saved:.0%} of the audits"))
        rows.append((f"audited records flagged unsafe ({of}; upper bound)", run.unsafe, True, ""))
    agreed = report.agreement
    rows += (
        ("panel and expert agree, on items drawn at random among all", agreed.random, True, AS_ASKED),
        ("panel and expert agree, on accepted records drawn for audits", agreed.audited, True, ""),
        ("panel and expert agree, on items sent because the panel was unsure", agreed.routed, True, ""),
        ("two experts agree with each other", agreed.ceiling.experts_agree, True, ""),
        ("best that any panel could agree with one expert", agreed.ceiling.best_panel, True, ""),
        ("experts among each other, Krippendorff's alpha", agreed.expert_expert_alpha, False, ""),
        ("judges among each other, Krippendorff's alpha", agreed.judge_judge_alpha, False, ""),
    )
    return [dict(zip(("name", "figure", "percent", "more"), row, strict=True)) for row in rows]


def spell_number(value: float | None, digits: int = 0) -> str:
    """Return a number with thin spaces between thousands, or that it is unknown."""
    return "unknown" if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def _plots(report: Report) -> dict[str, Any]:
    from markupsafe import Markup

    plots = {}
    for name, plot in (
        ("calibration", _calibration(report)),
        ("risk", _risk(report)),
        ("learning", _learning(report)),
        ("time", _over_time(report)),
    ):
        plots[name] = Markup(draw(plot)) if plot is not None else None
    return plots


def _calibration(report: Report) -> Plot | None:
    points = _steps(report.curves.calibration)
    low = min([0.5, *(p.x for p in points)])
    return (
        Plot(
            "Calibration: agreement found against confidence told",
            "confidence told by the panel",
            "agreement with an expert",
            (Series("found", points),),
            x=(low, 1.0),
            x_format=".2f",
            diagonal=True,
        )
        if points
        else None
    )


def _risk(report: Report) -> Plot | None:
    points = tuple(Point(x, y) for x, y in report.curves.risk_coverage)
    highest = max([0.05, *(p.y for p in points)])
    top = next((edge for edge in (0.05, 0.1, 0.2, 0.5) if highest <= edge), 1.0)
    return (
        Plot(
            "Risk and coverage: share wrong among the most confident",
            "share accepted, the most confident first",
            "share wrong among them",
            (Series("panel", points),),
            y=(0.0, top),
        )
        if points
        else None
    )


def _learning(report: Report) -> Plot | None:
    points = _steps(report.curves.learning)
    return (
        Plot(
            "Learning: agreement on held-out decisions by consensus version",
            "decisions that fitted the version",
            "agreement on held-out decisions",
            (Series("version", points),),
            x=(0.0, max(1.0, points[-1].x)),
            x_format=".0f",
            x_ticks=tuple(sorted({p.x for p in points})) if len(points) <= 6 else (),
        )
        if len(points) > 1
        else None
    )


def _over_time(report: Report) -> Plot | None:
    periods = report.agreement.over_time
    points = tuple(
        Point(float(i), p.agreement.value, p.agreement.low, p.agreement.high)
        for i, p in enumerate(periods, 1)
        if p.agreement.value is not None
    )
    ceiling = report.agreement.ceiling.best_panel.value
    return (
        Plot(
            "Agreement of panel and experts over time",
            "parts of equally many answers, the oldest first",
            "agreement",
            (Series("panel and expert", points),),
            x=(0.5, len(periods) + 0.5),
            x_format=".0f",
            x_ticks=tuple(float(i) for i in range(1, len(periods) + 1)),
            lines=(("ceiling set by the experts", ceiling),) if ceiling is not None else (),
        )
        if len(points) > 1
        else None
    )


def _steps(steps: Sequence[Step]) -> tuple[Point, ...]:
    return tuple(
        Point(s.x, s.agreement.value, s.agreement.low, s.agreement.high)
        for s in steps
        if s.agreement.value is not None
    )
