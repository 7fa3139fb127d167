"""Why a review was here, for after the answer: reasons, findings, votes and rationales, the resolver's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from solon.consensus.panel import SILENT
from solon.questions import PAIR, question_of
from solon.review.blind import shown_order
from solon.review.state import Room
from solon.store.reviewing.disagreements import text_ids
from solon.store.reviewing.experts import ExpertRow
from solon.store.reviewing.known import known_answer
from solon.store.reviewing.reading import (
    critiques_of,
    decision_row,
    drafts_behind,
    findings_in,
    last_resolution,
    quote_evidence,
    tell_handed_over,
    text_bodies,
    verdicts_on,
)
from solon.store.reviewing.review_rows import REPEAT, ReviewRow

if TYPE_CHECKING:
    from solon.store.database.engine import Connection

A_CHECK = "A check of how often experts agree."
BROUGHT_BY = {
    "audit": ["A random check: the panel had accepted this one."],
    "overlap": [A_CHECK],
    "golden": [A_CHECK],
    "calibration": [A_CHECK],
    REPEAT: [A_CHECK],
    "practice": ["A practice question: here is what is right, and why."],
}
NOT_TOLD = ("overlap", "golden", "calibration", REPEAT)
"""Kinds of reviews that must look alike to their reviewers, also after the answer: a known question has no votes, so
those of the others are not shown either."""


def explain_review(
    room: Room, connection: Connection, review: ReviewRow, expert: ExpertRow
) -> dict[str, Any]:
    """Return why a review was here and what critics, judges and resolver said of it, as plain values.

    Candidates have the places at which this person saw them: 1 left, 2 right. Shown after the answer only, or before it
    where the reviewer asked, which is recorded.
    """
    order = shown_order(room, connection, review, expert)
    place = {name: number for number, name in enumerate(order, 1)}
    reasons = [_as_seen(reason["text"], review, place) for reason in review.reasons or ()]
    reasons = BROUGHT_BY.get(review.kind, []) or reasons
    if review.escalated and expert.may("lead"):
        reasons = [*reasons, *tell_handed_over(connection, review.item_id, review.id)]
    hidden = review.kind in NOT_TOLD
    return {
        "review": review.id,
        "kind": "check" if hidden else review.kind,
        "reasons": reasons,
        "margin": None if hidden else review.margin,
        "confidence": None if hidden else review.confidence,
        "candidates": [{"id": name, "place": place[name]} for name in order],
        "findings": [] if hidden else _findings(connection, review, place),
        "verdicts": [] if hidden else _verdicts(connection, review, place),
        "resolution": None if hidden else _resolution(connection, review, place),
        "decision": _decision(connection, review, place, expert),
        "known": _known(connection, review, place),
    }


def _as_seen(text: str, review: ReviewRow, place: dict[str, int]) -> str:
    """The panel's A and B as the answers 1 and 2 that this person saw."""
    if question_of(review.response_schema) != PAIR:
        return text
    numbers = {letter: place[name] for letter, name in zip(PAIR.outcomes, review.candidates, strict=True)}
    return re.sub(
        r"\b(for|favours|prefers|against) ([AB])\b", lambda m: f"{m[1]} answer {numbers[m[2]]}", text
    )


def _findings(connection: Connection, review: ReviewRow, place: dict[str, int]) -> list[dict[str, Any]]:
    """Each finding beside the principle it cites; `quote` is to be marked in the candidate's text. A revised answer
    has those of the draft that it was made from: `of_draft`."""
    revised = drafts_behind(connection, place)
    rows = critiques_of(connection, [*place, *revised])
    bodies = text_bodies(connection, [text_id for _, text_id in rows])
    findings: list[dict[str, Any]] = []
    for candidate, text_id in rows:
        shown = revised.get(candidate, candidate)
        at = {"candidate": shown, "place": place[shown], "of_draft": candidate in revised}
        findings += [{**at, **finding} for finding in findings_in(bodies.get(text_id))]
    return sorted(findings, key=lambda f: (f["place"], f["severity"] != "fatal", f["severity"] != "major"))


def _verdicts(connection: Connection, review: ReviewRow, place: dict[str, int]) -> list[dict[str, Any]]:
    rows = verdicts_on(connection, review.item_id, place)
    bodies = text_bodies(connection, [row["rationale_id"] for row in rows])
    told = []
    for row in rows:
        if row["outcome"] == SILENT:
            continue
        sides = dict(zip(PAIR.outcomes, (row["a_id"], row["b_id"]), strict=True))
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
                "evidence": quote_evidence(connection, row["evidence"] or ()),
            }
        )
    return told


def _resolution(connection: Connection, review: ReviewRow, place: dict[str, int]) -> dict[str, Any] | None:
    row = last_resolution(connection, review.item_id, review.attempt)
    if row is None:
        return None
    bodies = text_bodies(connection, [row["text_id"]])
    return {
        "favours": None if row["outcome"] else place.get(row["favours_id"] or ""),
        "outcome": row["outcome"],
        "cites": row["cites"] or [],
        "handed_over": row["handed_over"],
        "text": bodies.get(row["text_id"], ""),
    }


def _known(connection: Connection, review: ReviewRow, place: dict[str, int]) -> dict[str, Any] | None:
    """Feedback in practice: the right answer and why. Golden and calibration questions keep theirs, for others."""
    found = known_answer(connection, review) if review.kind == "practice" else None
    if found is None:
        return None
    sides = text_ids(connection, [*place, *([found["candidate_id"]] if found["candidate_id"] else [])])
    wanted = sides.get(found["candidate_id"] or "")
    return {
        "choice": found["choice"],
        "place": next((place[name] for name in place if wanted and sides.get(name) == wanted), None),
        "why": text_bodies(connection, [found["reason_id"]]).get(found["reason_id"], ""),
    }


def _decision(
    connection: Connection, review: ReviewRow, place: dict[str, int], expert: ExpertRow
) -> dict[str, Any] | None:
    """The decision that stands; somebody else's without a name."""
    if review.decision_id is None:
        return None
    row = decision_row(connection, review.decision_id)
    return {
        "yours": row["actor"] == expert.actor,
        "choice": row["choice"],
        "place": place.get(row["candidate_id"] or ""),
        "principles": row["principles"] or [],
    }
