"""Answers that rank: what the server makes of them, of votes, of people who differ, and what is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from solon.cli import main
from solon.config import Config
from solon.errors import ConfigError, InvalidDecision, UsageError
from solon.operations.doctor import check_pilot
from solon.project import Project
from solon.review.cases import my_outcomes, show_case
from solon.review.state import Options, make_room
from solon.store.reviewing import adjudicating
from solon.store.reviewing.drafts import answer_of
from solon.store.reviewing.experts import list_experts
from solon.store.reviewing.reading import decision_row
from solon.store.reviewing.review_rows import find_review

TEXTS = ("alpha", "bravo", "charlie")
SEED = {"id": "one", "prompt": "Name a word.", "responses": [{"text": text} for text in TEXTS]}
CONFIG: dict[str, Any] = {
    "models": {"default": {"model": "scripted:default"}},
    "generator": {"n": 3},
    "routing": {"max_redrafts": 0},
    "review": {"answers": 2},
}


@contextmanager
def open_project(folder: Path, *, seeds: Any = (SEED,), **config: Any) -> Iterator[Project]:
    """A project whose run is begun; closed also where the run is refused."""
    with Project(f"sqlite:///{folder}/solon.db", config=CONFIG | config) as project:
        project.run("preference-expert", list(seeds))
        yield project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A request with three answers that waits for a ranking."""
    with open_project(tmp_path) as opened:
        yield opened


def rank(project: Project, token: str, order: str, **more: Any) -> None:
    """Answer what waits with an order of first letters, as `b ac`: b, then a and c alike."""
    review = next(one for one in project.reviews() if one.state == "waiting")
    named = {one.text[0]: one.id for one in review.candidates}
    ranking = [[named[letter] for letter in tier] for tier in order.split()]
    project.decide(review, "rank", ranking=ranking, expert=token, **{"rationale": "so", **more})


def pairs(project: Project) -> list[tuple[str, str, float]]:
    return [
        (str(row.chosen)[0], str(row.rejected)[0], round(row.weight or 0, 3)) for row in project.records()
    ]


def test_a_ranking_becomes_pairs_that_weigh_one_together(project: Project) -> None:
    token = project.add_expert("Ada")
    rank(project, token, "b ac")
    project.resume()
    assert sorted(pairs(project)) == [("b", "a", 0.5), ("b", "c", 0.5)], "a tie is no pair"
    row = next(iter(project.records()))
    assert row.lineage["ranking"] == {"weight": 0.5}
    assert {len(project.trace(one.id)["decisions"][0]["rankings"][""]) for one in project.records()} == {2}
    with pytest.raises(UsageError, match="asks for a ranking"):
        project.golden.import_([{"prompt": "x", "answer": "rank"}], recipe="preference-expert")


def test_where_all_are_alike_there_is_no_pair(project: Project) -> None:
    rank(project, project.add_expert("Ada"), "abc")
    project.resume()
    assert [(row.label, row.outcome, row.chosen) for row in project.records()] == [("tie", "tie", None)]


