"""Everything behind an item or record: calls, prompts, models, law, people."""

from __future__ import annotations

import json
import math
from itertools import islice
from typing import Any

from sqlalchemy import Connection, FromClause, RowMapping, func, or_, select

from solon.errors import UsageError
from solon.law.seed_rubrics import rubric_of_answer
from solon.responses import RUBRIC
from solon.store import tables
from solon.store.database.ids import begins
from solon.store.database.store import Store
from solon.store.records.principles import compared_in, contrasts_of, principles_of
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.rankings import stored_rankings
from solon.store.reviewing.reading import quote_evidence, set_aside_rows
from solon.store.runs.runs import PREVIEW
from solon.store.runs.seed_rubrics import seed_rubrics_on
from solon.store.runs.seed_texts import load_prompt
from solon.store.runs.verdicts import first_votes, panel_votes, shortlist_scores, votes_not_asked


def _table(name: str) -> Any:
    return tables.metadata.tables[name]


def _row(connection: Connection, name: str, row_id: str) -> RowMapping:
    """The row of a table that has this id."""
    table = _table(name)
    return connection.execute(select(table).where(table.c.id == row_id)).mappings().one()


def trace(store: Store, some_id: str, *, prompts: bool = False) -> dict[str, Any]:
    """The lineage of the record, item or review whose id begins with `some_id`, or of the one item that the row of a
    seed file with this id became, as plain values. `verdicts` are the
    panel's votes; `shortlist` holds the scores by which candidates were ranked before, `first_votes`
    what judges had voted before a debate, `not_asked` the votes that nobody was asked for.

    Args:
        prompts: every call has its whole `prompt` as it was sent and its `answer` besides; None where they were erased.

    Raises:
        UsageError: nothing has this id, or several things have.
    """
    with store.connect() as connection:
        item_id, record_id = _find(connection, some_id)
        bodies = _Texts(connection)
        item = _row(connection, "items", item_id)
        run = _row(connection, "runs", item["run_id"])
        seed = _row(connection, "seeds", item["seed_id"])
        found: dict[str, Any] = {
            "record": _record(connection, item_id, record_id),
            "item": {k: item[k] for k in _OF_ITEM},
            "run": {k: run[k] for k in ("id", "recipe", "config_id", "actor", "created_at")},
            "seed": _seed(seed, bodies),
            "law": _law(connection, item),
            "seed_rubric": _seed_rubric(connection, item_id),
            "confirmed_rubrics": _confirmed_rubrics(connection, item_id),
        }
        for key, table, columns in _PARTS:
            found[key] = _rows(connection, table, item_id, columns, bodies)
        called = {text: name for name, text in text_ids(connection, _shown_now(found)).items()}
        for pointing in (
            *found["decisions"],
            *found["verdicts"],
            *found["first_votes"],
            *found["not_asked"],
            *found["shortlist"],
        ):
            pointing["evidence"] = quote_evidence(connection, pointing["evidence"] or ())
        for decision in found["decisions"]:
            decision["rankings"] = _rankings(decision, called)
        contrasts = contrasts_of(connection, [candidate["id"] for candidate in found["candidates"]])
        for candidate in found["candidates"]:
            candidate["contrast"] = contrasts.get(candidate["id"])
        _name_models(connection, found)
        for call in found["calls"] if prompts else ():
            call |= {"prompt": load_prompt(connection, call["id"]), "answer": _answer(connection, call["id"])}
        found["set_aside"] = set_aside_rows(connection, item_id)
        return found


def _shown_now(found: dict[str, Any]) -> list[str]:
    """The candidates of the item's present attempt."""
    return [one["id"] for one in found["candidates"] if one["attempt"] == found["item"]["attempt"]]


def _rankings(decision: dict[str, Any], called: dict[str, str]) -> dict[str, list[list[str]]]:
    """The rankings of a decision by the names of their questions, in place of the text that keeps them."""
    if decision["choice"] != "rank":
        return {}
    rankings = stored_rankings(decision.pop("edit"), called)
    decision["edit"] = None
    return {question: [[*tier] for tier in ranking.tiers] for question, ranking in rankings.items()}


