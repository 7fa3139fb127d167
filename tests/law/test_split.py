"""A principle or criterion divided into several: one change, with its lineage, in every form that law takes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from solon.agents.models.scripted_answers import Question
from solon.errors import UsageError
from solon.law.amendments import Document, Edit, apply_edits, next_version, telling, touched
from solon.law.documents import (
    Change,
    diff,
    dump_yaml,
    load_constitution,
    load_rubric,
    parse_constitution,
    parse_rubric,
)
from solon.law.lineage import may_belong, splits_of, successors
from solon.lawmaking.drafting import legislate, propose
from solon.store.lawmaking.amendments import find_amendment
from solon.store.lawmaking.precedents import precedents_under
from solon.store.lawmaking.principles import count_uses
from solon.store.lawmaking.splits import belongings, covered_ids, split_notes
from solon.store.runs.laws import version_in_force

from .conftest import Court, Fake
from .test_lawmaking import cast, measure, query

LAW, RUBRIC = load_constitution("general"), load_rubric("general")
OLD = LAW.ids()[1]
PARTS = [{"id": "first-half", "text": "Does the first half."}, {"id": "other-half", "text": "Does the rest."}]


def split(base: Document, old: str, *parts: dict[str, Any]) -> Document:
    edit = Edit.model_validate({"action": "split", "id": old, "into": list(parts or PARTS)})
    return apply_edits(base, [edit], author="me", reason="it says two things")


def test_the_parts_stand_where_the_old_one_stood_and_it_is_one_change() -> None:
    made = split(LAW, OLD)
    assert made.ids() == [LAW.ids()[0], "first-half", "other-half", *LAW.ids()[2:]]
    assert made.version == "2.0.0"
    [change] = telling(diff(LAW, made))  # type: ignore[type-var]
    old_text = LAW.ordered()[1].text
    assert change == Change("split", OLD, "", old_text, PARTS)
    assert str(change).startswith(f"[{OLD}] split into [first-half] Does the first half.; [other-half]")
    assert touched([change]) == {OLD, "first-half", "other-half"}
    back = diff(made, LAW)  # type: ignore[type-var]
    assert {c.action for c in telling(back)} == {"retired", "added"}


def test_a_part_may_be_given_its_place() -> None:
    made = split(LAW, OLD, {**PARTS[0], "priority": 1}, PARTS[1])
    assert made.ids() == ["first-half", LAW.ids()[0], "other-half", *LAW.ids()[2:]]


def test_a_criterion_is_divided_with_its_weight_and_its_anchors() -> None:
    old = RUBRIC.criteria[0]
    made = split(RUBRIC, old.id)
    assert sum(made.weights().values()) == pytest.approx(1.0)  # type: ignore[union-attr]
    assert made.criteria[0].weight == old.weight / 2  # type: ignore[union-attr]
    assert made.criteria[0].anchors == old.anchors  # type: ignore[union-attr]
    assert [c.split_from for c in made.criteria[:3]] == [old.id, old.id, None]  # type: ignore[union-attr]
    assert parse_rubric(dump_yaml(made)) == made


def test_lineage_goes_through_yaml_and_changes_nothing_that_applies() -> None:
    made = split(LAW, OLD)
    text = dump_yaml(made)
    assert text.count(f"split_from: {OLD}") == 2
    assert parse_constitution(text) == made
    without = parse_constitution("\n".join(line for line in text.splitlines() if "split_from" not in line))
    assert without.fingerprint() == made.fingerprint()
    assert "split_from" not in dump_yaml(LAW)


def test_a_whole_document_may_split_and_later_ones_cannot_rewrite_it() -> None:
    made = split(LAW, OLD)
    assert next_version(LAW, made.model_dump(), author="me", reason="by hand").ids() == made.ids()
    plain = made.model_dump()
    for principle in plain["principles"]:
        principle["split_from"] = None
    plain["principles"][0]["text"] = "Says it otherwise."
    kept = next_version(made, plain, author="me", reason="wording")
    assert [p.split_from for p in kept.principles] == [None, OLD, OLD, *[None] * (len(LAW.ids()) - 2)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        (PARTS[:1], "two or more"),
        ([], "belongs to no other action"),
        ([{**PARTS[0], "id": OLD}, PARTS[1]], "already"),
        ([{**PARTS[0], "id": LAW.ids()[0]}, PARTS[1]], "already"),
        ([PARTS[0], PARTS[0]], "is there twice"),
    ],
)
def test_what_is_no_split_is_refused(parts: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises((UsageError, ValueError), match=problem):
        apply_edits(
            LAW,
            [Edit.model_validate({"action": "split", "id": OLD, "into": parts})],
            author="",
            reason="x",
        )


def test_a_draft_cannot_claim_a_lineage_that_is_none() -> None:
    content = split(LAW, OLD).model_dump()
    content["principles"][1]["split_from"] = "nowhere"
    with pytest.raises(UsageError, match="'nowhere' was not divided here"):
        next_version(LAW, content, author="", reason="x")


def test_parts_that_are_split_again_lead_on() -> None:
    once = split(LAW, OLD)
    twice = split(once, "other-half", {"id": "a", "text": "Is a."}, {"id": "b", "text": "Is b."})
    splits = splits_of([LAW, once, twice])
    assert successors(splits, OLD) == ("first-half", "a", "b")
    assert successors(splits, "first-half") == ()


def test_a_text_belongs_to_the_parts_that_it_resembles() -> None:
    parts = split(
        LAW,
        OLD,
        {"id": "names-sources", "text": "Names its sources."},
        {"id": "is-short", "text": "Stays short."},
    ).principles[1:3]  # type: ignore[union-attr]
    assert may_belong("It names two sources.", parts) == ("names-sources",)
    assert may_belong("xyzzy", parts) == ("names-sources", "is-short")


# In the store ---------------------------------------------------------------------------------------------------


class Divider(Fake):
    """A legislator that divides a principle."""

    def respond(self, question: Question) -> Any:
        if question.role != "legislator":
            return super().respond(question)
        ids = re.findall(r"^\[([0-9a-f]{20,})\] experts decided", question.prompt, re.MULTILINE)
        into = [
            {"id": "Names_Units", "text": "Gives the amount with its unit."},
            {"id": "is right", "text": "Is correct."},
        ]
        change = {"action": "split", "id": OLD, "into": into}
        return {"reason": "Experts apply it in two ways.", "cites": ids[:3], "changes": [change]}


def cite(court: Court, principle: str, number: int) -> list[str]:
    """Let some decisions cite a principle; of the seen half and of the other in turn."""
    from sqlalchemy import text

    found = []
    with court.store.transaction() as connection:
        for half in ("seen", "held_out"):
            sql = "SELECT decision_id FROM precedents WHERE half = :half ORDER BY id LIMIT :n"
            ids = connection.execute(text(sql), {"half": half, "n": number}).scalars()
            found += [str(name) for name in ids]
        for name in found:
            connection.execute(
                text("UPDATE decisions SET principles = :p WHERE id = :id"),
                {"p": f'["{principle}"]', "id": name},
            )
    return found


def test_the_legislator_divides_and_earlier_decisions_are_told_where_they_belong(court: Court) -> None:
    cited = cite(court, OLD, 4)
    court.fake.__class__ = Divider
    made = asyncio.run(legislate(court.store, court.project.config, models=court.models))
    [amendment] = made.amendments
    assert amendment.document.ids()[1:3] == ["names-units", "is-right"]
    with court.store.connect() as connection:
        base = version_in_force(connection, "constitution", "general")
        assert base is not None
        told, unseen = belongings(connection, base.document, amendment.document, unseen=False)
    assert (len(told), unseen) == (4, 4)  # of the held-out half, how many and no more
    assert {one.decision_id for one in told} == set(cited[:4])
    assert {one.may for one in told} == {("names-units",)}  # "It names the unit of the amount"
    measure(court, amendment)
    for lead in (court.ada, court.ben):
        cast(court, amendment, lead)
    with court.store.connect() as connection:
        assert find_amendment(connection, amendment.id).state == "ratified"
        law = version_in_force(connection, "constitution", "general")
        assert law is not None
        told, unseen = belongings(connection, base.document, amendment.document, unseen=True)
        assert (len(told), unseen) == (8, 0)
        uses = {use.id: use for use in count_uses(connection, law)}
        history = [base, law]
        assert split_notes(history) == {law.id: {OLD: ("names-units", "is-right")}}
        assert OLD in covered_ids(connection, law)
        kept = {
            row.decision_id for row in precedents_under(connection, law.document) if OLD in row.principles
        }
    assert (uses[OLD].in_force, uses[OLD].split_into) == (False, ("names-units", "is-right"))
    assert uses[OLD].uses["experts"].cited == 8
    assert kept == set(cited)  # never rewritten


def test_a_file_splits(court: Court) -> None:
    [(decision,)] = query(court, "SELECT id FROM decisions LIMIT 1")
    file = (
        f"amends: general\nreason: it says two things\ncites: ['{decision}']\nchanges:\n"
        f"  - action: split\n    id: {OLD}\n    into:\n"
        "      - {id: names-units, text: Gives the amount with its unit.}\n"
        "      - {id: is-right, text: Is correct., priority: 1}\n"
    )
    made = propose(court.store, court.project.config, file, source="split.yaml", by="local:test")
    assert made.document.ids()[:2] == ["is-right", LAW.ids()[0]]
    assert made.document.version == "2.0.0"