@pytest.mark.parametrize(
    ("given", "more"), [(2, ["draft"] * 3), (5, []), (6, ["given"] * 3)], ids=["drafted", "too few", "next"]
)
def test_what_a_person_called_bad_does_not_come_back(tmp_path: Path, given: int, more: list[str]) -> None:
    seed = SEED | {"responses": [{"text": f"given {n}"} for n in range(given)]}
    with open_project(tmp_path, routing={"max_redrafts": 1}, review={"answers": 1}, seeds=[seed]) as project:
        [review] = project.reviews()
        token, first = project.add_expert("Ada"), {one.text for one in review.candidates}
        project.decide(review, "all_bad", rationale="all too thin", expert=token)
        assert project.resume().rejected == (not more)
        after = [one for review in project.reviews() for one in review.candidates]
        assert not first & {one.text for one in after}
        assert ["given" if one.text.startswith("given") else "draft" for one in after] == more


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"choice": "rank", "ranking": ["a", "b"]}, "leaves out"),
        ({"choice": "rank", "ranking": ["a", "b", "c", "a"]}, "names .* 2 times"),
        ({"choice": "rank", "ranking": ["a", "b", "c", "zulu"]}, "names 'zulu', which was not shown"),
        ({"choice": "rank", "ranking": {"safe": ["a", "b", "c"]}}, r"one list of candidates \(saw 'safe'\)"),
        ({"choice": "rank", "ranking": ["a", ["b", 3]]}, "lists the ids"),
        ({"choice": "rank"}, "needs the candidates"),
        ({"choice": "write"}, "in 'text'"),
        ({"choice": "write", "text": "mine", "ranking": ["a", "b", "c"]}, "others take none"),
        ({"choice": "prefer", "candidate": "a"}, "'rank', 'write' or 'all_bad'"),
    ],
)
def test_what_cannot_be_an_answer(project: Project, answer: dict[str, Any], told: str) -> None:
    [review] = project.reviews()
    named = {one.text[0]: one.id for one in review.candidates}

    def named_in(value: Any) -> Any:
        if isinstance(value, list):
            return [named_in(one) for one in value]
        if isinstance(value, dict):
            return {name: named_in(one) for name, one in value.items()}
        return named.get(value, value)

    choice = answer["choice"]
    more = {name: named_in(value) for name, value in answer.items() if name != "choice"}
    with pytest.raises(InvalidDecision, match=told):
        project.decide(review, choice, expert=project.add_expert("Ada"), rationale="so", **more)


def test_a_lead_sees_both_rankings_and_rules_for_one(project: Project) -> None:
    ada, bo, lea = (
        project.add_expert(name, role=role)
        for name, role in (("Ada", "expert"), ("Bo", "expert"), ("Lea", "lead"))
    )
    rank(project, ada, "a b c")
    project.resume()
    rank(project, bo, "c b a")
    room = make_room(project, Options(work=False))
    with project.store.transaction() as connection:
        [case] = adjudicating.list_cases(connection)
        shown = show_case(room, connection, case)
        letter = {one.id: one.text[0] for one in shown.candidates}
        orders = {"".join(letter[name] for [name] in one.rankings[""]): one.reviewer for one in shown.answers}
        assert orders.keys() == {"abc", "cba"}
        assert case.choices == ["all_bad", "reviewer 1", "reviewer 2", "contested"]
        flips = {frozenset((letter[one.a], letter[one.b])) for one in shown.flips}
        assert len(flips) == 3
        assert {(one.a_first, one.b_first) for one in shown.flips} == {(1, 1)}
        lead = next(one for one in list_experts(connection) if one.name == "Lea")
        adjudicating.adjudicate(
            project.store, connection, lead, case.id, choice=f"reviewer {orders['cba']}", candidate=None,
            principle=None, reason="Bo is right.",
        )  # fmt: skip
    project.resume()
    assert pairs(project) == [("c", "b", 0.333), ("c", "a", 0.333), ("b", "a", 0.333)]
    with project.store.connect() as connection:
        expert = next(one for one in list_experts(connection) if one.name == "Ada")
        [outcome] = my_outcomes(connection, expert)
    assert [letter[name] for [name] in outcome.outcome.rankings[""]] == ["c", "b", "a"]
    assert lea


def test_a_pair_that_somebody_orders_the_other_way_is_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """All hold the same answer for the best, so that no lead is asked."""
    with open_project(tmp_path, review={"answers": 3}) as project:
        for name, order in (("Ada", "a b c"), ("Bo", "a c b"), ("Cy", "a bc")):
            rank(project, project.add_expert(name), order)
        project.resume()
        outcomes = {(row.chosen, row.rejected): row.outcome for row in project.records()}
        assert outcomes == {
            ("alpha", "bravo"): "accepted",
            ("alpha", "charlie"): "accepted",
            ("bravo", "charlie"): "disputed",
        }
        done = project.export(format="trl-preference", path=tmp_path / "pairs.jsonl")
        assert (done.written, done.left_out) == (2, {"disputed": 1})
        assert not project.summarize().disputed
        main(
            [
                "export",
                "--store",
                project.store.url,
                "--format",
                "trl-preference",
                "--output",
                f"{tmp_path}/a.jsonl",
            ]
        )
        assert "left out: 1 disputed (people differ" in capfd.readouterr().out