_OF_ITEM = ("id", "number", "state", "route", "reason", "attempt", "graph_version", "examples")
_OF_VERDICTS = (
    "attempt",
    "a_id",
    "b_id",
    "judge",
    "seat",
    "order",
    "sample",
    "outcome",
    "p",
    "scores",
    "shares",
    "abstained",
    "basis",
    "call_id",
    "evidence",
    "rationale_id",
)
_PARTS: tuple[tuple[str, FromClause, tuple[str, ...]], ...] = (
    (
        "candidates",
        tables.candidates,
        ("id", "attempt", "round", "kind", "author", "parent_id", "call_id", "text_id"),
    ),
    (
        "critiques",
        tables.critiques,
        ("candidate_id", "worst", "principles", "abstained", "call_id", "text_id"),
    ),
    ("verdicts", panel_votes, _OF_VERDICTS),
    ("first_votes", first_votes, _OF_VERDICTS),
    ("not_asked", votes_not_asked, _OF_VERDICTS),
    ("shortlist", shortlist_scores, _OF_VERDICTS),
    (
        "resolutions",
        tables.resolutions,
        ("favours_id", "outcome", "cites", "handed_over", "call_id", "text_id"),
    ),
    (
        "reviews",
        tables.reviews,
        ("id", "attempt", "state", "rule", "reasons", "margin", "confidence", "decision_id"),
    ),
    (
        "decisions",
        tables.decisions,
        (
            "id",
            "actor",
            "channel",
            "choice",
            "candidate_id",
            "principles",
            "flags",
            "scores",
            "strength",
            "evidence",
            "decided_at",
            "undone_at",
            "carried_from",
            "suggestion",
            "checked",
            "rationale_id",
            "guidance_id",
            "edit_id",
        ),
    ),
    (
        "calls",
        tables.calls,
        (
            "id",
            "role",
            "seat",
            "sample",
            "round",
            "model",
            "template",
            "outcome",
            "error_id",
            "reasoning_id",
            "input_tokens",
            "output_tokens",
            "estimated",
            "cost",
            "seconds",
        ),
    ),
)


def _name_models(connection: Connection, found: dict[str, Any]) -> None:
    """Every text that a call brought gets the model of that call as `model`; the others, None."""
    brought = ("candidates", "critiques", "verdicts", "first_votes", "not_asked", "shortlist", "resolutions")
    rows = [row for key in brought for row in found[key]]
    calls = _table("calls")
    query = select(calls.c.id, calls.c.model).where(calls.c.id.in_({row["call_id"] for row in rows}))
    models: dict[str, str] = {row.id: row.model for row in connection.execute(query)}
    for row in rows:
        row["model"] = models.get(row["call_id"])


def _answer(connection: Connection, call_id: str) -> str | None:
    calls, texts = _table("calls"), _table("texts")
    query = select(texts.c.body).join(calls, calls.c.answer_id == texts.c.id).where(calls.c.id == call_id)
    return connection.execute(query).scalar()


class _Texts:
    """Bodies of texts by id, read when asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getitem__(self, text_id: str) -> str | None:
        texts = _table("texts")
        row = self._connection.execute(select(texts.c.body).where(texts.c.id == text_id)).first()
        return row.body if row is not None else None


def _find(connection: Connection, some_id: str) -> tuple[str, str | None]:
    # SQLite reads whole tables for the beginning of an id: only people abbreviate ids.
    found = (
        _with_id(connection, some_id, exact=True)
        or _with_seed(connection, some_id)
        or _with_id(connection, some_id, exact=False)
    )
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        ids = ", ".join(islice(found, 5)) + (", ..." if len(found) > 5 else "")
        raise UsageError(f"{some_id!r} fits several items: {ids}", next_step="give one of these ids")
    raise UsageError(
        f"no record, item, review, decision, seed or row of a seed file has the id {some_id!r}",
        next_step="ids stand in `solon export --format jsonl` and `solon review list`",
    )


def _with_seed(connection: Connection, name: str) -> dict[str, str | None]:
    """Items that a row of a seed file became, by the row's id or the id of its seed, as `solon forget` names it."""
    items, seeds = tables.items, tables.seeds
    query = select(items.c.id).join(seeds, seeds.c.id == items.c.seed_id)
    query = query.where(
        or_(seeds.c.external_id == name, seeds.c.id == name), items.c.state != PREVIEW
    ).order_by(items.c.id.desc())
    return dict.fromkeys(connection.execute(query.limit(6)).scalars())


def _with_id(connection: Connection, some_id: str, *, exact: bool) -> dict[str, str | None]:
    """Items of what has this id, or one that begins with it, each with the id of the record where it is one."""
    found: dict[str, str | None] = {}
    for name, item_column in (
        ("records", "item_id"),
        ("items", "id"),
        ("reviews", "item_id"),
        ("decisions", "item_id"),
    ):
        table = _table(name)
        known = begins(table.c.id, some_id, "a record, item, review or decision")
        query = (
            select(table.c.id, table.c[item_column]).where(table.c.id == some_id if exact else known).limit(3)
        )
        if name == "items":  # what stands apart from every run is nobody's item
            query = query.where(table.c.state != PREVIEW)
        for row_id, item_id in connection.execute(query):
            found.setdefault(item_id, row_id if name == "records" else None)
    return found


def _record(connection: Connection, item_id: str, record_id: str | None) -> dict[str, Any] | None:
    table = _table("records")
    query = select(table).where(table.c.item_id == item_id)
    query = (
        query.where(table.c.id == record_id) if record_id else query.where(table.c.superseded_at.is_(None))
    )
    row = connection.execute(query.order_by(table.c.place)).mappings().first()
    if row is None:
        return None
    made_by = principles_of(connection, compared_in(dict(row)))
    return {**row, "principles": sorted({name for found in made_by.values() for name in found})}


def _seed(seed: Any, bodies: _Texts) -> dict[str, Any]:
    facts = {k: seed[k] for k in ("external_id", "group", "source", "licence", "consent") if seed[k]}
    body = bodies[seed["text_id"]]
    if not body:
        return {**facts, "prompt": "(forgotten)"}
    content = json.loads(body)
    metadata = {"metadata": content["metadata"]} if content.get("metadata") else {}
    return {**facts, "prompt": content["prompt"], **metadata}


