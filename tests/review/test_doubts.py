"""A very sure panel's doubt about an answer has the question asked again, and measures nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon import Project, judge
from solon.learning.evidence import is_drawn_at_random
from solon.store.learning.evidence import blind_answers, counted_decisions, ruled_outcomes
from solon.store.reviewing.adjudicating import adjudicate, list_cases
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.doubts import doubted_answers
from solon.store.reviewing.experts import TokenCheck, add_expert
from solon.store.reviewing.known import Mix, next_known
from solon.store.reviewing.overlaps import DOUBT
from solon.store.reviewing.queue import lease_next, lease_review, release
from solon.store.reviewing.repeats import repeated_answers
from solon.store.reviewing.review_rows import LeaseLost
from solon.store.runs.runs import find_run
from solon.store.tables import assignments, decisions, items, reviews

DAY = 86400.0
SURE = 0.9


@judge("card-or-transfer", "1")
def sorter(answer: str) -> str:
    return "card" if "card" in answer else "transfer"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Twelve texts of which each is asked; the panel is .95 sure of the first half and .6 of the rest, and a fourth is
    of the random pilot."""
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": ["card", "transfer"]},
        "judges": [{"python": f"{__name__}:sorter"}],
        "routing": {"policy": "always", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as opened:
        opened.plugins = {f"{__name__}:sorter": sorter}
        opened.store.key = "5a" * 32
        opened.run("label-panel", [{"id": f"t{n:02}", "prompt": f"the card is gone {n}"} for n in range(12)])
        with opened.store.transaction() as connection:
            for place, row in enumerate(_waiting(connection)):
                sure = 0.95 if place < 6 else 0.6
                changed = {"confidence": sure, "best": "card"}
                connection.execute(update(reviews).where(reviews.c.id == row.id).values(**changed))
                drawn = update(items).where(items.c.id == row.item_id)
                connection.execute(drawn.values(pilot=place % 4 == 0))
        yield opened


def _waiting(connection: Any) -> list[Any]:
    query = select(reviews.c.id, reviews.c.item_id).where(reviews.c.kind == "interrupt")
    return list(connection.execute(query.order_by(reviews.c.created_at, reviews.c.id)))


def person(project: Project, name: str, role: str = "expert") -> Any:
    _, token = add_expert(project.store, name, role=role, by="local:test")
    found = TokenCheck(project.store).check(token)
    assert found is not None
    return found


def answer(
    project: Project, who: Any, review_id: str, choice: str, doubt: float = SURE, match: str = "prefer"
) -> Any:
    with project.store.transaction() as connection:
        lease, _ = lease_review(connection, who, review_id)
        given = {"choice": choice, "rationale": "as it says"}
        about: dict[str, Any] = {"review_id": review_id, "channel": "api", "times": {}, "match": match}
        return answer_lease(project.store, connection, who, lease.token, given, doubt=doubt, **about)


def answer_all(project: Project, who: Any, choice: str, doubt: float = SURE) -> None:
    with project.store.connect() as connection:
        waiting = _waiting(connection)
    for row in waiting:
        answer(project, who, row.id, choice, doubt)


def asked_again(project: Project) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(select(reviews).where(reviews.c.rule == DOUBT)))


def test_only_a_very_sure_panel_has_another_person_asked(project: Project) -> None:
    ada, _ = person(project, "Ada"), person(project, "Ben")
    with project.store.connect() as connection:
        waiting = _waiting(connection)
    for place, row in enumerate(
        waiting
    ):  # with the panel, and against it where doubts are off, as by default
        answer(project, ada, row.id, "transfer" if place % 2 else "card", doubt=1.0 if place % 2 else SURE)
    assert asked_again(project) == []


@pytest.mark.parametrize(
    ("match", "lang", "again"), [("prefer", "en", True), ("require", "en", False), ("prefer", "sv", False)]
)
def test_who_else_can_answer_goes_by_how_the_queue_is_handed_out(
    project: Project, match: str, lang: str, again: bool
) -> None:
    ada = person(project, "Ada")
    add_expert(project.store, "Ben", specialties=["law"], languages=["en"], by="local:test")
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="medicine", lang=lang))
        first = _waiting(connection)[0].id
    answer(project, ada, first, "transfer", match=match)
    assert bool(asked_again(project)) is again


def test_what_the_queue_hands_out_whatever_the_field_is_leased_by_its_id(project: Project) -> None:
    ada, lea = person(project, "Ada"), person(project, "Lea", "lead")
    with project.store.transaction() as connection:
        connection.execute(update(reviews).values(specialty="medicine"))
        first, second, third = (row.id for row in _waiting(connection)[:3])
        for name, handed in ((first, {"escalated": True}), (second, {"prefer_actor": ada.actor})):
            connection.execute(update(reviews).where(reviews.c.id == name).values(**handed))
        for who, mine in ((lea, first), (ada, second)):
            found = lease_next(connection, who, match="require")
            assert found is not None
            assert found[1].id == mine
            release(connection, found[0].id, who.actor)
            assert lease_review(connection, who, mine, match="require")[1].id == mine
        with pytest.raises(LeaseLost, match="of another field"):
            lease_review(connection, lea, third, match="require")


