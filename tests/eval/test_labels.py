"""Labels of two, three and five, and of a form: what a machine accepts is exported, and what is measured is true."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import select, update

from solon import critic
from solon.agents.judge import Verdict
from solon.cli.app import run_command
from solon.eval.releases.diff import diff_releases
from solon.eval.releases.releases import create_release, verify_release
from solon.eval.suites.agreement import Agreement
from solon.eval.suites.audit import Audit
from solon.eval.suites.compare import Comparison as Compared
from solon.eval.suites.judges import Judges
from solon.graphs.pruning import prune_checkpoints
from solon.learning import usable_decisions
from solon.learning.audits import watch_audits
from solon.operations.compare import compare_runs
from solon.project import Project
from solon.questions import question_of
from solon.recipes import Choice, Recipe
from solon.recipes.label import LABEL
from solon.responses import LabelResponse
from solon.store.database.store import Store
from solon.store.records.exporting import export_rows
from solon.store.reviewing import queue
from solon.store.reviewing.adjudicating import adjudicate, list_cases
from solon.store.reviewing.answering import answer_lease
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import ReviewRow, list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.runs import find_run
from solon.store.tables import candidates, critiques, records, reviews, texts
from solon.store.upkeep.copying import copy_store
from solon.sync import run_sync

SETS = (("A", "B"), ("accept", "reject", "tie or so"), ("one", "two", "three", "four", "five"))


class Urgency(LabelResponse):
    choice: Literal["now", "later", "never"]
    ward: str = ""


@critic("hard", "1")
def hard(answer: str, principles: list[str]) -> list[dict[str, str]]:
    return [{"severity": "fatal", "principle": principles[0], "quote": "", "suggestion": "another"}]


def right_of(text: str, labels: tuple[str, ...]) -> str:
    return labels[int(text.split()[-1]) % len(labels)]


@dataclass(frozen=True)
class Machine(Choice):
    """A panel of three gives the labels, one in six of them wrong."""

    async def ask(self, case: Any, answers: Sequence[str], **_: Any) -> list[Verdict]:
        number = int(answers[0].split()[-1])
        label = self.labels[(number + (number % 6 == 5)) % len(self.labels)]
        return [Verdict(judge=f"m{seat}", seat=f"{seat}:", outcome=label) for seat in (1, 2, 3)]


def machine(labels: tuple[str, ...]) -> Recipe:
    """A recipe of somebody's own, in the place of the shipped one."""
    return replace(LABEL, question=Machine(labels), steps=("draft", "judge", "review"), resumes=())


@contextmanager
def labelled(
    folder: Path, label: dict[str, Any], recipe: Recipe | None = None, **routing: Any
) -> Iterator[Project]:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": label,
        "routing": {"policy": "threshold", "audit_share": 0.5, **routing},
    }
    own = [recipe] if recipe else []
    with Project(f"sqlite:///{folder}/labels.db", config=config, recipes=own, plugins=[hard]) as project:
        project.store.key = "5a" * 32
        project.run("label", [{"id": f"t{n}", "prompt": f"text {n}"} for n in range(36)])
        yield project


def texts_of(project: Project) -> dict[str, str]:
    query = select(candidates.c.id, texts.c.body).join(texts, texts.c.id == candidates.c.text_id)
    with project.store.connect() as connection:
        return {row.id: row.body for row in connection.execute(query)}


def waiting_in(project: Project, kind: str) -> list[ReviewRow]:
    with project.store.connect() as connection:
        return [review for review in list_reviews(connection, limit=1000) if review.kind == kind]


def answer_all(project: Project, kind: str, say: Callable[[str], str], actor: str = "expert:ada") -> int:
    """Answer every review of a kind as an expert with a token; how many there were."""
    text_of, waiting = texts_of(project), waiting_in(project, kind)
    for review in waiting:
        answer = {"choice": say(text_of[review.candidates[0]])}
        decide(project.store, review.id, answer, actor=actor, channel="api", counts=True)
    project.resume()
    return len(waiting)


def give(project: Project, who: ExpertRow, review: ReviewRow, choice: str, answers: int = 1) -> None:
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
            answers=answers,
        )


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
            rows[form] = (
                [json.loads(line) for line in file] if form == "jsonl" else list(csv.DictReader(file))
            )
    return rows


def shares_of(row: dict[str, Any]) -> dict[str, float]:
    """The shares of an exported row, which tables of text hold as JSON."""
    listed = json.loads(row["shares"]) if isinstance(row["shares"], str) else row["shares"]
    return {one["label"]: one["share"] for one in listed}


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
            assert all(row["soft_label"] == row["confidence"] for row in rows)
            for row in rows:
                shares = shares_of(row)
                assert tuple(shares) == labels, "in the order of the labels"
                assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)
                assert shares[row["label"]] == float(row["soft_label"]) == max(shares.values())
        assert len({json.dumps(one, sort_keys=True) for one in told.values()}) == 1
        answered = answer_all(project, "audit", lambda text: right_of(text, labels))
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
        with project.store.connect() as connection:
            here = find_run(connection, run.name)
        report = watch_audits(project.store, here, project.config)
        assert (report.n, report.agreed / report.n) == (answered, run.agreement.value)
        assert project.evaluate("quality").n == 0, "a text that was labelled is no answer"
        page = project.report(tmp_path / "report.html")
        assert page.audit.runs[0].agreement.value == run.agreement.value
        assert page.curves.n == answered
        assert page.curves.learning == ()


