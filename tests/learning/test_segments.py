"""Reliability by segment through a run: learned from answers, used for what is judged, settled and doubted after."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from solon import Project
from solon.consensus.model import ConsensusModel
from solon.eval.replay.opinions import opinions_on
from solon.store.records.evaluation import answers
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import consensus_payload, newest_consensus
from solon.store.runs.runs import find_run
from solon.store.tables import candidates, items, records, seeds, texts

RIGHT = {"plain": 0.95, "tricky": 0.08}


def seed(number: int) -> dict[str, Any]:
    """A pair whose better side is told by its text, and two judges who are wrong together on tricky ones."""
    draw = random.Random(f"pair {number}")
    subset, best = draw.choice(["plain", "tricky"]), draw.choice("AB")
    sides = {"A": f"answer {number} A", "B": f"answer {number} B"}
    sides[best] += " (better)"
    said = best if draw.random() < RIGHT[subset] else "BA"["AB".index(best)]
    judges = [
        {"judge": f"judge {j}", "verdict": said, "order": order} for j in (1, 2) for order in ("AB", "BA")
    ]
    return {
        "id": f"pair-{number}",
        "prompt": f"question {number}",
        "responses": [{"text": sides[side]} for side in "AB"],
        "subset": subset,
        "specialty": subset,
        "verdicts": judges,
    }


def project(folder: Path, segment: str, **beside: Any) -> Project:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "routing": {
            "policy": "pilot",
            "pilot": 120,
            "pilot_share": 1.0,
            "audit_share": 0.0,
            "threshold": 0.0,
        },
        "resolver": {"enabled": False},
        **({"consensus": {"segment": segment, **beside}} if segment or beside else {}),
    }
    made = Project(f"sqlite:///{folder}/parted.db", config=config)
    made.store.key = "5a" * 32
    made.run("preference", [seed(n) for n in range(240)])
    return made


def bodies(project: Project) -> dict[str, str]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return {row.id: row.body for row in connection.execute(query)}


def answer(project: Project) -> None:
    text_of = bodies(project)
    with project.store.connect() as connection:
        waiting = [one for one in list_reviews(connection, limit=5000) if one.rule == "pilot"]
    for review in waiting:
        best = next(name for name in review.candidates if "better" in text_of[name])
        said = {"choice": "prefer", "candidate": best}
        decide(project.store, review.id, said, actor="expert:ada", channel="api", counts=True)


def right_by_machine(project: Project) -> dict[str, float]:
    """Share of the records that no person decided which chose the better answer, by subset."""
    text_of, found = bodies(project), dict[str, list[bool]]()
    query = (
        select(records.c.chosen_id, seeds.c.specialty)
        .join(items, items.c.id == records.c.item_id)
        .join(seeds, seeds.c.id == items.c.seed_id)
        .where(records.c.decision_id.is_(None), records.c.superseded_at.is_(None))
    )
    with project.store.connect() as connection:
        for chosen, subset in connection.execute(query):
            found.setdefault(subset, []).append("better" in text_of[chosen])
    return {subset: sum(right) / len(right) for subset, right in found.items()}


def learned(project: Project) -> ConsensusModel:
    with project.store.connect() as connection:
        scope = find_run(connection).scope
        payload = consensus_payload(connection, str(newest_consensus(connection, scope)))
    return ConsensusModel.from_json(payload)


@pytest.mark.parametrize("field", ["subset", "specialty"])
def test_what_was_accepted_in_a_tricky_segment_is_turned_and_stays_right(tmp_path: Path, field: str) -> None:
    with project(tmp_path, field) as parted:
        before = right_by_machine(parted)
        assert before["tricky"] < 0.3
        answer(parted)
        done = parted.learn()
        assert done.turned > 20, (
            "accepted records of tricky pairs go again, for the panel now chooses otherwise"
        )
        model = learned(parted)
        assert model.segment == field
        assert model.segments["tricky"] != model.segments["plain"]
        parted.resume()
        after = right_by_machine(parted)
        assert after["plain"] > 0.85
        assert after["tricky"] > 0.8
        with parted.store.connect() as connection:
            opinions = opinions_on(connection, answers(connection, [find_run(connection).id]))
            assert {opinion.traits.segment for opinion in opinions} <= {"", "plain", "tricky"}


def test_without_a_segment_nothing_is_told_apart(tmp_path: Path) -> None:
    with project(tmp_path, "") as whole:
        answer(whole)
        assert "no seed states" not in whole.learn().why
        assert not learned(whole).segments
        assert "consensus" not in whole.config.effective()


def test_a_field_that_no_seed_states_is_told(tmp_path: Path) -> None:
    with project(tmp_path, "subste") as mistyped:
        answer(mistyped)
        assert "no seed states 'subste', which [consensus] segment names" in mistyped.learn().why


def test_texts_are_gone_by_alike_in_the_graph_and_in_the_store(tmp_path: Path) -> None:
    """The better answer is always the longer one, so that from twenty decisions on its length counts."""
    with project(tmp_path, "") as whole:
        answer(whole)
        whole.learn()
        model = learned(whole)
        assert model.texts["length"] > 0.0
        whole.resume()
        assert right_by_machine(whole)["tricky"] > 0.8
        assert whole.learn().doubted == 0, "what the graph accepted, learning accepts"


def test_texts_can_be_left_out(tmp_path: Path) -> None:
    with project(tmp_path, "", texts=False) as plain:
        answer(plain)
        plain.learn()
        assert not learned(plain).texts