def test_the_second_person_is_asked_blind_and_both_answers_stay(project: Project) -> None:
    ada, ben, lea = person(project, "Ada"), person(project, "Ben"), person(project, "Lea", "lead")
    answer_all(project, ada, "transfer")
    again = asked_again(project)
    assert len(again) == 6, "of twelve answers against the panel, the six on which it is sure"
    assert {(row.kind, row.state, row.prefer_actor) for row in again} == {("overlap", "waiting", None)}
    worker = person(project, "Wim", "worker")
    with project.store.transaction() as connection:
        assert lease_next(connection, ada) is None, "not the one who answered"
        assert lease_next(connection, worker) is None, "whose answer is a vote settles no doubt"
    for place, row in enumerate(again):
        answer(project, ben, row.id, "card" if place < 4 else "transfer")
    with project.store.connect() as connection:
        cases = list_cases(connection, "open")
        found = doubted_answers(connection, [find_run(connection).id])
    assert len(cases) == 4, "a lead settles where they differ"
    assert (len(found), sum(one.stayed for one in found), sum(one.with_panel for one in found)) == (6, 2, 4)
    with project.store.transaction() as connection:
        for case in cases:
            ruling = {"choice": "card", "candidate": None, "principle": None, "reason": "a card is named"}
            adjudicate(project.store, connection, lea, case.id, **ruling)
    _nothing_is_measured_by_them(project, ada, ben)


def _nothing_is_measured_by_them(project: Project, ada: Any, ben: Any) -> None:
    """Only answers against the panel come so far: counted, they would flatter it, and shame whoever contradicts it."""
    with project.store.connect() as connection:
        run = find_run(connection)
        measured = counted_decisions(connection, project.store.key, [run.id])
        taught = counted_decisions(connection, project.store.key, [run.id], voted=True)
        blind = blind_answers(connection)
        assert ruled_outcomes(connection) == {}
        assert repeated_answers(connection) == []
    assert [one.choice for one in measured] == ["transfer"] * 12
    drawn = [one for one in taught if is_drawn_at_random(one)]
    assert [one.choice for one in drawn] == ["transfer"] * 3, (
        "a random pilot answer certifies as it was given"
    )
    rest = [one.choice for one in taught if not is_drawn_at_random(one)]
    assert 0 < rest.count("card") <= 4, "elsewhere the ruling teaches"
    assert {one.actor for one in blind} == {ada.actor}
    assert len(blind) == 12
    found = project.evaluate("agreement")
    assert found.n == 12
    assert any(note.startswith("6 answers that the panel doubted were asked again") for note in found.notes)
    assert ben.actor not in found.by_reviewer
    left_out = (
        "10 of 22 answers do not count: 6 to questions that were asked again because the panel doubted the first "
        "answer; 4 given by a lead who settled what people differed on"
    )
    assert any(note.startswith(left_out) for note in found.notes), found.notes
    assert "asked again" in found.ceiling.experts_agree.why, (
        "two people answered, and yet nothing is known of it"
    )


def test_who_works_alone_is_asked_the_same_later(project: Project) -> None:
    ada = person(project, "Ada")
    mix = Mix(repeat_days=30.0, doubt=SURE)
    answer_all(project, ada, "transfer")
    assert asked_again(project) == [], "there is nobody else"
    with project.store.transaction() as connection:
        connection.execute(update(items).values(state="accepted"))
        assert next_known(project.store, connection, ada, mix) is None, "not at once"
        connection.execute(update(decisions).values(decided_at=decisions.c.decided_at - 31 * DAY))
        connection.execute(update(assignments).values(opened_at=assignments.c.opened_at - 31 * DAY))
        assert next_known(project.store, connection, ada, Mix(repeat_days=30.0)) is None, "off by default"
    for place in range(6):
        with project.store.transaction() as connection:
            name = next_known(project.store, connection, ada, mix)
        assert name is not None
        answer(project, ada, name, "card" if place else "transfer")
    with project.store.transaction() as connection:
        assert next_known(project.store, connection, ada, mix) is None, "each is asked again once"
        found = doubted_answers(connection, [find_run(connection).id])
        stand = connection.execute(select(decisions.c.choice).where(decisions.c.counts)).scalars().all()
        assert repeated_answers(connection) == []
    assert {one.same_person for one in found} == {True}
    assert (len(found), sum(one.stayed for one in found)) == (6, 1)
    assert stand == ["transfer"] * 12, "the first answers stay"
