"""`solon judges`: bounds from experts' labels, refused judges without weight, and probes that find what was planted.

Judges are functions and scripted fakes: what they lean to is known.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from solon import judge
from solon.cli.app import run_command
from solon.consensus.model import ConsensusModel
from solon.errors import UsageError
from solon.eval.admission import Standings
from solon.eval.probes import PROBES, ProbeCost
from solon.plugins import Plugin
from solon.project import Project
from solon.recipes.label import LABEL
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.certificates import consensus_payload, newest_consensus
from solon.store.runs.runs import find_run
from solon.store.tables import calls, candidates, items, records, texts, verdicts

WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "ivory", "jade")


def seeds(n: int) -> list[dict[str, Any]]:
    """Pairs of answers of which one is right; its place is drawn."""
    draw = random.Random(7)
    rows = []
    for number in range(n):
        word = f"{WORDS[number % 10]} {WORDS[number // 10 % 10]} {number}"
        pair = [f"The right word is {word}. It stands to reason.", f"No word is {word}. It stands to reason."]
        draw.shuffle(pair)
        rows.append(
            {"id": f"s{number}", "prompt": f"Which word is {word}?", "responses": [{"text": t} for t in pair]}
        )
    return rows


def is_right(text: str) -> bool:
    return text.startswith("The right")


def chance(*parts: str) -> float:
    return random.Random("|".join(sorted(parts))).random()


@judge("knows", "1")
def knows(a: str, b: str) -> str:
    right = "A" if is_right(a) else "B"
    return right if chance("knows", a, b) < 0.96 else {"A": "B", "B": "A"}[right]


@judge("half", "1")
def half(a: str, b: str) -> str:
    right = "A" if is_right(a) else "B"
    return right if chance("half", a, b) < 0.75 else {"A": "B", "B": "A"}[right]


@judge("wrong", "1")
def wrong(a: str, b: str) -> str:
    right = "A" if is_right(a) else "B"
    return {"A": "B", "B": "A"}[right] if chance("wrong", a, b) < 0.9 else right


JUDGES: dict[str, Plugin] = {f"{__name__}:{one.name}": one for one in (knows, half, wrong)}


@contextmanager
def judged(folder: Path, n: int = 120, **routing: Any) -> Iterator[Project]:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "judges": [{"python": reference} for reference in JUDGES],
        "resolver": {"enabled": False},
        "generator": {"revise": False},
        "routing": {"policy": "always", "audit_share": 0.0, **routing},
    }
    with Project(f"sqlite:///{folder}/judges.db", config=config) as project:
        project.plugins = dict(JUDGES)
        project.store.key = "5a" * 32
        project.run("preference", seeds(n))
        yield project


def answer_all(project: Project) -> None:
    text_of = dict(_texts(project))
    with project.store.connect() as connection:
        waiting = [row for row in list_reviews(connection, limit=1000) if row.state == "waiting"]
    for review in waiting:
        better = next(name for name in review.candidates if is_right(text_of[name]))
        answer = {"choice": "prefer", "candidate": better}
        decide(project.store, review.id, answer, actor="expert:ada", channel="api", counts=True)
    project.resume()


def _texts(project: Project) -> list[tuple[str, str]]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return [(row.id, row.body) for row in connection.execute(query)]


def by_name(found: Standings) -> dict[str, Any]:
    return {one.judge.removeprefix("python:").split("@")[0]: one for one in found.judges}


def test_bounds_and_standing_of_every_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with judged(tmp_path) as project:
        before = by_name(project.judges())
        assert {one.standing for one in before.values()} == {"probation"}
        assert project.judges().labels == 0
        answer_all(project)
        found = project.judges()
        assert (found.labels, found.others, found.wanted) == (120, 0, 0.8)
        standing = by_name(found)
        assert {name: one.standing for name, one in standing.items()} == {
            "knows": "admitted",
            "half": "probation",
            "wrong": "refused",
        }
        for one in standing.values():
            assert sum(rate.n for rate in one.rates.values()) == one.n == 120
            assert set(one.rates) == {"A better", "B better"}
        assert min(rate.low for rate in standing["knows"].rates.values()) >= 0.8
        assert [name for name, one in standing.items() if one.weightless] == ["wrong"], (
            "the run has learned of it"
        )
        url = project.store.url
    (tmp_path / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')
    options = ["--store", url, "--config", str(tmp_path / "solon.toml")]
    assert run_command(["judges", *options]) == 0
    told = capsys.readouterr().out
    assert "120 labels of experts on items drawn at random" in told
    assert "no better than chance: at most 0% of the way" in told
    assert run_command(["judges", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == 120


def test_a_refused_judge_has_no_weight_and_the_version_says_so(tmp_path: Path) -> None:
    with judged(tmp_path) as project:
        answer_all(project)
        learned = project.learn()
        assert [name.split("@")[0] for name in learned.refused_judges] == ["python:wrong"]
        with project.store.connect() as connection:
            run = find_run(connection, None)
            version = newest_consensus(connection, run.scope)
            assert version is not None
            model = ConsensusModel.from_json(consensus_payload(connection, version))
        assert set(model.refused) == set(learned.refused_judges)
        assert not set(learned.refused_judges) & set(model.weights)
        assert by_name(project.judges())["wrong"].weightless
        more = [{**row, "id": f"more {row['id']}"} for row in seeds(132)[120:]]
        project.config = project.config.model_copy(
            update={"routing": project.config.routing.model_copy(update={"policy": "disagreement"})}
        )
        run_id = project.run("preference", more, new_run=True).run_id
        with project.store.connect() as connection:
            kept = connection.execute(
                select(records).join(items, items.c.id == records.c.item_id).where(items.c.run_id == run_id)
            ).all()
            cast = connection.execute(
                select(verdicts).join(items, items.c.id == verdicts.c.item_id).where(items.c.run_id == run_id)
            ).all()
            pinned = set(
                connection.execute(select(items.c.consensus_id).where(items.c.run_id == run_id)).scalars()
            )
        assert pinned == {version}
        assert {row.judge.split("@")[0] for row in cast} == {"python:knows", "python:half", "python:wrong"}
        agreed = 0
        for number in range(12):
            a, b = (one["text"] for one in more[number]["responses"])
            agreed += chance("knows", a, b) < 0.96 and chance("half", a, b) < 0.75
        assert len(kept) >= agreed > 0, "who is refused splits no panel"


def test_functions_are_probed_too_and_cost_no_call(tmp_path: Path) -> None:
    with judged(tmp_path, n=12) as project:
        found = project.judges(probe=12)
        assert found.probed is not None
        assert (found.probed.cost.calls, found.probed.calls) == (0, 0)
        for one in by_name(found).values():
            assert {figure.probe for figure in one.probes} == {"length", "position", "sycophancy"}
        assert not any(f.found for one in found.judges for f in one.probes if f.probe == "position")
        seats = {"judges": (), "rules": ()}
        project.config = project.config.model_copy(update=seats)
        with pytest.raises(UsageError, match="no judges to be probed"):
            project.judges(probe=12)


def test_only_items_drawn_at_random_speak(tmp_path: Path) -> None:
    """Where only split panels are asked, a good judge is right half the time: that refuses nobody."""
    with judged(tmp_path, policy="disagreement") as project:
        answer_all(project)
        found = project.judges()
        assert found.labels == 0
        assert found.others > 60
        assert {one.standing for one in found.judges} == {"probation"}
        assert project.learn().refused_judges == ()


def test_there_are_no_judges_where_people_answer_all(tmp_path: Path) -> None:
    config = {"models": {"default": {"model": "scripted:default"}}, "label": {"labels": ["a", "b"]}}
    with Project(f"sqlite:///{tmp_path}/labels.db", config=config) as project:
        project.run("label", ["text"])
        with pytest.raises(UsageError, match="there are no judges"):
            project.judges()
    assert LABEL.name == "label"


LEANINGS = {"length": 1.5, "position": 1.5, "self": 1.5, "sycophancy": 1.5}


@contextmanager
def leaning(
    folder: Path,
    leanings: dict[str, dict[str, float]],
    n: int = 40,
    key: str = "5a",
    recipe: str = "preference",
) -> Iterator[Project]:
    """A panel with one scripted fake for each name, each with its leanings."""
    models: dict[str, Any] = {"default": {"model": "scripted:default"}}
    for name, drawn in leanings.items():
        script = folder / f"{name}.json"
        script.write_text(json.dumps({"leanings": drawn}))
        models[name] = {"model": f"scripted:{script}"}
    config = {
        "models": models,
        "judges": [{"model": name} for name in leanings],
        "resolver": {"enabled": False},
        "generator": {"revise": False},
        "routing": {"policy": "never", "audit_share": 0.0},
    }
    with Project(f"sqlite:///{folder}/probes.db", config=config) as project:
        project.store.key = key * 32
        rows = seeds(n)
        if recipe == "instruction":
            rows = [{**row, "responses": row["responses"][:1]} for row in rows]
        project.run(recipe, rows)
        yield project


def found_in(found: Standings) -> dict[str, set[str]]:
    return {
        one.judge.removeprefix("scripted:").removesuffix(".json"): {
            figure.probe for figure in one.probes if figure.found
        }
        for one in found.judges
        if one.probes
    }


@pytest.mark.parametrize("key", ["5a", "17", "c3"])
def test_each_planted_bias_is_found_and_no_other(tmp_path: Path, key: str) -> None:
    panel: dict[str, dict[str, float]] = {name: {name: size} for name, size in LEANINGS.items()}
    with leaning(tmp_path, {**panel, "plain": {}}, key=key) as project:
        found = project.judges(probe=40)
        assert found_in(found) == {**{name: {name} for name in LEANINGS}, "plain": set()}
        for one in found.judges:
            assert {figure.probe: figure.n for figure in one.probes} in ({}, dict.fromkeys(PROBES, 40))
        by = {one.judge: one for one in found.judges}
        [length] = [one for one in by["scripted:length.json"].probes if one.probe == "length"]
        assert length.moved > length.placebo
        assert length.effect.low > 0


@pytest.mark.parametrize("size", [-1.5])
def test_a_lean_to_the_last_shown_is_found_too(tmp_path: Path, size: float) -> None:
    with leaning(tmp_path, {"last": {"position": size}}) as project:
        [figure] = [f for one in project.judges(probe=40).judges for f in one.probes if f.found]
        assert (figure.probe, figure.effect.high < 0) == ("position", True)


def test_biases_are_found_in_scores_of_single_answers(tmp_path: Path) -> None:
    panel: dict[str, dict[str, float]] = {
        "length": {"length": 1.0},
        "sycophancy": {"sycophancy": 1.5},
        "plain": {},
    }
    with leaning(tmp_path, panel, recipe="instruction") as project:
        found = project.judges(probe=40)
        assert found_in(found) == {"length": {"length"}, "sycophancy": {"sycophancy"}, "plain": set()}
        probes = {figure.probe for one in found.judges for figure in one.probes}
        assert probes == {"length", "self", "sycophancy"}, "one answer alone has no order"


def test_probes_tell_their_cost_first_and_repeat_no_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def count(project: Project) -> int:
        with project.store.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(calls)).scalar_one())

    with leaning(tmp_path, {"plain": {}}, n=20) as project:
        before, told = count(project), list[ProbeCost]()
        summary = project.summarize()

        def note(cost: ProbeCost) -> None:
            assert count(project) == before
            told.append(cost)

        first = project.judges(probe=10, on_cost=note).probed
        assert first is not None
        assert [(cost.items, cost.calls) for cost in told] == [(10, 120)]
        assert (first.calls, first.from_journal) == (120, 0)
        again = project.judges(probe=10).probed
        assert again is not None
        assert (again.calls, again.from_journal, again.found) == (0, 120, first.found)
        more = project.judges(probe=12).probed
        assert more is not None
        assert (more.calls, more.from_journal) == (24, 120)
        short = project.judges(probe=20, max_calls=5).probed
        assert short is not None
        assert short.stopped
        assert short.calls == 5
        assert project.summarize() == summary, "they stand in no run's numbers"
        url, config = project.store.url, tmp_path / "solon.toml"
        config.write_text(
            f'[models.default]\nmodel = "scripted:default"\n[models.plain]\nmodel = "scripted:{tmp_path}/plain.json"\n'
            '[[judges]]\nmodel = "plain"\n'
        )
    assert run_command(["judges", "--probe", "10", "--store", url, "--config", str(config)]) == 0
    shown = capsys.readouterr()
    assert "probes on 10 items: 120 model calls at most" in shown.err
    assert "say --yes" in shown.err
    assert "probe length" not in shown.out
    assert run_command(["judges", "--probe", "10", "--yes", "--store", url, "--config", str(config)]) == 0
    assert "probe length: not found" in capsys.readouterr().out
