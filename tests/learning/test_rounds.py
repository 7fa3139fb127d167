"""A budget in rounds: decide, learn, choose again; only what was drawn at random tests what was learned."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from solon import Project
from solon import learning as rounds_of
from solon.cli.learn import spell_status
from solon.config import Config
from solon.config.sections import RoutingConfig
from solon.consensus.select import pick_ranked, score_acquisition
from solon.errors import ConfigError, LimitReached
from solon.graphs import spending
from solon.graphs.resuming import Threads
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import newest_consensus
from solon.store.runs.runs import find_run
from solon.store.tables import candidates, items, records, reviews, texts

WORDS = {
    "card": ("plastic", "chip", "pin", "swipe"),
    "transfer": ("wire", "sent", "iban", "payee"),
    "login": ("password", "username", "reset", "locked"),
}
LABELS = tuple(WORDS)
FILLER = ("please", "today", "again", "why", "the", "help", "my", "still", "branch", "week")


def text_of(number: int) -> tuple[str, str]:
    draw = random.Random(f"round {number}")
    label = LABELS[number % 3]
    return label, " ".join([*draw.sample(WORDS[label], 2), *draw.sample(FILLER, 4)])


TRUTH = {text: label for label, text in map(text_of, range(300))}


@contextmanager
def labelling(folder: Path, n: int = 60, **routing: Any) -> Iterator[Project]:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": list(LABELS)},
        "judges": [],
        "rules": [{"name": "chip", "label": "card", "keywords": ["chip", "plastic"]}],
        "classifier": {"enabled": True},
        "routing": {
            "policy": "budget",
            "budget": 30,
            "rounds": 3,
            "acquisition": "uncertainty",
            "explore": 0.4,
            "audit_share": 0.0,
            **routing,
        },
    }
    with Project(f"sqlite:///{folder}/rounds.db", config=config) as project:
        project.store.key = "5a" * 32
        project.run("label-panel", [{"id": f"t{i}", "prompt": text_of(i)[1]} for i in range(n)])
        yield project


def rows(project: Project, query: Any) -> list[Any]:
    with project.store.connect() as connection:
        return list(connection.execute(query))


def answer(project: Project, truth: dict[str, str] = TRUTH) -> list[Any]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    bodies = {row.id: row.body for row in rows(project, query)}
    with project.store.connect() as connection:
        waiting = [r for r in list_reviews(connection, limit=1000) if r.kind == "interrupt"]
    for review in waiting:
        said = {"choice": truth[bodies[review.candidates[0]]]}
        decide(project.store, review.id, said, actor="expert:ada", channel="api", counts=True)
    return waiting


def version(project: Project) -> str | None:
    with project.store.connect() as connection:
        return newest_consensus(connection, find_run(connection).scope)


def states(project: Project) -> dict[str, int]:
    found = [row.state for row in rows(project, select(reviews.c.state))]
    return {state: found.count(state) for state in ("waiting", "decided", "held")}


def test_a_budget_is_spent_in_rounds_that_learn_between(tmp_path: Path) -> None:
    with labelling(tmp_path) as project:
        assert states(project) == {"waiting": 10, "decided": 0, "held": 50}
        project.resume()
        assert states(project)["waiting"] == 10, "nothing further while a round is under way"
        asked, versions = [], []
        for number in range(1, 4):
            asked.append(answer(project))
            project.resume()
            versions.append(version(project))
            left = 10 if number < 3 else 0
            assert states(project) == {
                "waiting": left,
                "decided": 10 * number,
                "held": 50 - 10 * number if left else 0,
            }
        assert len({*versions}) == 3
        assert None not in versions
        drawn = [review for part in asked for review in part if review.inclusion is not None]
        assert {review.inclusion for review in drawn} == {round(12 / 60, 9)}
        assert [sum(r.inclusion is not None for r in part) for part in asked] == [4, 4, 4]
        assert len({r.item_id for part in asked for r in part}) == 30
        left_over = rows(
            project, select(records).where(records.c.decision_id.is_(None), records.c.superseded_at.is_(None))
        )
        assert len(left_over) == 30
        pinned = {
            row.consensus_id
            for row in rows(
                project, select(items.c.consensus_id).where(items.c.id.in_([r.item_id for r in left_over]))
            )
        }
        assert pinned == {versions[-1]}, "what is left to the panel is left to what it learned last"


def test_chosen_decisions_teach_and_never_certify(tmp_path: Path) -> None:
    with labelling(tmp_path, explore=0.2) as project:
        answer(project)
        project.resume()
        first = project.learned()["versions"][-1]["decisions"]
        assert first >= 8, "the eight that were chosen all teach, whichever half their seeds are in"
        assert not project.learned()["looks"], "no look at the random part before all of it is there"


@pytest.mark.parametrize(("stops", "asked"), [(True, 10), (False, 20)])
def test_no_further_round_where_it_would_not_pay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: bool, asked: int
) -> None:
    """What nobody was asked about takes the panel's answer then, as after the last round."""
    with labelling(tmp_path, stops=stops) as project:
        answer(project)
        monkeypatch.setattr(spending, "newest_stopping", lambda *_: {"stop": True, "why": "enough"})
        project.resume()
        found = states(project)
        assert found["waiting"] + found["decided"] == asked
        assert (found["held"] == 0) is stops
        project.resume()
        assert states(project) == found


