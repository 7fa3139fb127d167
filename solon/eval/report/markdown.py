"""A report as Markdown: what it begins with, what is promised, what is not known, and the figures, for an e-mail or a
repository. The page has all the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from solon.eval.report.marking import make_visible
from solon.eval.report.page import AS_ASKED, list_figures
from solon.eval.result import spell_interval, spell_share

if TYPE_CHECKING:
    from solon.eval.report.report import Report


def render_markdown(report: Report) -> str:
    """Return the report as Markdown; what others wrote in it is shown as it is, and is no markup."""
    return "\n".join(
        [*_begin(report), *_promised(report), *_limits(report), *_figures(report), *_rubric(report), ""]
    )


def _begin(report: Report) -> list[str]:
    top = report.headline
    gaps = f"; {top.agreement_gaps}" if top.agreement_gaps else ""
    return [
        f"# {plain(report.title)}",
        "",
        f"Made {report.made_at} with Solon {report.solon}, over {len(report.runs)} runs. Intervals are 95%.",
        "",
        f"- Records: {top.records} of {top.items} items; {report.certified} under a certificate, "
        f"{report.provisional} provisional.",
        f"- {plain(top.agreement_of)}: {spell_share(top.agreement)} ({spell_interval(top.agreement)}{gaps}).",
        f"- Questions that wait for people: {top.waiting}.",
        f"- Next: {plain(top.next_step)}.",
    ]


def _promised(report: Report) -> list[str]:
    lines = ["", "## What is promised"]
    for promise in report.promised:
        lines += ["", f"Run `{promise.run}`. **{plain(promise.sentence)}**", ""]
        lines += [f"- {name}: {plain(words)}" for name, words in promise.facts()]
    for released in report.promises:
        said = plain(released.sentence)
        told = f"**No longer promised:** {said}" if released.holds is False else f"**{said}**"
        lines += ["", f"Release {plain(released.release)}: {told} {plain(released.standing)}"]
    return lines if len(lines) > 2 else []


def _limits(report: Report) -> list[str]:
    return ["", "## What this report does not know", "", *(f"- {plain(limit)}" for limit in report.limits)]


def _figures(report: Report) -> list[str]:
    rows = [
        f"| {plain(row['name'])} | {_value(row)} |" for row in list_figures(report) if row["figure"].known
    ]
    told = ["", f"Items drawn at random among all: {AS_ASKED}."] if report.agreement.random.known else []
    return ["", "## How good it is", "", "| figure | value |", "|---|---|", *rows, *told] if rows else []


def _rubric(report: Report) -> list[str]:
    lines = [f"- {plain(line)}" for line in report.set_rubric.spell()]
    return ["", "## The set by a rubric", "", *lines] if report.set_rubric.records else []


def _value(row: dict[str, object]) -> str:
    from solon.eval.result import Figure

    figure, percent = row["figure"], bool(row["percent"])
    assert isinstance(figure, Figure)
    shown = spell_share(figure) if percent else f"{figure.value:.2f}"
    return f"{shown} ({spell_interval(figure, percent)})"


def plain(text: str) -> str:
    """Return a text in which nothing is markup but code between backticks."""
    one_line = " ".join(make_visible(text).split())
    spans = one_line.split("`")
    return "`".join(
        span if place % 2 else re.sub(r"([\\<>\[\]*_|#&])", r"\\\1", span) for place, span in enumerate(spans)
    )
