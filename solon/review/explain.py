"""Why a review was here, for after the answer: reasons, findings, votes and rationales, the resolver's words."""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy import Connection, select

from solon.review.blind import shown_order
from solon.review.room import Room
from solon.store import tables
from solon.store.experts import ExpertRow
from solon.store.reviews import ReviewRow

BROUGHT_BY = {
    "audit": ["A random check: the panel had accepted this one."],
    "overlap": ["Two experts were asked, to learn how often experts agree."],
    "golden": ["A known item, to learn how reliable answers are."],
    "calibration": ["Everyone answers this one, to learn how often experts agree."],
}


def _table(name: str) -> Any:
    return getattr(tables, name).__table__


def explain_review(
    room: Room, connection: Connection, review: ReviewRow, expert: ExpertRow
) -> dict[str, Any]:
    """What the machines found, with the candidates named as this person saw them (1 left, 2 right)."""
    order = shown_order(room, review, expert)
    place = {name: number for number, name in enumerate(order, 1)}
    reasons = [_as_seen(reason["text"], review, place) for reason in review.reasons or ()]
    reasons = BROUGHT_BY.get(review.kind, []) or reasons
    return {
        "review": review.id,
        "kind": review.kind,
        "reasons": reasons,
        "margin": review.margin,
        "confidence": review.confidence,
        "candidates": [{"id": name, "place": place[name]} for name in order],
        "findings": _findings(connection, review, place),
        "verdicts": _verdicts(connection, review, place),
        "resolution": _resolution(connection, review, place),
        "decision": _decision(connection, review, place, expert),
    }


def _as_seen(text: str, review: ReviewRow, place: dict[str, int]) -> str:
    """The panel's A and B as the answers 1 and 2 that this person saw."""
    if len(review.candidates) != 2:
        return text
    numbers = {letter: place[name] for letter, name in zip("AB", review.candidates, strict=True)}
    return re.sub(r"\b(for|favours|prefers) ([AB])\b", lambda m: f"{m[1]} answer {numbers[m[2]]}", text)


def _bodies(connection: Connection, ids: list[str | None]) -> dict[str | None, str]:
    texts = _table("Text")
    wanted = [text_id for text_id in ids if text_id]
    query = select(texts.c.id, texts.c.body).where(texts.c.id.in_(wanted))
    return {row.id: row.body or "" for row in connection.execute(query)} if wanted else {}


def _findings(connection: Connection, review: ReviewRow, place: dict[str, int]) -> list[dict[str, Any]]:
    """Each finding beside the principle it cites; `quote` is to be marked in the candidate's text."""
    critiques = _table("Critique")
    rows = list(
        connection.execute(
            select(critiques.c.candidate_id, critiques.c.text_id).where(critiques.c.candidate_id.in_(place))
        )
    )
    bodies = _bodies(connection, [row.text_id for row in rows])
    found = []
    for row in rows:
        body = bodies.get(row.text_id)
        for finding in json.loads(body) if body else []:
            kept = {
                name: str(finding.get(name, "")) for name in ("principle", "quote", "severity", "suggestion")
            }
            found.append({"candidate": row.candidate_id, "place": place[row.candidate_id], **kept})
    return sorted(found, key=lambda f: (f["place"], f["severity"] != "fatal", f["severity"] != "major"))


def _verdicts(connection: Connection, review: ReviewRow, place: dict[str, int]) -> list[dict[str, Any]]:
    verdicts = _table("Verdict")
    query = (
        select(verdicts)
        .where(
            verdicts.c.item_id == review.item_id,
            verdicts.c.a_id.in_(place),
            verdicts.c.b_id.in_(place) | verdicts.c.b_id.is_(None),
        )
        .order_by(verdicts.c.seat, verdicts.c.judge, verdicts.c.order, verdicts.c.sample)
    )
    rows = list(connection.execute(query).mappings())
    bodies = _bodies(connection, [row["rationale_id"] for row in rows])
    told = []
    for row in rows:
        sides = {"A": row["a_id"], "B": row["b_id"]}
        favours = sides.get(row["outcome"])
        told.append(
            {
                "judge": row["judge"],
                "seat": row["seat"],
                "order": ", ".join(str(place[sides[letter]]) for letter in row["order"] if sides.get(letter)),
                "outcome": row["outcome"] if favours is None else "prefers",
                "favours": place.get(favours) if favours else None,
                "p": row["p"],
                "scores": row["scores"],
                "abstained": row["abstained"],
                "rationale": bodies.get(row["rationale_id"], ""),
            }
        )
    return told


def _resolution(connection: Connection, review: ReviewRow, place: dict[str, int]) -> dict[str, Any] | None:
    resolutions = _table("Resolution")
    query = (
        select(resolutions)
        .where(resolutions.c.item_id == review.item_id, resolutions.c.attempt == review.attempt)
        .order_by(resolutions.c.round.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    bodies = _bodies(connection, [row["text_id"]])
    return {
        "favours": place.get(row["favours_id"] or ""),
        "cites": row["cites"] or [],
        "handed_over": row["handed_over"],
        "text": bodies.get(row["text_id"], ""),
    }


def _decision(
    connection: Connection, review: ReviewRow, place: dict[str, int], expert: ExpertRow
) -> dict[str, Any] | None:
    """The decision that stands; somebody else's without a name."""
    if review.decision_id is None:
        return None
    decisions = _table("Decision")
    row = connection.execute(select(decisions).where(decisions.c.id == review.decision_id)).mappings().one()
    return {
        "yours": row["actor"] == expert.actor,
        "choice": row["choice"],
        "place": place.get(row["candidate_id"] or ""),
        "principles": row["principles"] or [],
    }
