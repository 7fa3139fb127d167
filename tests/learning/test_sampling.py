"""The sample that certifies: asked in the order of the draw, nothing of it left out, one of each group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pilots import make_project, query, seeds
from sqlalchemy import text

from solon import Project
from solon.cli import main
from solon.config.sections import RoutingConfig
from solon.consensus.looks import plan_look
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import Vote, judge_item
from solon.errors import UsageError
from solon.graphs.routing import Standing, choose_route
from solon.learning.adopting import chooses_other, rest
from solon.learning.certificates import Crossfit, certify_sample
from solon.learning.evidence import Evidence
from solon.learning.sample import Sample
from solon.questions import ACCEPT, PAIR, Question
from solon.store.learning.evidence import DecidedItem, JudgedItem
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.queue import lease_next
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.pilot import drawn_at_first
from solon.store.runs.runs import find_run

EASY: dict[str, Any] = {"alpha": 0.3, "pilot": 60, "pilot_share": 0.5, "audit_share": 0.0}


def pilot_reviews(project: Project) -> list[ReviewRow]:
    """Those of the pilot that wait, in the order in which they are asked."""
    with project.store.connect() as connection:
        waiting = list_reviews(connection, limit=10_000)
    return [r for r in waiting if r.rule == "pilot" and r.kind == "interrupt"]


def agree(project: Project, review: ReviewRow) -> None:
    """An expert who always sides with the panel."""
    [(mean,)] = query(project, f"SELECT avg(p) FROM verdicts WHERE a_id = '{review.candidates[0]}'")
    answer = {"choice": "prefer", "candidate": review.candidates[0 if float(str(mean)) > 0.5 else 1]}
    decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)


def disagree(project: Project, review: ReviewRow) -> None:
    """An expert who never does."""
    [(mean,)] = query(project, f"SELECT avg(p) FROM verdicts WHERE a_id = '{review.candidates[0]}'")
    answer = {"choice": "prefer", "candidate": review.candidates[1 if float(str(mean)) > 0.5 else 0]}
    decide(project.store, review.id, answer, actor="expert:test", channel="api", counts=True)


def as_looked_at(
    model: ConsensusModel,
    project: Project,
    decided: list[DecidedItem],
    outcomes: dict[str, str],
    evidence: Evidence,
    question: Question,
) -> tuple[Any, ...]:
    """Arguments of `certify_sample` for one model that was fitted on something else."""
    sample = Sample(decided, outcomes, 0, evidence, plan_look(len(decided), 0, 0.1))
    return Crossfit(model, (model,) * 5, project.store.key), project.config, sample, [], question


def looks(project: Project) -> list[dict[str, Any]]:
    found = query(
        project, "SELECT CAST(figures AS TEXT), status, spent_delta FROM certificates ORDER BY created_at"
    )
    return [{**json.loads(str(f)), "status": status, "spent": spent} for f, status, spent in found]


def test_a_run_that_stops_half_way_has_judged_the_pilot_and_not_the_head_of_the_file(tmp_path: Path) -> None:
    with make_project(tmp_path, pilot=10, pilot_share=0.25) as project:
        limits = project.config.limits.model_copy(update={"calls": 40})
        one_at_a_time = project.config.run.model_copy(update={"concurrency": 1})
        project.config = project.config.model_copy(update={"limits": limits, "run": one_at_a_time})
        assert project.run("preference", seeds(60)).stopped_because
        judged = query(project, "SELECT DISTINCT item_id FROM verdicts")
        pilot = query(project, "SELECT id FROM items WHERE pilot ORDER BY random_seed")
        assert 1 < len(judged) < 10
        assert set(judged) <= set(pilot[: len(judged) + 1])


def test_the_seed_of_the_run_draws_who_is_asked_twice(tmp_path: Path) -> None:
    """Another store with another key, and a run with another id, ask two people the same questions."""

    def asked_twice(name: str, run_seed: int) -> set[str]:
        folder = tmp_path / name
        folder.mkdir()
        with make_project(folder, pilot=40, pilot_share=1.0, audit_share=0.0) as project:
            project.store.key = f"{len(name):02x}" * 32
            config = project.config
            project.config = config.model_copy(
                update={"run": config.run.model_copy(update={"seed": run_seed})}
            )
            project.run("preference", seeds(40))
            found = query(
                project,
                "SELECT seeds.external_id FROM reviews JOIN items ON items.id = reviews.item_id"
                " JOIN seeds ON seeds.id = items.seed_id WHERE reviews.kind = 'overlap'",
            )
        return {str(name) for (name,) in found}

    first = asked_twice("here", 5)
    assert 4 <= len(first) <= 16, "a quarter of forty"
    assert asked_twice("elsewhere", 5) == first
    assert asked_twice("another", 6) != first


def test_nobody_chooses_the_moment_of_a_look(tmp_path: Path) -> None:
    """A look is taken when the pilot is answered as it was drawn, and not before, however often one asks."""
    with make_project(tmp_path, **EASY) as project:
        project.run("preference", seeds(120))
        reviews = pilot_reviews(project)
        for review in reviews[:59]:
            agree(project, review)
        learned = project.learn()
        assert looks(project) == []
        assert learned.awaits == "the pilot is looked at when all 60 of it are answered: 1 is open"
        agree(project, reviews[59])
        project.learn()
        [look] = looks(project)
        assert (look["passed_over"], look["status"], look["sample"]) == (0, "granted", 60)
        assert look["planned"]["size"] == 60
        assert look["spent"] == pytest.approx(0.09)


def test_who_skips_what_the_panel_gets_wrong_gets_no_certificate(tmp_path: Path) -> None:
    with make_project(tmp_path, **EASY) as project:
        project.run("preference", seeds(120))
        reviews = pilot_reviews(project)
        for review in reviews[1::2]:
            agree(project, review)
        learned = project.learn()
        assert looks(project) == []
        told = "the pilot is looked at when all 60 of it are answered: 30 are open, though later ones are answered"
        assert told in learned.awaits
        for review in reviews[::2]:  # the gaps are filled
            agree(project, review)
        project.learn()
        assert [(look["status"], look["sample"]) for look in looks(project)] == [("granted", 60)]


def test_a_few_that_were_passed_over_are_counted_against_the_panel_until_they_are_answered(
    tmp_path: Path,
) -> None:
    with make_project(tmp_path, **{**EASY, "alpha": 0.1, "pilot": 24, "pilot_share": 0.25}) as project:
        project.run("preference", seeds(120))
        reviews = pilot_reviews(project)
        left = reviews[3:5]
        for review in reviews:
            if review not in left:
                agree(project, review)
        project.learn()
        [look] = looks(project)
        assert (look["passed_over"], look["status"]) == (2, "refused")
        assert "2 of the 24 have no answer that counts yet, and count as disagreement" in look["why"]
        assert look["tests"] > 0
        for review in left:
            agree(project, review)
        project.learn()
        again = looks(project)[-1]
        assert (again["status"], again["planned"]["number"], again["spent"]) == ("granted", 0, 0.0), (
            "spent before"
        )


def test_a_pilot_grows_in_its_own_order_up_to_the_next_planned_look(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with make_project(tmp_path, **{**EASY, "alpha": 0.1, "pilot": 24}) as project:
        project.run("preference", seeds(120))
        early = project.extend_pilot(more=1, dry_run=True)
        assert "at 48 (the look at 24 is still to come, and may do without them)" in str(early)
        for number, review in enumerate(pilot_reviews(project)):
            (disagree if number == 5 else agree)(project, review)
        refused = project.learn().refused
        assert "of the 23 most confident decisions 22 agreed (0.957), 23 are needed to promise 0.9" in refused
        assert "no look within the 120 items of this run is likely to certify" in refused
        assert main(["learn", "--more", "1", "--store", str(project.store.engine.url)]) == 2
        told = capfd.readouterr().err
        assert (
            "24 further questions for experts, up to the next planned look at 48 of 120 items: about" in told
        )
        assert "nothing was drawn" in told
        assert project.extend_pilot(more=1, dry_run=True).drawn == 24
        assert query(project, "SELECT count(*) FROM items WHERE pilot") == [(24,)], "as before"
        assert (
            main(["learn", "--more", "1", "--yes", "--json", "--store", str(project.store.engine.url)]) == 0
        )
        assert json.loads(capfd.readouterr().out) | {"run_id": ""} == {
            "run_id": "",
            "drawn": 24,
            "asked": 24,
            "passed": [],
            "awaited": None,
            "size": 48,
            "items": 120,
        }
        drawn = query(project, "SELECT id FROM items WHERE pilot ORDER BY random_seed")
        assert drawn == query(project, "SELECT id FROM items ORDER BY random_seed LIMIT 48")
        project.resume()
        asked = {(review.item_id,) for review in pilot_reviews(project)}
        assert asked == {*drawn[24:]}, "those that the panel had accepted are asked, too"
        for review in pilot_reviews(project):
            agree(project, review)
        project.learn()
        look = looks(project)[-1]
        assert look["planned"] == {"number": 1, "size": 48, "delta": pytest.approx(0.005)}
        assert look["sample"] == 48
        with pytest.raises(UsageError, match="draws nothing"):
            project.extend_pilot(more=0)
        project.extend_pilot(more=1000)
        with pytest.raises(UsageError, match="all 120 items"):
            project.extend_pilot(more=1)


def test_all_planned_looks_whose_questions_are_answered_are_taken_in_turn(tmp_path: Path) -> None:
    """Whoever answers a pilot that grew by several steps before they learn once is not left behind."""
    with make_project(tmp_path, **{**EASY, "alpha": 0.1, "pilot": 24, "pilot_share": 0.25}) as project:
        project.run("preference", seeds(120))
        for number, review in enumerate(pilot_reviews(project)):
            (disagree if number == 5 else agree)(project, review)
        assert project.learn().refused
        project.extend_pilot(more=72)
        project.resume()
        for review in pilot_reviews(project):
            agree(project, review)
        assert project.learn().granted
        found = looks(project)
        assert [look["planned"]["size"] for look in found] == [24, 48, 96]


def test_a_certificate_that_relies_on_withdrawn_decisions_is_tested_again(tmp_path: Path) -> None:
    with make_project(tmp_path, **{**EASY, "alpha": 0.1, "pilot": 24}) as project:
        project.run("preference", seeds(120))
        reviews = pilot_reviews(project)
        for review in reviews:
            agree(project, review)
        learned = project.learn()
        assert learned.granted
        assert project.learned()["in_force"] is not None
        with project.store.transaction() as connection:
            taken_back = text("UPDATE decisions SET undone_at = decided_at WHERE review_id = :id")
            connection.execute(taken_back, {"id": reviews[0].id})
        assert "is repeated: 1 decision that it relies on was withdrawn" in project.learn().why
        assert project.learned()["in_force"] is None
        assert "suspended: 1 decision that it relies on was withdrawn" in project.learned()["looks"][0]["why"]
        with project.store.transaction() as connection:  # and given again
            connection.execute(
                text("UPDATE decisions SET undone_at = NULL WHERE review_id = :id"), {"id": reviews[0].id}
            )
        assert project.learn().granted
        assert project.learned()["in_force"] is not None
        assert [look["planned"]["number"] for look in looks(project)] == [0, 0, 0]


def test_one_expert_alone_answers_the_whole_pilot(tmp_path: Path) -> None:
    """A quarter of it is asked twice; whoever is alone must not be handed the second asking in place of the first."""
    with make_project(tmp_path, **EASY) as project:
        project.run("preference", seeds(60))
        eva, _ = add_expert(project.store, "Eva", by="local:test")
        asked = []
        for _ in range(30):
            with project.store.transaction() as connection:
                found = lease_next(connection, eva)
                assert found is not None
                lease, review = found
                asked.append(review.kind)
                answer = {"choice": "prefer", "candidate": review.candidates[0], "rationale": "Shorter."}
                answer_lease(
                    project.store,
                    connection,
                    eva,
                    lease.token,
                    answer,
                    review_id=review.id,
                    channel="page",
                    times={},
                )
        assert query(project, "SELECT count(*) > 3 FROM reviews WHERE kind = 'overlap'") == [(1,)]
        assert set(asked) == {"interrupt"}
        assert pilot_reviews(project) == []


def test_one_of_each_group_certifies(tmp_path: Path) -> None:
    """Eight groups: however many of their items are decided, no more than eight independent things are known."""
    with make_project(tmp_path, **EASY) as project:
        grouped = [
            {"id": f"s{i}", "prompt": words, "group": f"g{i % 8}"} for i, words in enumerate(seeds(120))
        ]
        project.run("preference", grouped)
        for review in pilot_reviews(project):
            agree(project, review)
        project.learn()
        [look] = looks(project)
        assert look["sample"] <= 8
        assert look["planned"]["size"] == 60


def test_a_look_that_could_test_nothing_costs_nothing(tmp_path: Path) -> None:
    """Six decisions are too few for any promise; the next look, at twelve, spends as the first."""
    with make_project(tmp_path, **{**EASY, "pilot": 6}) as project:
        project.run("preference", seeds(120))
        for review in pilot_reviews(project):
            agree(project, review)
        project.learn()
        [early] = looks(project)
        assert (early["status"], early["spent"], early["tests"]) == ("refused", 0.0, 0)
        project.extend_pilot()
        project.resume()
        for review in pilot_reviews(project):
            agree(project, review)
        project.learn()
        later = looks(project)[-1]
        assert (later["status"], later["planned"]["size"]) == ("granted", 12)
        assert float(later["spent"]) == pytest.approx(0.09)


def test_other_seeds_have_looks_of_their_own(tmp_path: Path) -> None:
    with make_project(tmp_path, **EASY) as project:
        for prompts in (seeds(120), [f"Compare {text}" for text in seeds(120)]):
            project.run("preference", prompts)
            for review in pilot_reviews(project):
                agree(project, review)
            project.learn()
        assert [look["status"] for look in looks(project)] == ["granted", "granted"]
        assert len({look["spent"] for look in looks(project)}) == 1


def test_under_a_certificate_the_resolver_pushes_nothing_over_the_cut() -> None:
    """No item of the pilot has its vote, so that a certificate says nothing of items that do."""
    routing = RoutingConfig(policy="pilot", threshold=0.9)
    split = judge_item(
        ConsensusModel.prior(),
        [
            Vote("m", seat="1", order="AB", outcome="A", p=0.6),
            Vote("n", seat="2", order="AB", outcome="B", p=0.45),
        ],
    )
    assert split.split
    assert choose_route(split, routing, Standing(), can_resolve=True).where == "resolve"
    assert choose_route(split, routing, Standing(threshold=0.9), can_resolve=True).where == "review"

    config = RoutingConfig  # a certificate's cut looks at the panel's own votes alone
    panel = (
        Vote("m", seat="1", order="AB", outcome="A", p=0.6),
        Vote("n", seat="2", order="AB", outcome="B", p=0.45),
    )
    votes = (*panel, Vote("m", seat="resolver", outcome="A"))
    item = JudgedItem("i", 0, "accepted", False, "r", "a", None, None, ("a", "b"), votes)

    class Tiers:
        tiers = (0, 0)
        routing = config(policy="pilot")

    found, _, _ = rest(ConsensusModel.prior(), item, Tiers(), (0.5,))  # type: ignore[arg-type]
    assert found.confidence == judge_item(ConsensusModel.prior(), panel).confidence
    before, _, _ = rest(ConsensusModel.prior(), item, Tiers(), None)  # type: ignore[arg-type]
    assert before.confidence != found.confidence


def test_a_single_answer_that_the_panel_now_rejects_is_not_confirmed() -> None:
    outcomes = ("accept", "reject")
    rejects = judge_item(ConsensusModel.prior(outcomes), [Vote("m", seat="1", outcome="reject")])
    accepts = judge_item(ConsensusModel.prior(outcomes), [Vote("m", seat="1", outcome="accept")])
    item = JudgedItem("i", 0, "accepted", False, "r", "a", None, None, ("a",))
    assert chooses_other(ACCEPT, rejects, item)
    assert not chooses_other(ACCEPT, accepts, item)


def test_agreeing_on_what_to_reject_promises_nothing_of_what_is_accepted(tmp_path: Path) -> None:
    """Panel and expert reject sixty answers alike; of the fifteen that the panel accepts the expert rejects all."""
    model = ConsensusModel.prior(("accept", "reject"))
    sides = ["reject"] * 60 + ["accept"] * 15
    sample = [
        DecidedItem(
            ACCEPT, f"d{i}", f"i{i}", 0, ("a",), "reject", "a", "expert:x", 0.0, True, True, "interrupt", "r"
        )
        for i in range(len(sides))
    ]
    verdicts = {f"i{i}": (Vote("m", seat="1", outcome=side),) for i, side in enumerate(sides)}
    evidence = Evidence(
        usable=sample,
        judged=[],
        votes=dict(verdicts),
        against={name: {} for name in verdicts},
        answers={},
        reliability={},
        by_votes={},
        final=frozenset(),
        ruled=frozenset(),
    )
    outcomes = {d.decision_id: "reject" for d in sample}
    with make_project(tmp_path, alpha=0.3) as project:
        found = certify_sample(*as_looked_at(model, project, sample, outcomes, evidence, ACCEPT))
    assert found["threshold"] is None
    assert found["sample"] == len(sides)


@pytest.mark.parametrize("presumed", [None, "A"])
def test_pairs_against_what_was_presumed_promise_nothing_of_what_is_accepted(
    tmp_path: Path, presumed: str | None
) -> None:
    """Panel and expert agree on sixty pairs that go to a person in any case; of the fifteen others on none."""
    model = ConsensusModel.prior(("A", "B"))
    sides = ["B"] * 60 + ["A"] * 15
    sample = [
        DecidedItem(
            PAIR,
            f"d{i}",
            f"i{i}",
            0,
            ("a", "b"),
            "prefer",
            "b",
            "expert:x",
            0.0,
            True,
            True,
            "interrupt",
            "r",
        )
        for i in range(len(sides))
    ]
    votes = {f"i{i}": (Vote("m", seat="1", outcome=side),) for i, side in enumerate(sides)}
    against: dict[str, dict[str, float]] = {name: {} for name in votes}
    evidence = Evidence(sample, [], dict(votes), against, {}, {}, {}, frozenset(), frozenset())
    outcomes = {d.decision_id: "B" for d in sample}
    with make_project(tmp_path, alpha=0.3) as project:
        found = certify_sample(*as_looked_at(model, project, sample, outcomes, evidence, PAIR), presumed)
    assert (found["threshold"] is None) == (presumed == "A")


def test_a_certificate_is_not_in_force_for_answers_of_another_making(tmp_path: Path) -> None:
    """The judges are the same; what they judge is written at another temperature."""
    with make_project(tmp_path, **EASY) as project:
        project.run("preference", seeds(120))
        for review in pilot_reviews(project):
            agree(project, review)
        project.learn()
        assert project.summarize().promise is not None
        project.run("preference", seeds(120), new_run=True)
        assert project.summarize().promise is not None
        generator = project.config.generator.model_copy(update={"temperatures": (1.7, 2.0)})
        project.config = project.config.model_copy(update={"generator": generator})
        project.run("preference", seeds(120), new_run=True)
        assert project.summarize().promise is None
        by_it = "SELECT count(*) FROM records JOIN runs ON runs.id = records.run_id WHERE certificate_id IS NOT NULL"
        last = query(project, "SELECT id FROM runs ORDER BY created_at DESC LIMIT 1")[0][0]
        assert query(project, f"{by_it} AND runs.id = '{last}'") == [(0,)]


def test_the_looks_of_a_pilot_that_fills_up_are_planned_by_its_configured_size(tmp_path: Path) -> None:
    """How many items of a stream are in it by now says nothing: or each answer would be a look."""
    with make_project(tmp_path, **EASY) as project:
        project.run("preference", seeds(120))
        routing = project.config.routing
        with project.store.connect() as connection:
            run = find_run(connection)
            assert drawn_at_first(connection, run.id, routing, grows=False) == 60
            assert (
                drawn_at_first(connection, run.id, routing.model_copy(update={"pilot": 7}), grows=True) == 7
            )


def test_a_pilot_that_was_drawn_before_sizes_were_noted_grows_from_what_it_had(tmp_path: Path) -> None:
    with make_project(tmp_path, **{**EASY, "pilot": 24}) as project:
        project.run("preference", seeds(120))
        with project.store.transaction() as connection:
            connection.execute(text("DELETE FROM events WHERE kind = 'pilot.drawn'"))
        assert project.extend_pilot().size == 48
        with project.store.connect() as connection:
            assert (
                drawn_at_first(connection, find_run(connection).id, project.config.routing, grows=False) == 24
            )
