"""Records at three levels of confidence, for a report: drawn by their ids, so that nobody chose them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
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


class ExampleDraw:
    """The first records of each level by id, of all that are added: ids are hashes, so this is a draw that nobody
    chose."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Accepted]] = {level: [] for level, *_ in LEVELS}

    def add(self, row: Accepted) -> None:
        """Let a record take part."""
        for level, low, high in LEVELS:
            if row.confidence is not None and low <= row.confidence < high:
                insort(self._rows[level], row, key=lambda one: one.id)
                del self._rows[level][EXAMPLES:]

    def rows(self) -> list[tuple[str, Accepted]]:
        """The records drawn with their level, the lowest level first."""
        return [(level, row) for level, rows in self._rows.items() for row in rows]


def draw_examples(material: Material, drawn: ExampleDraw, with_texts: bool) -> tuple[Example, ...]:
    """Return the records that were drawn as examples.

    Args:
        with_texts: read their texts too.
    """
    wanted = drawn.rows()
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
