"""Three, five and twelve labels against known truth: people settle, the panel learns, a certificate is granted and
keeps its promise, and every figure says so."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from solon import Project, judge
from solon.eval.suites.agreement import Agreement
from solon.eval.suites.audit import Audit
from solon.eval.suites.judges import Judges
from solon.learning.audits import watch_audits
from solon.recipes import Choice
from solon.recipes.label import LABEL
from solon.store.lawmaking.precedents import all_precedents
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.reviewing.undoing import undo
from solon.store.runs.runs import find_run
from solon.store.tables import candidates, decisions, records, reviews, texts

SETS = tuple(tuple(f"kind {letter}" for letter in "abcdefghijkl"[:k]) for k in (3, 5, 12))
ITEMS = 320


def right_of(text: str, labels: tuple[str, ...]) -> str:
    return labels[int(text.split()[-1]) % len(labels)]


def said_by(name: str, text: str, labels: list[str], wrong: float) -> str:
    """A judge's label: a wrong one as often as `wrong` says, drawn by its own name and the text."""
    right = right_of(text, tuple(labels))
    draw = random.Random(f"{name}:{text}")
    return draw.choice([label for label in labels if label != right]) if draw.random() < wrong else right


@judge("sharp", "1")
def sharp(answer: str, labels: list[str]) -> str:
    return said_by("sharp", answer, labels, 0.02)


@judge("fair", "1")
def fair(answer: str, labels: list[str]) -> str:
    return said_by("fair", answer, labels, 0.06)


@judge("poor", "1")
def poor(answer: str, labels: list[str]) -> str:
    return said_by("poor", answer, labels, 0.5)


@contextmanager
def labelling(folder: Path, labels: tuple[str, ...], **routing: Any) -> Iterator[Project]:
    """A recipe whose panel of three functions gives the labels."""
    recipe = replace(
        LABEL, name="kinds", question=Choice(labels), steps=("draft", "judge", "review"), resumes=()
    )
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "law": {"quorum": 1},
        "judges": [{"python": f"{__name__}:{one}"} for one in ("sharp", "fair", "poor")],
        "routing": {"policy": "pilot", "pilot": 240, "pilot_share": 1.0, "audit_share": 0.3, **routing},
    }
    plugins = {f"{__name__}:{one.name}": one for one in (sharp, fair, poor)}
    with Project(f"sqlite:///{folder}/kinds.db", config=config, recipes=[recipe]) as project:
        project.plugins = plugins
        project.store.key = "5a" * 32
        project.run("kinds", [{"id": f"t{n}", "prompt": f"text {n}"} for n in range(ITEMS)])
        yield project


def texts_of(project: Project) -> dict[str, str]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return {row.id: row.body for row in connection.execute(query)}


def waiting(project: Project, *kinds: str) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return [one for one in list_reviews(connection, limit=5000) if one.kind in kinds]


def answer(project: Project, labels: tuple[str, ...], kind: str, actor: str, wrong: float = 0.01) -> int:
    """Answer what waits as an expert who is wrong now and then; how many there were."""
    text_of, asked = texts_of(project), waiting(project, kind)
    for review in asked:
        said = said_by("expert", text_of[review.candidates[0]], list(labels), wrong)
        decide(project.store, review.id, {"choice": said}, actor=actor, channel="api", counts=True)
    return len(asked)


