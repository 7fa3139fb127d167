"""Waiting reviews as tasks of Argilla or Label Studio; `import` brings the answers back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from solon.errors import UsageError
from solon.formats import annotation
from solon.formats.annotation import LABEL_STUDIO_PAIR, LABEL_STUDIO_SINGLE, Question, argilla_settings
from solon.formats.containers import check_target, write_text_at_once
from solon.store.database.local_actor import local_actor
from solon.store.privacy.forgetting import mark_export

if TYPE_CHECKING:
    from solon.workspace.views import Review
    from solon.workspace.workspace import Workspace

WRITERS = {"argilla": annotation.write_argilla, "label-studio": annotation.write_label_studio}


@dataclass(frozen=True, slots=True)
class ReviewExport:
    """What was written for the other tool.

    Attributes:
        format: argilla or label-studio.
        reviews: how many reviews are in the first file.
        files: the tasks first, then what the other tool is to ask, for pairs and for single answers.
    """

    format: str
    reviews: int
    files: tuple[str, ...]


def export_reviews(
    workspace: Workspace, format: str, path: str | Path, *, run_id: str | None = None, limit: int = 1000
) -> ReviewExport:
    """Write waiting reviews, the first of the queue first, and beside them the settings that the other tool needs; what
    is to be ranked stays here.

    Args:
        format: argilla or label-studio.
        run_id: reviews of this run only; default: of all runs.

    Raises:
        UsageError: there is no such format or run, or the file cannot be written there.
    """
    if format not in WRITERS:
        raise UsageError(f"reviews are not written as {format!r}", next_step=f"known: {', '.join(WRITERS)}")
    output = Path(path)
    check_target(output)
    if run_id is not None:
        run_id = workspace.summarize(run_id).run_id
    waiting = workspace.reviews(run_id=run_id, limit=limit)
    questions = [_question(review) for review in waiting if not review.ranked_by]
    mark_export(workspace.store, local_actor(), [str(output)], run=run_id, of="reviews")
    rows = [WRITERS[format](question) for question in questions]
    write_text_at_once(output, [json.dumps(rows, ensure_ascii=False, indent=1) + "\n"])
    files = [str(output)]
    for name, text in _interfaces(format).items():
        place = output.with_name(f"{output.stem}.{name}")
        write_text_at_once(place, [text])
        files.append(str(place))
    return ReviewExport(format, len(questions), tuple(files))


def _interfaces(format: str) -> dict[str, str]:
    """End of a file's name -> what the other tool is to ask, for pairs and for single answers."""
    if format == "label-studio":
        return {"pair.xml": LABEL_STUDIO_PAIR, "single.xml": LABEL_STUDIO_SINGLE}
    kinds = ("pair", "single")
    return {f"{kind}.settings.json": json.dumps(argilla_settings(kind), indent=1) + "\n" for kind in kinds}


def _question(review: Review) -> Question:
    answers = tuple((candidate.id, candidate.text) for candidate in review.candidates)
    return Question(review.id, review.recipe, review.prompt, review.input, answers)
