"""Plots of a replay report as PNG. matplotlib is imported on use, without a display."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from solon.errors import UsageError


def draw(report: Mapping[str, Any], folder: Path) -> list[str]:
    """Write the learning, routing and risk-coverage plots of a replay report, and return their paths.

    Raises:
        UsageError: matplotlib is not installed.
    """
    stem = Path(str(report["file"])).stem + (f"-{report['subset']}" if report.get("subset") else "")
    written = []
    for name, paint in (("learning", _learning), ("routing", _routing), ("risk-coverage", _risk)):
        figure, axes = open_axes()
        paint(report, axes)
        written.append(save(figure, folder, f"{stem}-{name}"))
    return written


def open_axes() -> tuple[Any, Any]:
    """An empty figure and its axes.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "plots need matplotlib", next_step="install matplotlib, or leave --plots out"
        ) from error
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def save(figure: Any, folder: Path, name: str) -> str:
    """Write a figure into a folder, made where it is missing, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{''.join(c if c.isalnum() or c in '-_' else '_' for c in name)}.png"
    figure.savefig(path, dpi=120)
    return str(path)


def _learning(report: Mapping[str, Any], axes: Any) -> None:
    points = sorted((int(k), v) for k, v in report["learned"].items())
    x = [p[0] for p in points]
    axes.plot(x, [p[1]["accuracy"] for p in points], marker="o", label="learned consensus")
    axes.fill_between(x, [p[1]["ci"][0] for p in points], [p[1]["ci"][1] for p in points], alpha=0.2)
    axes.axhline(report["majority"]["accuracy"], color="grey", linestyle="--", label="majority")
    axes.set(
        xlabel="expert labels", ylabel="accuracy on the rest", title=f"{report['file']}, n = {report['n']}"
    )
    axes.legend()


def _routing(report: Mapping[str, Any], axes: Any) -> None:
    points = sorted((float(k), v) for k, v in report["routed"].items() if k != "area")
    x = [p[0] for p in points]
    axes.plot(x, [p[1]["accuracy"] for p in points], marker="o", label="least margin first")
    axes.fill_between(x, [p[1]["ci"][0] for p in points], [p[1]["ci"][1] for p in points], alpha=0.2)
    axes.plot(x, [p[1]["random"] for p in points], linestyle="--", color="grey", label="random")
    axes.set(xlabel="share sent to the expert", ylabel="final accuracy", title="routing by the plain vote")
    axes.legend()


def _risk(report: Mapping[str, Any], axes: Any) -> None:
    points = report["calibration"]["risk_coverage"]
    axes.plot([p[0] for p in points], [p[1] for p in points], marker=".")
    axes.set(
        xlabel="accepted share", ylabel="share wrong among them", title="risk and coverage (cross-fitted)"
    )