@pytest.mark.parametrize("labels", SETS, ids=[str(len(labels)) for labels in SETS])
def test_a_panel_of_labels_learns_and_keeps_what_its_certificate_promises(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    with labelling(tmp_path, labels) as project:
        ada, _ = add_expert(project.store, "Ada", role="expert", by="local:test")
        assert answer(project, labels, "interrupt", ada.actor, wrong=0.0) >= 150
        learned = project.learn()
        assert learned.granted, learned.why
        weights = _weights(project)
        assert weights["sharp"] > weights["fair"] > weights["poor"]
        project.resume()
        with project.store.connect() as connection:
            kept = connection.execute(select(records).where(records.c.superseded_at.is_(None))).all()
        text_of = texts_of(project)
        certified = [row for row in kept if row.certificate_id and row.decision_id is None]
        assert len(certified) > 20
        right = sum(row.label == right_of(text_of[row.chosen_id], labels) for row in certified)
        assert right / len(certified) >= 0.9, "what a certificate of 90% promises"
        assert all(row.label in labels for row in kept)

        answer(project, labels, "audit", ada.actor)
        audited = project.evaluate("audit")
        assert isinstance(audited, Audit)
        assert audited.n > 0
        assert all(run.agreement.value > 0.85 and run.state != "alarm" for run in audited.runs)
        run = _run(project)
        assert watch_audits(project.store, run, project.config).state != "alarm"
        agreement = project.evaluate("agreement")
        assert isinstance(agreement, Agreement)
        assert agreement.random.value > 0.8
        judged = project.evaluate("judges")
        assert isinstance(judged, Judges)
        accuracy = {one.name.split(": ")[-1]: one.accuracy.value for one in judged.judges}
        assert accuracy["sharp"] > accuracy["fair"] > accuracy["poor"]
        page = project.report(tmp_path / "report.html")
        assert page

        project.export("jsonl", tmp_path / "kinds.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "kinds.jsonl").read_text().splitlines()]
        assert {row["label"] for row in rows} == set(labels)
        assert all(row["soft_label"] is None or 0 <= row["soft_label"] <= 1 for row in rows)


def _run(project: Project) -> Any:
    with project.store.connect() as connection:
        return find_run(connection)


def _weights(project: Project) -> dict[str, float]:
    from solon.store.runs.certificates import consensus_payload, newest_consensus

    with project.store.connect() as connection:
        payload = consensus_payload(connection, str(newest_consensus(connection, _run(project).scope)))
    return {name.partition(":")[2].partition("@")[0]: value for name, value in payload["weights"].items()}


def give(project: Project, who: ExpertRow, review: ReviewRow, choice: str) -> None:
    with project.store.transaction() as connection:
        lease, _ = queue.lease_review(connection, who, review.id)
        answer_lease(
            project.store,
            connection,
            who,
            lease.token,
            {"choice": choice, "rationale": "clear"},
            review_id=review.id,
            channel="api",
            times={},
            answers=1,
            reviewers=project.config.reviewers,
        )


@pytest.mark.parametrize("labels", SETS, ids=[str(len(labels)) for labels in SETS])
def test_two_workers_who_agree_settle_a_label(tmp_path: Path, labels: tuple[str, ...]) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "label": {"labels": list(labels)}}
    with Project(f"sqlite:///{tmp_path}/votes.db", config=config) as project:
        project.run("label", ["text 1", "text 2"])
        workers = [
            add_expert(project.store, name, role="worker", by="local:test")[0] for name in ("Wu", "Xi")
        ]
        first, second = waiting(project, "interrupt")
        for worker in workers:
            give(project, worker, first, labels[1])
        give(project, workers[0], second, labels[0])
        give(project, workers[1], second, labels[1])
        assert project.resume().accepted == 1
        [left] = waiting(project, "interrupt")
        assert left.id == second.id


def test_law_golden_questions_and_rejudging_take_five_labels(tmp_path: Path) -> None:
    labels = SETS[1]
    with labelling(tmp_path, labels, policy="threshold", threshold=0.75, audit_share=0.0) as project:
        leads = [add_expert(project.store, name, role="lead", by="local:test") for name in ("Ada", "Bo")]
        ada = leads[0][0]
        assert answer(project, labels, "interrupt", ada.actor) > 20
        project.resume()
        golden = [
            {"prompt": "?", "responses": [f"text {n}"], "answer": right_of(f"text {n}", labels).upper()}
            for n in range(ITEMS, ITEMS + 5)
        ]
        assert project.golden.import_(golden, recipe="kinds").added == 5
        with project.store.connect() as connection:
            seen = [row.decision_id for row in all_precedents(connection) if row.half == "seen"][:3]
        cites = "".join(f"  - '{decision}'\n" for decision in seen)
        draft = tmp_path / "draft.yaml"
        draft.write_text(
            "amends: general\nreason: the number says it\ncites:\n" + cites + "overrules: []\nchanges:\n"
            "  - {action: add, id: by-number, text: 'Go by the number.', priority: 1}\n"
        )
        [proposed] = project.constitutions.propose(draft).amendments
        measured = project.constitutions.impact(proposed.id, sample=40)
        parts = measured.amendment.impact["parts"]
        assert sum(part["n"] for part in parts.values()) >= 20
        assert {part["before"] == part["after"] for part in parts.values() if part["n"]} == {True}
        why = {"override": True, "reason": "it says what we do"}
        votes = [project.constitutions.ratify(proposed.id, expert=token, **why) for _, token in leads]
        assert votes[-1].state == "ratified"
        judged_again = project.rejudge(only="records")
        assert judged_again.stale > 100
        assert (judged_again.replaced, judged_again.rejected, judged_again.failed) == (0, 0, 0)
        assert judged_again.confirmed + judged_again.review == judged_again.stale


def test_overlaps_and_undo_take_five_labels(tmp_path: Path) -> None:
    labels = SETS[1]
    with labelling(tmp_path, labels, audit_share=0.0) as project:
        ada, bo = (
            add_expert(project.store, name, role="expert", by="local:test")[0] for name in ("Ada", "Bo")
        )
        text_of, asked = texts_of(project), waiting(project, "interrupt")
        for review in asked[:60]:
            give(project, ada, review, right_of(text_of[review.candidates[0]], labels))
        twice = waiting(project, "overlap")
        asked_twice = [one for one in twice if one.item_id in {review.item_id for review in asked[:60]}]
        assert asked_twice
        for number, review in enumerate(asked_twice):
            right = right_of(text_of[review.candidates[0]], labels)
            give(project, bo, review, right if number else labels[(labels.index(right) + 1) % len(labels)])
        project.resume()
        found = project.evaluate("agreement")
        assert isinstance(found, Agreement)
        assert found.ceiling.items == len(asked_twice)
        assert found.ceiling.experts_agree.value == pytest.approx(1 - 1 / len(asked_twice))
        with project.store.connect() as connection:
            last = connection.execute(
                select(decisions.c.id, decisions.c.item_id)
                .where(decisions.c.actor == ada.actor)
                .order_by(decisions.c.decided_at.desc())
            ).first()
        with project.store.transaction() as connection:
            undo(project.store, connection, ada, last.id)
        project.resume()
        [again] = [one for one in waiting(project, "interrupt") if one.item_id == last.item_id]
        give(project, ada, again, labels[0])
        project.resume()
        query = select(records.c.label).where(
            records.c.item_id == last.item_id, records.c.superseded_at.is_(None)
        )
        with project.store.connect() as connection:
            assert list(connection.execute(query).scalars()) == [labels[0]]


def test_what_a_label_cannot_be_read_as_is_unknown(tmp_path: Path) -> None:
    labels = SETS[1]
    with labelling(tmp_path, labels, policy="always", audit_share=0.0) as project:
        answer(project, labels, "interrupt", "expert:ada")
        with project.store.transaction() as connection:
            connection.execute(update(reviews).values(response_schema="label@1:gone|away"))
        found = project.evaluate("agreement")
        assert isinstance(found, Agreement)
        assert found.n == 0
        assert found.panel_expert.value is None