def _law(connection: Connection, item: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name, column in (
        ("constitution", "constitutions", "constitution_id"),
        ("rubric", "rubrics", "rubric_id"),
    ):
        row = _row(connection, name, item[column])
        found[key] = f"{row['name']} {row['version']} ({row['id']})"
    row = _row(connection, "consensus_versions", item["consensus_id"])
    found["consensus"] = f"{row['number']} {row['kind']} ({row['id']})"
    templates = _row(connection, "prompt_sets", item["prompts_id"])["templates"]
    found["prompts"] = {name: f"{entry['version']} ({entry['sha']})" for name, entry in templates.items()}
    return found


def _seed_rubric(connection: Connection, item_id: str) -> dict[str, Any] | None:
    """The rubric that the seed brought, or that a person confirmed, and judges went by; None where they went by the one
    in force."""
    rubric = seed_rubrics_on(connection, [item_id]).get(item_id)
    if rubric is None:
        return None
    calls, decisions, reviews = _table("calls"), _table("decisions"), _table("reviews")
    drafted = (
        select(calls.c.model)
        .where(calls.c.item_id == item_id, calls.c.role == "legislator", calls.c.outcome == "ok")
        .order_by(calls.c.created_at.desc())
    )
    confirmed = (
        select(decisions.c.actor, reviews.c.reasons)
        .join(reviews, reviews.c.id == decisions.c.review_id)
        .where(decisions.c.item_id == item_id, decisions.c.response_schema == RUBRIC)
        .where(decisions.c.undone_at.is_(None))
        .order_by(decisions.c.decided_at.desc(), decisions.c.id.desc())
    )
    by = connection.execute(confirmed).first()
    lines = by.reasons[0].get("criteria") if by else None
    return {
        "version": rubric.version,
        "criteria": rubric.told(),
        "drafted_by": connection.execute(drafted).scalars().first() if lines else None,
        "confirmed_by": by.actor if by else None,
        "corrected": bool(lines) and lines != rubric.as_lines(),
    }


def _confirmed_rubrics(connection: Connection, item_id: str) -> list[dict[str, Any]]:
    """Each rubric that a person confirmed for the item, the first first: `version`, `confirmed_by`, `undone_at` (None
    while it stands) and the `attempts` of which judges went by it."""
    decided, votes = tables.decisions.c, panel_votes.c
    query = (
        select(decided.actor, decided.decided_at, decided.undone_at, tables.texts.c.body)
        .join(tables.texts, tables.texts.c.id == decided.edit_id)
        .where(decided.item_id == item_id, decided.response_schema == RUBRIC)
        .order_by(decided.decided_at, decided.id)
    )
    judged = select(votes.attempt, func.min(votes.created_at)).where(votes.item_id == item_id)
    begun = connection.execute(judged.group_by(votes.attempt)).all()
    found = []
    for row in connection.execute(query):
        rubric = rubric_of_answer(row.body)
        ended = row.undone_at or math.inf
        found.append(
            {
                "version": rubric.version if rubric else None,
                "confirmed_by": row.actor,
                "undone_at": row.undone_at,
                "attempts": [attempt for attempt, at in begun if row.decided_at <= at < ended],
            }
        )
    return found


def _rows(
    connection: Connection, table: FromClause, item_id: str, columns: tuple[str, ...], bodies: _Texts
) -> list[dict[str, Any]]:
    order = [table.c[c] for c in ("created_at", "decided_at") if c in table.c] or [table.c.id]
    query = (
        select(*(table.c[c] for c in columns)).where(table.c.item_id == item_id).order_by(*order, table.c.id)
    )
    rows = []
    for row in connection.execute(query).mappings():
        plain = dict(row)
        for column in [
            c
            for c in columns
            if c.endswith("text_id")
            or c in ("rationale_id", "guidance_id", "edit_id", "error_id", "reasoning_id")
        ]:
            text_id = plain.pop(column)
            plain[column.removesuffix("_id")] = bodies[text_id] if text_id else None
        if plain.get("checked"):
            plain["checked"] = _check(plain["checked"], bodies)
        rows.append(plain)
    return rows


WRITTEN = ("text", "guidance", "rationale")
"""Parts of an answer that are kept as ids of texts."""


def _check(checked: dict[str, Any], bodies: _Texts) -> dict[str, Any]:
    """What was answered before a model first read the answer, what it said, and what was changed after that: of each
    part how it was before. How it is now stands in the decision."""
    said = [json.loads(body) for text_id in checked["said"] if (body := bodies[text_id])]
    first = checked["first"]
    changed = checked.get("changed", [])
    texts = {name: bodies[first[name]] for name in WRITTEN if name in changed and first.get(name)}
    return {
        "choice": first["choice"],
        "candidate_id": first["candidate"],
        "at": checked["at"],
        "remarks": [remark for remarks in said for remark in remarks],
        "reads": len(checked["said"]),
        "changed": changed,
        "before": {name: first.get(name) for name in changed} | texts,
    }
