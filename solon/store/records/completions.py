"""All candidates of a record's request that the panel scored, with their scores. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sqlalchemy import Connection, select

from solon.formats.records import Completion, plain_model
from solon.law.documents import Rubric
from solon.law.seed_rubrics import SeedRubric
from solon.questions import PAIR, TIE
from solon.store.runs.seed_rubrics import seed_rubrics_on
from solon.store.runs.verdicts import scores_given, scores_on
from solon.store.tables import candidates, texts
from solon.store.tables import rubrics as in_force

Rubrics = tuple[SeedRubric | None, Rubric]
"""The rubric that a seed brought, and the one in force."""


@dataclass(frozen=True, slots=True)
class _Scored:
    """A candidate with its text, what it answers, and each judge's scores of it."""

    row: Any
    scores: list[dict[str, float]]

    @property
    def task(self) -> tuple[str | None, str | None]:
        return self.row.prompt_text_id, self.row.input_text_id

    def rated(self, rubrics: Rubrics) -> Completion:
        return Completion(
            id=self.row.id,
            model=plain_model(self.row.author),
            text=self.row.body,
            score=_mean(self.scores, rubrics),
            scores=_by_criterion(self.scores),
        )


def completions_of(
    connection: Connection, chunk: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[Completion, ...]]:
    """The scored candidates behind each record, by its id, in the order in which they were made; the same text once.

    A text that was scored in several attempts has the scores of the last of them. They are weighed by the rubric of the
    record.
    """
    of_item = _candidates(connection, {row["item_id"] for row in chunk})
    rubrics = _rubrics(connection, chunk)
    found = {}
    for row in chunk:
        made = of_item.get(row["item_id"], [])
        shown = row["chosen_id"] or next(iter(row.get("shown") or ()), None)
        asked = next((one.task for one in made if one.row.id == shown), None)
        of_text = {
            one.row.text_id: one.rated(rubrics[row["id"]])
            for one in made
            if one.scores and one.task == asked and one.row.attempt <= row["attempt"]
        }
        found[row["id"]] = tuple(of_text.values())
    return found


def scores_of_records(
    connection: Connection, chunk: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """record -> `chosen` (also of a single response) and `rejected`, of a tie `A` and `B` -> what the panel scored that
    text: `score`, the mean by the weights of the record's rubric, and `scores`, criterion -> mean over the judges. Only
    of records with a text that was scored."""
    scores = scores_on(connection, [name for row in chunk for name in sides_of(row).values()], scores_given)
    scored = [row for row in chunk if not scores.keys().isdisjoint(sides_of(row).values())]
    rubrics = _rubrics(connection, scored)
    return {
        row["id"]: {
            side: {
                "score": _mean(scores[name], rubrics[row["id"]]),
                "scores": _by_criterion(scores[name]),
            }
            for side, name in sides_of(row).items()
            if name in scores
        }
        for row in scored
    }


def sides_of(row: Mapping[str, Any]) -> dict[str, str]:
    """side -> candidate of a record: `chosen` and `rejected` where there are such, of a tie `A` and `B` as shown."""
    if row["kind"] == TIE:
        return dict(zip(PAIR.outcomes, row["shown"] or (), strict=False))
    return {side: row[f"{side}_id"] for side in ("chosen", "rejected") if row[f"{side}_id"]}


def _rubrics(connection: Connection, chunk: Sequence[Mapping[str, Any]]) -> dict[str, Rubrics]:
    """record -> what its texts may have been scored by."""
    ids = {row["rubric_id"] for row in chunk}
    query = select(in_force.c.id, in_force.c.document).where(in_force.c.id.in_(ids))
    rows = connection.execute(query) if ids else ()
    by_id = {row.id: Rubric.model_validate(row.document) for row in rows}
    own = seed_rubrics_on(connection, (row["item_id"] for row in chunk))
    return {row["id"]: (own.get(row["item_id"]), by_id[row["rubric_id"]]) for row in chunk}


def _mean(scores: Sequence[Mapping[str, float]], rubrics: Rubrics) -> float:
    """The mean over judges, each by the weights of the rubric whose criteria it scored."""
    own, in_force = rubrics
    means = ((own if own and own.ids()[0] in one else in_force).mean(one) for one in scores)
    return round(fmean(means), 6)


def _by_criterion(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in scores:
        for name, score in one.items():
            found.setdefault(name, []).append(score)
    return {name: round(fmean(given), 6) for name, given in found.items()}


def _candidates(connection: Connection, item_ids: Collection[str]) -> dict[str, list[_Scored]]:
    """The candidates of each item whose texts are there, in the order in which they were made."""
    query = (
        select(candidates, texts.c.body)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.item_id.in_(item_ids), texts.c.body.is_not(None))
        .order_by(candidates.c.attempt, candidates.c.round, candidates.c.ordinal, candidates.c.id)
    )
    rows = connection.execute(query).all()
    scores = scores_on(connection, [row.id for row in rows], scores_given)
    of_item: dict[str, list[_Scored]] = {}
    for row in rows:
        of_item.setdefault(row.item_id, []).append(_Scored(row, scores.get(row.id, [])))
    return of_item