def test_a_killed_process_goes_on_in_its_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with labelling(tmp_path) as project:
        answer(project)
        judge_again, drive, done = rounds_of.judge_held_again, Threads.drive, []

        def dies(*given: Any) -> int:
            judge_again(*given)
            raise RuntimeError("the power fails")

        monkeypatch.setattr(rounds_of, "judge_held_again", dies)
        with pytest.raises(RuntimeError, match="the power fails"):
            project.resume()
        monkeypatch.undo()
        known = version(project)

        async def stops(self: Threads, *given: Any) -> Any:
            done.append(given)
            if len(done) > 20:
                raise LimitReached("the power fails again", next_step="go on")
            return await drive(self, *given)

        monkeypatch.setattr(Threads, "drive", stops)
        assert project.resume().queued > 0
        monkeypatch.undo()
        project.resume()
        assert states(project) == {"waiting": 10, "decided": 10, "held": 40}
        assert version(project) == known, "the round is not learned from twice"


def test_every_round_says_how_good_the_panel_is_and_whether_another_pays(tmp_path: Path) -> None:
    with labelling(tmp_path) as project:
        for _ in range(3):
            answer(project)
            project.resume()
        found = project.learned()
        told = [version["told"] for version in found["versions"] if version["decisions"]]
        assert all(re.match(r"right on \d+ of \d+ drawn at random \(", one) for one in told)
        assert [int(one.split(" of ")[1].split()[0]) for one in told] == [4, 8, 12], (
            "only what was drawn counts"
        )
        assert found["more_decisions"]["why"].startswith("right on ")
        assert "more decisions" in spell_status(found)
        assert "right on " in project.summarize().more_decisions["why"]


def test_accuracy_is_of_texts_that_were_left_out(tmp_path: Path) -> None:
    """Labels that follow from nothing: a panel tested on what it was taught would seem to know them."""
    with labelling(tmp_path, budget=50, rounds=2, explore=1.0) as project:
        draw = random.Random("nothing")
        nothing = {text: draw.choice(LABELS) for text in TRUTH}
        answer(project, nothing)
        project.resume()
        told = project.learned()["versions"][-1]["told"]
        right, n = (int(word) for word in re.findall(r"\d+", told)[:2])
        assert n == 25
        assert right <= 14, "chance is a third"


