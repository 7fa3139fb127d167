"""All candidates of a record's request that the panel scored, with their scores. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sqlalchemy import Connection, select

from solon.formats.records import Completion, plain_model
from solon.law.documents import Rubric
from solon.store.runs.verdicts import scores_on
from solon.store.tables import candidates, rubrics, texts, verdicts


@dataclass(frozen=True, slots=True)
class _Scored:
    """A candidate with its text, what it answers, and each judge's scores of it."""

    row: Any
    scores: list[dict[str, float]]

    @property
    def task(self) -> tuple[str | None, str | None]:
        return self.row.prompt_text_id, self.row.input_text_id

    def rated(self, rubric: Rubric) -> Completion:
        by_criterion: dict[str, list[float]] = {}
        for scores in self.scores:
            for name, score in scores.items():
                by_criterion.setdefault(name, []).append(score)
        return Completion(
            id=self.row.id,
            model=plain_model(self.row.author),
            text=self.row.body,
            score=fmean(rubric.mean(scores) for scores in self.scores),
            scores={name: fmean(scores) for name, scores in by_criterion.items()},
        )


def completions_of(
    connection: Connection, chunk: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[Completion, ...]]:
    """The scored candidates behind each record, by its id, in the order in which they were made; the same text once.

    A text that was scored in several attempts has the scores of the last of them. They are weighed by the rubric of the
    record.
    """
    of_item = _candidates(connection, {row["item_id"] for row in chunk})
    query = select(rubrics.c.id, rubrics.c.document).where(
        rubrics.c.id.in_({row["rubric_id"] for row in chunk})
    )
    by_id = {row.id: Rubric.model_validate(row.document) for row in connection.execute(query)}
    found = {}
    for row in chunk:
        made = of_item.get(row["item_id"], [])
        shown = row["chosen_id"] or next(iter(row.get("shown") or ()), None)
        asked = next((one.task for one in made if one.row.id == shown), None)
        of_text = {
            one.row.text_id: one.rated(by_id[row["rubric_id"]])
            for one in made
            if one.scores and one.task == asked and one.row.attempt <= row["attempt"]
        }
        found[row["id"]] = tuple(of_text.values())
    return found


def _candidates(connection: Connection, item_ids: Collection[str]) -> dict[str, list[_Scored]]:
    """The candidates of each item whose texts are there, in the order in which they were made."""
    query = (
        select(candidates, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.item_id.in_(item_ids), texts.c.body.is_not(None))
        .order_by(candidates.c.attempt, candidates.c.round, candidates.c.ordinal, candidates.c.id)
    )
    rows = connection.execute(query).all()
    scores = scores_on(connection, [row.id for row in rows], verdicts)
    of_item: dict[str, list[_Scored]] = {}
    for row in rows:
        of_item.setdefault(row.item_id, []).append(_Scored(row, scores.get(row.id, [])))
    return of_item
