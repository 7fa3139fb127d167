"""Records at three levels of confidence, for a report: drawn by their ids, so that nobody chose them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.store.records.exporting import export_rows

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow
    from solon.store.records.evaluation import Accepted

LEVELS = (("low", 0.0, 0.6), ("middle", 0.6, 0.85), ("high", 0.85, 1.01))
EXAMPLES = 3
WITHHELD = "(withheld: flagged by an expert)"


class Example(BaseModel):
    """A record at some level of confidence, for a report.

    Attributes:
        level: `low`, `middle` or `high`.
        record: its id.
        confidence: of the panel.
        route: how it was settled.
        provisional: whether it was accepted while no certificate was in force.
        prompt: the request; None where no texts were asked for.
        chosen: the accepted answer or label, or that it is withheld; None without texts.
        rejected: the other answer of a pair, or that it is withheld; None without texts or a pair.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: str
    record: str
    confidence: float | None
    route: str
    provisional: bool
    prompt: str | None = None
    chosen: str | None = None
    rejected: str | None = None


def draw_examples(material: Material, accepted: Sequence[Accepted], with_texts: bool) -> tuple[Example, ...]:
    """Return the first records of each level by id: ids are hashes, so this is a draw that nobody chose.

    Args:
        accepted: the records to draw from, in the order of their ids.
        with_texts: read their texts too.
    """
    wanted: list[tuple[str, Accepted]] = []
    for level, low, high in LEVELS:
        fitting = [row for row in accepted if row.confidence is not None and low <= row.confidence < high]
        wanted += [(level, row) for row in fitting[:EXAMPLES]]
    ids = {row.id for _, row in wanted}
    texts = {row.id: row for row in _rows(material) if row.id in ids} if with_texts else {}
    examples = []
    for level, row in wanted:
        examples.append(
            Example(
                level=level,
                record=row.id,
                confidence=row.confidence,
                route=row.route,
                provisional=row.provisional,
                **(_texts(texts[row.id]) if row.id in texts else {}),
            )
        )
    return tuple(examples)


def _texts(row: ExportRow) -> dict[str, str | None]:
    """Prompt and answers without what an expert flagged: where that is the chosen one, neither answer is shown."""
    rejected = WITHHELD if row.lineage["rejected"] in row.flagged_candidates else row.rejected
    return {
        "prompt": row.prompt,
        "chosen": WITHHELD if row.flags else row.label if row.outcome == "label" else row.answer,
        "rejected": None if row.flags else rejected,
    }


def _rows(material: Material) -> Iterator[ExportRow]:
    for run_id in material.run_ids:
        yield from export_rows(material.store, run_id=run_id)[1]