@pytest.mark.parametrize("labels", SETS)
def test_two_workers_who_agree_settle_a_label_and_it_is_audited(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    with labelled(tmp_path, {"labels": list(labels)}) as project:
        workers = [
            add_expert(project.store, name, role="worker", by="local:test")[0] for name in ("Ann", "Ben")
        ]
        text_of = texts_of(project)
        for review in waiting_in(project, "interrupt")[:16]:
            for worker in workers:
                give(project, worker, review, right_of(text_of[review.candidates[0]], labels))
        assert project.resume().accepted == 16
        rows = exported(project, tmp_path)["jsonl"]
        assert {row["route"] for row in rows} == {"voted"}
        for row in rows:
            shares = shares_of(row)
            assert tuple(shares) == labels
            assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)
            assert shares[row["label"]] == row["confidence"] >= 0.9, "the weighed votes, without a panel"
        assert all(row["label"] == right_of(row["response"], labels) for row in rows)
        audited = answer_all(project, "audit", lambda text: right_of(text, labels))
        assert audited > 4
        audit = project.evaluate("audit")
        assert isinstance(audit, Audit)
        assert (audit.runs[0].agreement.value, audit.runs[0].agreement.n) == (1.0, audited)
        assert audit.runs[0].state != "alarm"
        assert set(audit.runs[0].by_route) == {"voted"}


@pytest.mark.parametrize("differ", [False, True])
@pytest.mark.parametrize("labels", [*SETS, ()])
def test_how_far_people_agree_on_labels(tmp_path: Path, labels: tuple[str, ...], differ: bool) -> None:
    form = f"{__name__}:Urgency"
    label: dict[str, Any] = {"labels": list(labels)} if labels else {"form": form}
    names = labels or question_of(form).outcomes
    with labelled(tmp_path, label) as project:
        ada, _ = add_expert(project.store, "Ada", role="expert", by="local:test")
        text_of = texts_of(project)
        for review in waiting_in(project, "interrupt"):
            give(project, ada, review, right_of(text_of[review.candidates[0]], names), answers=2)

        def say(text: str) -> str:
            return names[(names.index(right_of(text, names)) + differ) % len(names)]

        asked_twice = answer_all(project, "overlap", say, actor="expert:bo")
        assert asked_twice == 36
        agreement = project.evaluate("agreement")
        assert isinstance(agreement, Agreement)
        assert agreement.ceiling.items == asked_twice
        assert agreement.ceiling.experts_agree.value == (0.0 if differ else 1.0)
        assert agreement.panel_expert.value is None, "there is no panel, and so no agreement with one"
        judges = project.evaluate("judges")
        assert isinstance(judges, Judges)
        assert judges.n == 0
        page = project.report(tmp_path / "report.html")
        assert (page.curves.n, page.curves.ece, page.curves.learning) == (0, None, ())
        assert page.decisions.overturned.value is None
        rows = exported(project, tmp_path)["jsonl"]
        assert len(rows) == 36
        assert all(row["label"] == right_of(row["response"], names) for row in rows)


def test_labels_named_like_sides_stay_labels() -> None:
    assert question_of("label@1:A|B|tie").outcome_of("B", "text", ["text"]) == "B"
    assert question_of("label@1:A|B|tie").outcomes == ("A", "B", "tie")
    assert question_of("pair@1:given").outcomes == ("A", "B")
    assert question_of("single@1").outcomes == ("accept", "reject")
    assert question_of("no_such@9").outcomes == ()


def test_a_label_that_stays_contested_tells_no_half(tmp_path: Path) -> None:
    with labelled(tmp_path, {"labels": ["A", "B", "C"]}) as project:
        ada, bo = (
            add_expert(project.store, name, role="expert", by="local:test")[0] for name in ("Ada", "Bo")
        )
        give(project, ada, waiting_in(project, "interrupt")[0], "A", answers=2)
        give(project, bo, waiting_in(project, "overlap")[0], "B")
        project.resume()
        lead, _ = add_expert(project.store, "Lea", role="lead", by="local:test")
        with project.store.transaction() as connection:
            [case] = list_cases(connection)
            settled = adjudicate(
                project.store,
                connection,
                lead,
                case.id,
                choice="contested",
                candidate=None,
                principle=None,
                reason="both hold",
            )
        assert settled.soft == {"A": 0.5, "B": 0.5, "C": 0.0}
        _, rows = export_rows(project.store)
        [row] = [row for row in rows if row.label == "contested"]
        assert (row.outcome, row.soft_label) == ("label", None)
        assert row.shares == {"A": 0.5, "B": 0.5, "C": 0.0}, "the share of people"


LETTERS = ("A", "B", "C")


