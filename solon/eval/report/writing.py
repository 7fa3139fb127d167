"""A report as files: the page, and the same as JSON beside it; and what a run's scope has learned so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.eval.material import gather
from solon.eval.report.markdown import render_markdown
from solon.eval.report.page import render_page
from solon.eval.report.report import build_report
from solon.eval.report.standing import read_standing
from solon.eval.suites import drift
from solon.formats.containers import check_target, write_text_at_once
from solon.store.runs.runs import find_run

SUFFIXES = (".html", ".htm", ".md")
"""How the name of a report ends; in .md it is the short form, in Markdown."""

if TYPE_CHECKING:
    from solon.eval.report.report import Rechecked, Report
    from solon.store.database.store import Store


def write_report(
    store: Store,
    output: Path,
    *,
    run_id: str | None = None,
    title: str = "",
    with_texts: bool = False,
    rechecked: Rechecked | None = None,
) -> Report:
    """Write the page, or its short form in Markdown, and all figures as JSON beside it; returns the figures.

    Args:
        output: the page, with a name in .html; the short form, with one in .md.
        run_id: this run only; default: all runs.
        with_texts: show example texts; without it neither file holds any.
        rechecked: of releases, see `build_report`.

    Raises:
        UsageError: the name ends in none of these, the page cannot be written there, or there is no such run.
    """
    beside = output.with_suffix(".json")
    check_target(output)
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{output}: a report is a page in HTML or a text in Markdown, with all figures as JSON beside it",
            next_step=f"end the name in {' or '.join(SUFFIXES)}, such as {output.with_suffix('.html')}",
        )
    material = gather(store, [run_id] if run_id else ())
    report = build_report(material, title=title, with_texts=with_texts, rechecked=rechecked)
    render = render_markdown if output.suffix.lower() == ".md" else render_page
    write_text_at_once(output, [render(report)])
    write_text_at_once(beside, [report.model_dump_json(indent=2), "\n"])
    return report


def read_learned(store: Store, run_id: str | None = None) -> dict[str, Any]:
    """What the scope of a run (default: the newest) has learned, as plain values: consensus versions, every look at the
    certification sample, the certificate in force, audits, and whose agreement fell."""
    with store.connect() as connection:
        run = find_run(connection, run_id)
    fallen = drift.evaluate(gather(store, [run.id])).alarms
    return read_standing(store, run).model_dump(mode="json") | {"fallen": list(fallen)}
