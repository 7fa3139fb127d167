"""Scores of a shortlist are kept, shown and exported, and are votes nowhere."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import delete, select

import solon
from solon import Project
from solon.cli.show import draw
from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.eval.importing import import_file
from solon.eval.material import gather
from solon.eval.releases.releases import create_release, verify_release
from solon.eval.suites import agreement, audit, judges
from solon.law.documents import Rubric
from solon.questions import PAIR
from solon.review.explain import explain_review
from solon.review.state import Options, make_room
from solon.store.lawmaking.precedents import all_precedents, judged_at
from solon.store.lawmaking.principles import count_uses
from solon.store.records.evaluation import authors_by_role, is_judged
from solon.store.reviewing.experts import add_expert, list_experts
from solon.store.reviewing.review_lists import Filters, list_filtered
from solon.store.reviewing.review_rows import find_review, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import consensus_payload, newest_consensus
from solon.store.runs.laws import versions_in_force
from solon.store.runs.runs import find_run
from solon.store.runs.traits import traits_on
from solon.store.runs.verdicts import SHORTLIST, against_on, shortlisted, votes_on
from solon.store.tables import consensus_versions, decisions, verdicts
from solon.workspace.views import tell_way

N = 4
SEEDS = [{"id": f"s{n}", "prompt": f"Explain thing number {n}."} for n in range(24)]
MAY_READ = {
    "store/runs/verdicts.py": "the readers of votes and of shortlists",
    "store/runs/items.py": "adds a rationale to a vote, by its id",
    "store/privacy/erasing.py": "erases all texts",
    "store/privacy/forgetting.py": "counts all that is erased",
    "store/tables/__init__.py": "declares the table",
    "store/tables/work.py": "declares the table",
}
"""Modules that know the table, and what for."""


def scoring(question: Any) -> Any:
    """Reasons of scores that cite a principle, which those of a vote would be counted for."""
    if question.role == "critic":
        return {"findings": []}
    if question.schema_name != "Scores":
        return None
    ids = list(question.schema["$defs"]["Points"]["properties"])
    first = 1 + len(question.block("answer") or "") % 5
    return {
        "rationale": "true-claims is kept",
        "scores": {name: max(1, first - n) for n, name in enumerate(ids)},
    }


@pytest.fixture
def made(make_desk: Callable[..., Any]) -> Any:
    """A run in which four candidates an item were ranked, half of whose questions an expert answered."""
    desk = make_desk(
        answer=scoring,
        generator={"n": N, "temperatures": [0.2, 0.5, 0.8, 1.1]},
        routing={"policy": "pilot", "pilot": 12, "pilot_share": 0.5, "audit_share": 0.5},
    )
    desk.project.run("preference", SEEDS)
    ada = f"expert:{add_expert(desk.project.store, 'Ada', by='test')[0].id}"
    for place, review in enumerate(desk.project.reviews()):
        chosen = review.candidates[place % 2].id
        decide(
            desk.project.store,
            review.id,
            {"choice": "prefer", "candidate": chosen},
            actor=ada,
            channel="api",
            counts=True,
        )
    desk.project.resume()
    return desk


def test_each_score_is_a_row_and_a_pair_of_two_has_none(made: Any, make_desk: Callable[..., Any]) -> None:
    rows = [row for row in made.rows("Verdict") if row["purpose"] == SHORTLIST]
    first = [row for row in rows if row["attempt"] == 0]
    assert len(first) == len(SEEDS) * N * 2, "two seats score each candidate"
    assert {row["b_id"] for row in rows} == {None}
    assert all(row["scores"] and row["call_id"] and row["rationale_id"] for row in rows)
    two = make_desk(f"sqlite:///{Path(made.url.removeprefix('sqlite:///')).with_name('two.db')}")
    two.project.run("preference", SEEDS[:2])
    assert {row["purpose"] for row in two.rows("Verdict")} == {None}
    assert "judge.score" not in str([row["template"] for row in two.rows("Call")])


def test_no_reader_of_votes_sees_them(made: Any, tmp_path: Path) -> None:
    """All that is read of votes is the same where the rows are gone."""
    made.close()
    files = [tmp_path / "with.db", tmp_path / "without.db"]
    for file in files:
        shutil.copy(made.url.removeprefix("sqlite:///"), file)
    seen = []
    for file in files:
        with Project(f"sqlite:///{file}", config=made.settings, models={"default": made.chat}) as project:
            if file == files[1]:
                with project.store.transaction() as connection:
                    gone = connection.execute(
                        delete(verdicts).where(verdicts.c.purpose == SHORTLIST)
                    ).rowcount
                assert gone >= len(SEEDS) * N * 2
            seen.append(read_all(project))
    assert seen[0].keys() == seen[1].keys()
    for name, value in seen[0].items():
        assert value == seen[1][name], name


def read_all(project: Project) -> dict[str, Any]:
    material = gather(project.store)
    suites = {one.__name__: one.evaluate(material).model_dump() for one in (judges, agreement, audit)}
    room = make_room(project, Options(work=False))
    with project.store.connect() as connection:
        [ada] = list_experts(connection)
        [law] = versions_in_force(connection, "constitution", "general")
        reviews = [
            find_review(connection, name)
            for name in connection.execute(select(decisions.c.review_id)).scalars()
        ]
        run = material.runs[-1].id
        shown = [(review.item_id, review.attempt, tuple(review.candidates)) for review in reviews]
        found = {
            **suites,
            "uses": count_uses(connection, law),
            "pairs": [judged_at(connection, row) for row in all_precedents(connection)],
            "votes": votes_on(connection, shown),
            "why": [explain_review(room, connection, review, ada) for review in reviews],
            "judged": is_judged(connection, run),
            "authors": authors_by_role(connection, run),
            "listed": list_filtered(connection, Filters(judge="scripted:default"), cursor=None, limit=50),
        }
    assert found["pairs"]
    assert {len(votes) for votes in found["votes"].values()} == {4}
    assert {len(told["verdicts"]) for told in found["why"] if told["kind"] != "check"} == {4}
    project.learn()
    with project.store.connect() as connection:
        query = select(consensus_versions.c.payload).where(consensus_versions.c.kind != "prior")
        learned = list(connection.execute(query).scalars())
    # What scores foretell is learned on purpose, and calibrated with; the weights of votes know nothing of it.
    by_scores = {"texts", "calibration", "notes"}
    found["learned"] = [{k: v for k, v in one.items() if k not in by_scores} for one in learned]
    assert found["learned"]
    return found


def test_only_few_modules_know_the_table() -> None:
    root = Path(solon.__file__).parent
    of_table = re.compile(
        r"^\s+verdicts,$|import .*\bverdicts\b(?! import)|tables\.verdicts|[\"(]verdicts\"\)", re.M
    )
    knows = set()
    for file in (root / "store").rglob("*.py"):
        text = file.read_text().replace("solon.store.runs.verdicts import", "")
        if of_table.search(text) and "migrations" not in file.parts:
            knows.add(str(file.relative_to(root)))
    assert knows <= set(MAY_READ)


def test_lineage_shows_them(made: Any) -> None:
    way = made.project.trace(made.project.records()[0].id)
    assert (len(way["shortlist"]) % (N * 2), len(way["verdicts"]) % 4) == (0, 0)
    assert {row["model"] for row in way["shortlist"]} == {"scripted:default"}
    console = Console(width=200, record=True, file=StringIO())
    console.print(draw(way))
    told = console.export_text()
    scores = ", ".join(f"{name} {score:g}" for name, score in way["shortlist"][0]["scores"].items())
    assert told.count("shortlist: ") == len(way["shortlist"]) > 0
    assert f"shortlist: {scores} by 1" in told
    assert scores in " ".join(tell_way(way))


# Exported -------------------------------------------------------------------------------------------------------


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_all_candidates_are_exported_with_their_scores(made: Any, tmp_path: Path) -> None:
    summary = made.project.export("ultrafeedback", tmp_path / "o.jsonl")
    rows, records = lines(tmp_path / "o.jsonl"), {row.prompt: row for row in made.project.records()}
    assert len(rows) == summary.written == len(records)
    for row in rows:
        record, own = records[row["prompt"][-1]["content"]], row["completions"]
        way = made.project.trace(record.id)
        weights = Rubric.model_validate(made.project.rubric()).weights()
        text = {one["id"]: one["text"] for one in way["candidates"]}
        assert len(own) == N
        assert {record.chosen, record.rejected} <= {one["text"] for one in own}
        for one in own:
            each = [seen["scores"] for seen in way["shortlist"] if text[seen["a_id"]] == one["text"]]
            mean = {name: fmean(scores[name] for scores in each) for name in weights}
            assert (one["model"], one["scores"]) == ("scripted:default", mean)
            assert one["score"] == pytest.approx(sum(mean[name] * weight for name, weight in weights.items()))
    rewards = made.project.export("reward-model", tmp_path / "r.jsonl")
    assert rewards.written == len(rows) * N
    flat = [(row["prompt"], one["text"], one["score"]) for row in rows for one in row["completions"]]
    assert flat == [
        (row["prompt"], row["completion"][0]["content"], row["score"]) for row in lines(tmp_path / "r.jsonl")
    ]


def test_flagged_and_unscored_candidates_are_left_out(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk(
        answer=scoring,
        generator={"n": N, "temperatures": [0.2, 0.5, 0.8, 1.1]},
        routing={"policy": "always", "audit_share": 0.0},
    )
    desk.project.run("preference", SEEDS[:3])
    for place, review in enumerate(desk.project.reviews()):
        better, worse = (candidate.id for candidate in review.candidates)
        flags = [{}, {better: ["unsafe"]}, {worse: ["unsafe"]}][place]
        choice, values = ("tie", {}) if not flags else ("prefer", {"candidate": review.candidates[0]})
        desk.project.decide(review, choice, flags=flags, **values)
    desk.project.resume()
    summary = desk.project.export("ultrafeedback", tmp_path / "o.jsonl")
    assert sorted(len(row["completions"]) for row in lines(tmp_path / "o.jsonl")) == [N - 1, N]
    assert summary.left_out == {"flagged": 1}
    desk.settings["generator"] = {"n": 2}
    desk.close()
    desk.project.run("preference", [{"prompt": "Two only?"}])
    for review in desk.project.reviews():
        desk.project.decide(review, "tie")
    desk.project.resume()
    assert desk.project.export("reward-model", tmp_path / "o.jsonl").left_out["not_scored"] == 1


def test_single_answers_have_the_scores_of_the_panel(make_desk: Callable[..., Any], tmp_path: Path) -> None:
    desk = make_desk(answer=scoring, routing={"policy": "never"}, instruction={"accept_score": 1.0})
    desk.project.run("instruction", SEEDS[:3])
    desk.project.export("reward-model", tmp_path / "o.jsonl")
    texts = {record.prompt: record.response for record in desk.project.records()}
    rows = lines(tmp_path / "o.jsonl")
    assert {row["prompt"][0]["content"]: row["completion"][0]["content"] for row in rows} == texts
    assert all(1 <= row["score"] <= 5 for row in rows)


def test_they_come_in_again_as_scored_answers(made: Any, tmp_path: Path) -> None:
    made.project.export("ultrafeedback", tmp_path / "o.jsonl")
    config = {"models": {"default": {"model": "scripted:default"}}}
    with Project(f"sqlite:///{tmp_path / 'other.db'}", config=config) as project:
        found = import_file(project, "auto", tmp_path / "o.jsonl")
    assert (found.rows, found.bad_rows) == (len(lines(tmp_path / "o.jsonl")), 0)


@pytest.mark.parametrize("form", ["ultrafeedback", "reward-model", "jsonl", "trl-preference"])
def test_a_release_is_rebuilt(made: Any, tmp_path: Path, form: str) -> None:
    store = made.project.store
    create_release(store, "one", tmp_path / "one", format=form)
    found = verify_release(store, tmp_path / "one")
    assert found.passed, [check for check in found.checks if not check.passed]
    assert "completions" not in (tmp_path / "one" / "rows.jsonl").read_text(), "no text stands in it"


def mean_scores(desk: Any) -> dict[str, float]:
    """The mean of all scores that each candidate of a shortlist was given, in this or an earlier attempt."""
    with desk.project.store.connect() as connection:
        found = shortlisted(connection, [row["id"] for row in desk.rows("Candidate")])
    return {name: fmean(one for scores in given for one in scores.values()) for name, given in found.items()}


def test_what_scores_foretell_is_gone_by_alike_in_the_graph_and_in_the_store(
    make_desk: Callable[..., Any],
) -> None:
    """Experts prefer what was scored higher, so that from twenty decisions on scores count."""
    desk = make_desk(
        answer=scoring,
        generator={"n": N, "temperatures": [0.2, 0.5, 0.8, 1.1]},
        routing={"policy": "pilot", "pilot": 60, "pilot_share": 0.8, "audit_share": 0.0, "threshold": 0.0},
        resolver={"enabled": False},
    )
    desk.project.run(
        "preference", [{"id": f"s{n}", "prompt": f"Explain thing number {n}."} for n in range(80)]
    )
    mean = mean_scores(desk)
    with desk.project.store.connect() as connection:
        waiting = [one for one in list_reviews(connection, limit=100) if one.rule == "pilot"]
    for review in waiting:
        best = max(review.candidates, key=lambda name: mean[name])
        said = {"choice": "prefer", "candidate": best}
        decide(desk.project.store, review.id, said, actor="expert:ada", channel="api", counts=True)
    desk.project.learn()
    with desk.project.store.connect() as connection:
        scope = find_run(connection).scope
        payload = consensus_payload(connection, str(newest_consensus(connection, scope)))
    model = ConsensusModel.from_json(payload)
    assert model.texts["scores"] > 0.0
    desk.project.resume()
    attempt_of = {row["id"]: row["attempt"] for row in desk.rows("Candidate")}
    shown = {row["item_id"]: (row["a_id"], row["b_id"]) for row in desk.rows("Verdict") if row["b_id"]}
    by_machine = [row for row in desk.rows("Record") if not (row["decision_id"] or row["superseded_at"])]
    assert len(by_machine) > 10
    with desk.project.store.connect() as connection:
        for row in by_machine:
            asked = shown[row["item_id"]]
            [traits] = traits_on(connection, [(row["item_id"], asked)], segment="", texts=True).values()
            votes = votes_on(connection, [(row["item_id"], attempt_of[asked[0]], asked)])[row["item_id"]]
            [against] = against_on(connection, [(PAIR, asked)]).values()
            seen = judge_item(model, votes, against=against, traits=traits)
            assert row["confidence"] == pytest.approx(seen.confidence), (
                "the graph goes by them as the store does"
            )
    assert desk.project.learn().doubted == 0, "what the graph accepted, learning accepts"