def test_a_label_by_a_budget_and_by_a_person_beside_a_panel(tmp_path: Path) -> None:
    with labelled(
        tmp_path, {"labels": list(LETTERS)}, machine(LETTERS), policy="budget", budget=9
    ) as project:
        assert answer_all(project, "interrupt", lambda text: right_of(text, LETTERS)) == 9
        rows = exported(project, tmp_path)["jsonl"]
        assert len(rows) == 36
        assert sum(row["route"] == "decided" for row in rows) == 9
        for row in rows:
            right, soft = row["label"] == right_of(row["response"], LETTERS), row["soft_label"]
            assert shares_of(row)[row["label"]] == soft
            wrong = int(row["response"].split()[-1]) % 6 == 5
            if row["route"] == "decided":
                assert right
                assert (soft < 0.5) == wrong, "what the panel makes of the label that a person gave"
            else:
                assert right != wrong
                assert soft == row["confidence"]


def test_two_runs_with_other_labels_differ(tmp_path: Path) -> None:
    with labelled(tmp_path, {"labels": ["tie", "reject"]}) as project:
        answer_all(project, "interrupt", lambda text: "tie")
        first = project.summarize().run_id
        seeds = [{"id": f"t{n}", "prompt": f"text {n}"} for n in range(36)]
        second = project.run("label", seeds, new_run=True, ask_again=True).run_id
        answer_all(project, "interrupt", lambda text: right_of(text, ("tie", "reject")))
        changes = compare_runs(project.store, first, second)
        assert changes.counts()["winner"] == 18
        assert {(one.before.result, one.after.result) for one in changes.changes} == {
            ("tie", "tie"),
            ("tie", "reject"),
        }
        comparison = project.evaluate("compare", runs=[first, second])
        assert isinstance(comparison, Compared)
        assert comparison.same_chosen.value == 0.5
        summary = project.export(format="trl-unpaired-preference", path=tmp_path / "kto.jsonl", run_id=first)
        assert summary.left_out == {"label": 36}, "a label called tie is no tie"


FIVE = SETS[-1]


def test_a_person_alone_gives_no_shares(tmp_path: Path) -> None:
    with labelled(tmp_path, {"labels": list(FIVE)}) as project:
        answer_all(project, "interrupt", lambda text: right_of(text, FIVE))
        rows = exported(project, tmp_path)
        assert (
            [row["shares"] for row in rows["jsonl"]]
            == [row["shares"] for row in rows["parquet"]]
            == [None] * 36
        )


def test_shares_are_shown_released_copied_and_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with labelled(tmp_path, {"labels": list(FIVE)}, machine(FIVE)) as project:
        first = next(iter(export_rows(project.store)[1]))
        assert first.shares is not None
        assert project.trace(first.id)["record"]["shares"] == first.shares
        assert run_command(["show", first.id, "--store", project.store.url]) == 0
        assert (
            f"shares: {', '.join(f'{name} {share:.2f}' for name, share in first.shares.items())}"
            in " ".join(capsys.readouterr().out.split())
        )
        for form in ("jsonl", "csv", "parquet"):
            folder = tmp_path / f"release-{form}"
            create_release(project.store, form, folder, format=form)
            assert [
                one.passed for one in verify_release(project.store, folder).checks if one.name == "rebuilt"
            ] == [True]
        copied = f"sqlite:///{tmp_path}/copy.db"
        copy_store(project.store, copied)
        with Store(copied) as store:
            assert [row.shares for row in export_rows(store)[1]] == [
                row.shares for row in export_rows(project.store)[1]
            ]
        run_sync(prune_checkpoints(project.store))
        with project.store.transaction() as connection:
            changed = dict.fromkeys(FIVE, 0.2)
            connection.execute(update(records).where(records.c.id == first.id).values(shares=changed))
        diff = diff_releases(project.store, tmp_path / "release-jsonl")
        assert (len(diff.changed), diff.reasons) == (1, {"scored again": 1})
        project.forget(first.seed_id)
        assert first.id not in {row.id for row in export_rows(project.store)[1]}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_folder_of_labels_is_read_with_its_shares(tmp_path: Path, form: str) -> None:
    datasets, croissant = pytest.importorskip("datasets"), pytest.importorskip("mlcroissant")
    with labelled(tmp_path, {"labels": list(FIVE)}, machine(FIVE)) as project:
        shares = {row.id: row.shares for row in export_rows(project.store)[1]}
        project.export(format=form, path=tmp_path / "set", folder=True)
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))["train"]
    assert {row["id"]: shares_of(row) for row in loaded} == shares
    found = croissant.Dataset(jsonld=str(tmp_path / "set" / "croissant.json"))
    assert not found.metadata.issues.errors
    described = json.loads((tmp_path / "set" / "croissant.json").read_text())["recordSet"][0]["field"]
    [column] = [one for one in described if one["name"] == "shares"]
    assert [part["dataType"] for part in column["subField"]] == ["sc:Text", "sc:Float"]
    told = next(iter(found.records("train")))["train/shares"]
    assert [part["train/shares/label"].decode() for part in told] == list(FIVE)
    assert "(`shares`), as panel and votes have it: 36." in (tmp_path / "set" / "README.md").read_text()
