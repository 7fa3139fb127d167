"""Labels of two, three and five, and of a form: what a machine accepts is exported, and what is measured is true."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from sqlalchemy import select

from solon import critic
from solon.agents.judge import Verdict
from solon.eval.suites.agreement import Agreement
from solon.eval.suites.audit import Audit
from solon.eval.suites.judges import Judges
from solon.graphs.recipes.label import Label
from solon.learning import usable_decisions
from solon.learning.audits import watch_audits
from solon.project import Project
from solon.responses import LabelResponse, outcome_of, outcomes_of
from solon.store.reviewing import queue
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.tables import candidates, critiques, records, reviews, texts

SETS = (("A", "B"), ("accept", "reject", "tie or so"), ("one", "two", "three", "four", "five"))


class Urgency(LabelResponse):
    choice: Literal["now", "later", "never"]
    ward: str = ""


@critic("hard", "1")
def hard(answer: str, principles: list[str]) -> list[dict[str, str]]:
    return [{"severity": "fatal", "principle": principles[0], "quote": "", "suggestion": "another"}]


def right_of(text: str, labels: tuple[str, ...]) -> str:
    return labels[int(text.split()[-1]) % len(labels)]


def machine(labels: tuple[str, ...]) -> Label:
    """A recipe of somebody's own: a panel of three gives the labels, one in six of them wrong."""

    class Machine(Label):
        has_panel: ClassVar[bool] = True
        outcomes: ClassVar[tuple[str, ...]] = labels  # type: ignore[assignment]

        async def judge(self, context: Any, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
            text = context.answer(shown[0])
            number = int(text.split()[-1])
            label = labels[(number + (number % 6 == 5)) % len(labels)]
            return [Verdict(judge=f"m{seat}", seat=f"{seat}:", outcome=label) for seat in (1, 2, 3)]

    return Machine()


@contextmanager
def labelled(folder: Path, label: dict[str, Any], recipe: Label | None = None, **routing: Any) -> Iterator[Project]:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": label,
        "routing": {"policy": "threshold", "audit_share": 0.5, **routing},
    }
    own = {"label": recipe} if recipe else None
    with Project(f"sqlite:///{folder}/labels.db", config=config, recipes=own, plugins=[hard]) as project:
        project.store.key = "5a" * 32
        project.run("label", [{"id": f"t{n}", "prompt": f"text {n}"} for n in range(36)])
        yield project


def answer_all(project: Project, say: Callable[[str, str], str], actor: str = "expert:ada", kind: str = "") -> int:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        text_of: dict[str, str] = dict(connection.execute(query).tuples().all())
        waiting = [one for one in list_reviews(connection, limit=1000) if kind in ("", one.kind)]
    for review in waiting:
        answer = {"choice": say(text_of[review.candidates[0]], review.kind)}
        who = f"{actor}-2" if review.kind == "overlap" else actor
        decide(project.store, review.id, answer, actor=who, channel="api", counts=True)
    project.resume()
    return len(waiting)


def exported(project: Project, folder: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for form in ("jsonl", "csv", "csv-spreadsheet", "parquet"):
        suffix = {"jsonl": "jsonl", "parquet": "parquet"}.get(form, "csv")
        target = folder / f"{form}.{suffix}"
        if form == "parquet":
            parquet = pytest.importorskip("pyarrow.parquet")
            project.export(format=form, path=target)
            rows[form] = parquet.read_table(target).to_pylist()
            continue
        project.export(format=form, path=target)
        with target.open(encoding="utf-8-sig", newline="") as file:
            rows[form] = [json.loads(line) for line in file] if form == "jsonl" else list(csv.DictReader(file))
    return rows


@pytest.mark.parametrize("labels", SETS)
def test_labels_of_a_machine_are_exported_and_audited(tmp_path: Path, labels: tuple[str, ...]) -> None:
    with labelled(tmp_path, {"labels": list(labels)}, machine(labels)) as project:
        with project.store.connect() as connection:
            kept = connection.execute(select(records)).all()
            assert {row.route for row in kept} == {"consensus"}
            assert {row.label for row in kept} == set(labels)
            assert not connection.execute(select(critiques)).all(), "a text to be labelled is not criticised"
            assert {row.kind for row in connection.execute(select(candidates))} == {"given"}
        told: dict[str, dict[str, str]] = {}
        for form, rows in exported(project, tmp_path).items():
            told[form] = {row["response"]: row["label"] for row in rows}
            assert len(told[form]) == 36
            assert {float(row["soft_label"]) for row in rows} <= {float(row["confidence"]) for row in rows}
        assert len({json.dumps(one, sort_keys=True) for one in told.values()}) == 1
        answered = answer_all(project, lambda text, _: right_of(text, labels))
        assert answered == usable_decisions(project.store, project.summarize().run_id)[1] > 10
        agreed = sum(right_of(text, labels) == label for text, label in told["jsonl"].items())
        assert agreed == 30
        audit = project.evaluate("audit")
        assert isinstance(audit, Audit)
        [run] = audit.runs
        assert run.agreement.n == answered
        assert run.agreement.value is not None
        assert 0.5 < run.agreement.value < 1.0
        agreement = project.evaluate("agreement")
        assert isinstance(agreement, Agreement)
        assert agreement.panel_expert.value == run.agreement.value
        with project.store.connect() as connection:
            assert {row.kind for row in connection.execute(select(reviews))} == {"audit"}
        from solon.store.runs.runs import find_run

        with project.store.connect() as connection:
            here = find_run(connection, run.name)
        report = watch_audits(project.store, here, project.config)
        assert (report.n, report.agreed / report.n) == (answered, run.agreement.value)
        page = project.report(tmp_path / "report.html")
        assert page.audit.runs[0].agreement.value == run.agreement.value
        assert page.curves.n == answered
        assert page.curves.learning == ()