def test_choice_by_what_is_unsure_asks_other_texts_than_value(tmp_path: Path) -> None:
    chosen = {}
    for how in ("value", "margin", "committee", "core-set"):
        with labelling(
            tmp_path / how if (tmp_path / how).mkdir() is None else tmp_path, acquisition=how
        ) as project:
            first = answer(project)
            project.resume()
            chosen[how] = [r.item_id for r in first + answer(project) if r.inclusion is None]
    assert len({tuple(sorted(names)) for names in chosen.values()}) >= 3


def test_scores_and_the_first_choice() -> None:
    posterior = np.array([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    assert score_acquisition("margin", posterior).argmax() == 1
    member = np.stack([posterior, posterior], axis=1)
    member[3, 1] = [1.0, 0.0, 0.0]
    assert score_acquisition("committee", posterior, member).argmax() == 3
    assert pick_ranked(posterior, 3).tolist() == [0, 2, 3]
    with pytest.raises(ConfigError, match="no score of acquisition 'luck'"):
        score_acquisition("luck", posterior)


def test_rounds_need_a_budget_that_can_be_parted() -> None:
    for wrong in ({"rounds": 3}, {"acquisition": "margin"}, {"policy": "budget", "budget": 2, "rounds": 3}):
        with pytest.raises(ValueError, match="rounds"):
            RoutingConfig(**wrong)
    assert Config().routing.rounds == 1


# What people are told of it -------------------------------------------------------------------------------------


def test_status_and_progress_say_which_round_it_is_and_who_waits_for_what(tmp_path: Path) -> None:
    told: list[str] = []
    with labelling(tmp_path) as project:
        [began] = project.runs()
        assert (
            str(began.budget_round) == "round 1 of 3: 10 of its questions wait, 10 were asked in all so far"
        )
        assert (began.pending_review, began.held_back, began.queue["reviews"]) == (60, 50, 10)
        assert began.spell_waiting() == (
            "60 waiting for review (50 of these held back under the budget until a later round)"
        )
        answer(project)
        project.resume(on_progress=lambda progress: told.append(progress.round))
        assert str(project.runs()[0].budget_round).startswith(
            "round 2 of 3: 10 of its questions wait, 20 were"
        )
    assert (told[0], told[-1]) == ("round 1 of 3", "round 2 of 3")


@pytest.mark.parametrize("budget", [10, 11, 30])
def test_the_rounds_of_a_budget_are_told_apart_where_they_do_not_divide_it(budget: int) -> None:
    routing = RoutingConfig(policy="budget", budget=budget, rounds=4)
    ends = [round(budget * turn / 4) for turn in range(1, 5)]
    assert [routing.round_of(end, 0.0) for end in (0, *ends)] == [0, 1, 2, 3, 4]
    in_minutes = RoutingConfig(policy="budget", budget_minutes=8.0, rounds=4)
    assert [in_minutes.round_of(1, minutes) for minutes in (1.5, 2.0, 2.5, 8.0, 9.0)] == [1, 1, 2, 4, 4]


@pytest.mark.parametrize(
    ("acquisition", "first", "then"),
    [
        ("uncertainty", "what the panel ranks first", "the panel is least sure"),
        ("core-set", "unlike all that was asked", "unlike all that was asked"),
        ("committee", "what the panel ranks first", "the voters of the panel differ"),
    ],
)
def test_a_question_says_by_what_it_was_chosen(
    tmp_path: Path, acquisition: str, first: str, then: str
) -> None:
    with labelling(tmp_path, acquisition=acquisition) as project:
        for said in (first, then):
            reasons = [" ".join(r["text"] for r in review.reasons) for review in waiting(project)]
            drawn = [text for text in reasons if "drawn at random, one in " in text]
            assert (len(drawn), len(reasons)) == (4, 10), "four tenths are drawn"
            assert all(said in text for text in reasons if text not in drawn)
            assert not any(said in text or "least confident" in text for text in drawn)
            answer(project)
            project.resume()


def waiting(project: Project) -> list[Any]:
    with project.store.connect() as connection:
        return [one for one in list_reviews(connection) if one.state == "waiting"]