def test_a_list_tells_what_waits_for_somebody_else(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    token = project.add_expert("Ada")
    rank(project, token, "a b c")
    monkeypatch.setenv("SOLON_TOKEN", token)
    main(["review", "list", "--store", project.store.url])
    assert "no review waits for you; 1 wait for somebody else" in " ".join(capfd.readouterr().err.split())


def test_no_certificate_is_promised_where_people_rank() -> None:
    told = [check.told for check in check_pilot(Config(preference={"questions": ["safe"]}))]
    assert told == ["preference-expert has no panel: people rank every item, and there is no certificate"]


def test_several_peoples_rankings_are_compared(tmp_path: Path) -> None:
    """Three that run in a circle: every pair is ordered both ways, and no order fits."""
    with open_project(tmp_path, review={"answers": 3}) as project:
        for name, order in (("Ada", "a b c"), ("Bo", "b c a"), ("Cy", "c a b")):
            rank(project, project.add_expert(name), order)
        found = project.evaluate("rankings")
    assert (found.n, found.alike.value, found.alike.n, found.fitted.value) == (
        3,
        pytest.approx(1 / 3),
        1,
        0.0,
    )
    assert found.alike.low < 1 / 3 < found.alike.high, "one item says little"
    [item] = found.contradicted
    assert (item.name, item.question) == ("Name a word.", "")
    assert [sorted(flip.weights) for flip in item.flips] == [[1, 2]] * 3
    assert [len(cycle.candidates) for cycle in item.cycles] == [3]
    told = found.model_dump(mode="json")["by_question"]["(without a name)"]
    assert told["why"] == "too few, n = 1, 5 are the least", "as in words"


def test_votes_for_the_same_best_answer_settle(tmp_path: Path) -> None:
    with open_project(tmp_path, reviewers={"settles": 0.85}, review={"answers": 1}) as project:
        for name, order in (("Wim", "b a c"), ("Wanda", "b c a")):
            rank(project, project.add_expert(name, role="worker"), order)
        project.resume()
        assert [pair[:2] for pair in pairs(project)] == [("b", "a"), ("b", "c"), ("a", "c")], (
            "as who came first"
        )
        assert {row.route for row in project.records()} == {"voted"}


def test_what_is_taken_back_comes_as_it_was_given_and_later_runs_know_it(project: Project) -> None:
    token = project.add_expert("Ada")
    rank(project, token, "c ab")
    project.resume()
    [row, _] = project.records()
    with project.store.connect() as connection:
        decision = decision_row(connection, row.lineage["decision"])
        review = find_review(connection, decision["review_id"])
        again = answer_of(connection, decision, review)
    texts = {one.id: one.text[0] for one in project.review(review.id).candidates}
    assert [{texts[name] for name in tier} for tier in again["ranking"]] == [{"c"}, {"a", "b"}]
    project.run("preference-expert", [SEED], new_run=True)
    [later, _] = project.records()
    assert later.lineage["run"] != row.lineage["run"]
    assert later.id != row.id
    assert sorted(pairs(project)) == [("c", "a", 0.5), ("c", "b", 0.5)], "decided as before, each pair once"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"generator": {"n": 1}}, "people rank 2 to 9 answers"),
        ({"generator": {"n": 12}}, "people rank 2 to 9 answers"),
        ({"preference": {"questions": ["safe", "safe"]}}, "stands there twice"),
        ({"preference": {"questions": ["is it|safe"]}}, "questions"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, config: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told), open_project(tmp_path, **config):
        pass
