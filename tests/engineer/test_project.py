"""`Project` has all that the command line has, with signatures that can be read."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import solon
from solon.cli.app import command_tree
from solon.errors import SeedError, UsageError
from solon.project import Project
from solon.project.law import Constitutions, Rubrics, Rulebook
from solon.project.people import Experts, GoldenQuestions, HeldSeeds
from solon.project.prompts import Prompts
from solon.project.releases import Releases

METHODS = {
    "recipes": "list_recipes",
    "audit verify": "verify_audit",
    "backup": "backup",
    "restore": "restore",
    "judges": "judges",
    "diff": "diff",
    "doctor": "doctor",
    "eval SUITE": "evaluate",
    "eval injection": "attack",
    "eval labels": "labels",
    "eval power": "power",
    "eval replay": "replay",
    "eval scores": "score",
    "expert add": "experts.add",
    "expert link": "experts.link",
    "expert list": "experts.list",
    "expert test": "experts.test",
    "expert revoke": "experts.revoke",
    "expert rotate": "experts.rotate",
    "expert trust": "experts.trust",
    "export": "export",
    "forget": "forget",
    "gate": "gate",
    "golden count": "golden.count",
    "golden import": "golden.import_",
    "golden pick": "golden.pick",
    "golden retire": "golden.retire",
    "import": "import_",
    "learn": "learn",
    "migrate": "migrate",
    "migrate-threads": "migrate_threads",
    "plan": "plan",
    "preview": "preview",
    "privacy list": "privacy.list",
    "privacy reject": "privacy.reject",
    "privacy release": "privacy.release",
    "prompts check": "prompts.check",
    "prompts copy": "prompts.copy",
    "prompts list": "prompts.list",
    "prompts show": "prompts.show",
    "prune": "prune",
    "rejudge": "rejudge",
    "release create": "releases.create",
    "release diff": "releases.diff",
    "release push": "releases.push",
    "release sign": "releases.sign",
    "release verify": "releases.verify",
    "release withdraw": "releases.withdraw",
    "report": "report",
    "rules leave-out": "rulebook.leave_out",
    "resume": "resume",
    "review decide": "decide",
    "review export": "export_reviews",
    "review list": "reviews",
    "review show": "review",
    "run": "run",
    "show": "trace",
    "status": "summarize",
    "constitution stats": "constitutions.stats",
    "rubric weights": "rubrics.weights",
} | {
    f"{kind} {name}": f"{family}.{name}{'_' if name == 'import' else ''}"
    for kind, family in (("constitution", "constitutions"), ("rubric", "rubrics"), ("rules", "rulebook"))
    for name in ("diff", "history", "impact", "import", "list", "propose", "ratify", "show")
    if (kind, name) != ("rules", "list")  # `solon rules` by itself, which is `Project.rules`
}
"""Command -> the method that does it."""
WITHOUT = {
    "agent-context": "tells programs what there is; needs no project",
    "config check": "a Config is checked as it is made: `load_config`",
    "config schema": "the keys stand on Config itself",
    "config show": "`project.config` is it",
    "demo": "a tour for a terminal",
    "graph": "draws a recipe for a terminal; it needs no project",
    "init": "makes the folder in which a project begins",
    "mcp": "a server for agents over standard input and output; each tool calls a method",
    "model fetch": "fetches weights for the machine; no project is part of it",
    "review notify": "a process beside the server, begun by a timer",
    "review serve": "a server, which takes the process",
    "worker": "a process that delivers decisions for the server; `resume` does so here",
}
"""Command -> why it has no method."""
FAMILIES: dict[str, type] = {
    "experts": Experts,
    "golden": GoldenQuestions,
    "privacy": HeldSeeds,
    "constitutions": Constitutions,
    "rubrics": Rubrics,
    "rulebook": Rulebook,
    "prompts": Prompts,
    "releases": Releases,
}


def commands(group: Any, *before: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name))


def find_method(path: str) -> Any:
    family, _, name = path.rpartition(".")
    return getattr(FAMILIES[family] if family else Project, name)


def public_methods() -> Iterator[tuple[str, Any]]:
    for owner in (Project, *FAMILIES.values()):
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            if not name.startswith("_"):
                yield f"{owner.__name__}.{name}", method


def test_every_command_has_a_method_or_a_reason() -> None:
    names = {name.replace("eval suite", "eval SUITE") for name in commands(command_tree())}
    assert names == METHODS.keys() | WITHOUT.keys()
    assert not METHODS.keys() & WITHOUT.keys()


@pytest.mark.parametrize("command", METHODS)
def test_its_method_is_there(command: str) -> None:
    assert callable(find_method(METHODS[command]))


def test_every_family_is_to_be_had_from_a_project(tmp_path: Path) -> None:
    with Project(f"sqlite:///{tmp_path / 'solon.db'}", config={}) as project:
        assert {name: type(getattr(project, name)) for name in FAMILIES} == FAMILIES
        assert repr(project) == f"Project({project.store.engine.url.render_as_string()!r})"


def test_signatures_are_written_out_and_explained() -> None:
    """`fields` of a form of one's own have names that only its owner knows; `answer` is what `decide` spells out."""
    for name, method in public_methods():
        kinds = {p.name for p in inspect.signature(method).parameters.values() if p.kind is p.VAR_KEYWORD}
        assert kinds <= {"fields", "answer"}, name
        assert inspect.getdoc(method), name
        doc = str(inspect.getdoc(method))
        if (
            len(inspect.signature(method).parameters) > 3
            and "with its" not in doc
            and "Arguments as of" not in doc
        ):
            assert "Args:" in doc, name


@pytest.mark.parametrize("name", ["run", "resume", "preview", "rejudge", "forget"])
def test_a_twin_takes_the_same_arguments(name: str) -> None:
    plain = inspect.signature(getattr(Project, name)).parameters
    twin = inspect.signature(getattr(Project, f"a{name}")).parameters
    assert [*plain] == [name for name in twin if name in plain]
    assert {*twin} - {*plain} <= {"on_runner"}
    assert all(twin[name].default == plain[name].default for name in plain)


def test_the_public_names_are_shown() -> None:
    assert dir(solon) == sorted(solon.__all__)


CONFIG = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
SEEDS = [{"id": f"s{n}", "prompt": f"Explain thing <b>{n}</b>", "subject": f"p{n}"} for n in range(4)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project in an empty folder: four seeds, all with a person."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOLON_TOKEN", raising=False)
    with Project(
        f"sqlite:///{tmp_path / 'solon.db'}", config={**CONFIG, "privacy": {"class": "deidentified"}}
    ) as made:
        made.run("preference", SEEDS)
        yield made


def test_an_hour_without_the_command_line(project: Project, tmp_path: Path) -> None:
    plan = project.plan(1000, experts=2, minutes=30, days=5)
    assert (plan.items, plan.recipe) == (1000, "preference")
    assert "reviews wanted" in plan._repr_html_()
    assert plan.sentence in repr(plan)
    assert all(way.what in plan._repr_html_() for way in plan.ways_out)
    preview = project.preview("preference", SEEDS, n=2, draw=1)
    assert "judge" in preview._repr_html_()
    assert "Explain thing &lt;b&gt;" in preview._repr_html_()
    assert not re.search(r"\de[+-]\d\d", preview._repr_html_())  # figures as people write them
    token = project.experts.add("Dr Ada Lind", role="lead", specialties=["cardiology"])
    assert [expert.name for expert in project.experts.list()] == ["Dr Ada Lind"]
    assert project.experts.link("Dr Ada Lind").startswith("http://127.0.0.1:8321/login?link=")
    for review in project.reviews():
        project.decide(review, "prefer", review.candidates[0], expert=token, rationale="It is shorter.")
    first = project.resume()
    assert first.accepted == len(SEEDS)
    project.learn()
    assert project.learned()["counted"] == len(SEEDS)
    project.run("preference", SEEDS, new_run=True, reuse=first.run_id)
    comparison = project.diff(first.run_id, project.runs()[0].run_id, html="diff.html")
    assert comparison.counts()["seeds"] == len(SEEDS)
    assert Path("diff.html").exists()
    assert "against" in comparison._repr_html_()
    assert project.evaluate("agreement").suite == "agreement"
    report = project.report("report.html", run_id=first.run_id)
    assert report.records == len(SEEDS)
    assert repr(report).startswith(f"Report({report.title!r}, {len(SEEDS)} records of {len(SEEDS)} items, ")
    assert report.headline.next_step in repr(report)
    assert "questions that wait for people" in report._repr_html_()
    assert project.export("trl-preference", "pairs.jsonl", run_id=first.run_id).written == len(SEEDS)
    manifest = project.releases.create("one", run_id=first.run_id)
    assert manifest["rows"]["records"] == len(SEEDS)
    assert project.releases.verify("one").passed
    assert project.releases.diff("one").added == ()
    assert project.constitutions.show().name == project.constitution().name
    assert project.constitutions.history().versions
    assert project.rubrics.list()
    assert "judge.pair" in {prompt.name for prompt in project.prompts.list()}
    assert project.golden.count()
    assert not project.privacy.list()
    assert project.forget(subject="p0", dry_run=True).seeds
    assert project.forget(subject="p0").act
    assert project.sweep() == ()
    assert project.prune(dry_run=True).held == ()
    assert project.migrate_threads(dry_run=True).items == 0
    assert project.verify_audit().intact
    assert {"ok", "note"} >= {check.state for check in project.doctor(offline=True)} - {"broken"}


def test_an_object_is_named_in_one_line(project: Project) -> None:
    """Where a notebook draws no page, or a test fails: what it is and how it stands, never all of its texts."""
    summary, review = project.summarize(), project.reviews()[0]
    item = project.item(review.item_id)
    assert repr(summary).endswith("4 items: 0 accepted, 0 rejected, 4 pending review, 0 failed, 0 queued)")
    assert repr(review).startswith(f"Review('{review.id}', 'preference', 'waiting', 'Explain thing")
    assert repr(item).startswith(f"Item('{item.id}', 'preference', 'waiting', 'Explain thing")
    assert (
        repr(project.preview("preference", SEEDS, n=2))
        == "Preview('preference', 2 of 4 seeds: {'expert': 2})"
    )
    for shown in (summary, review, item, project.plan(10, experts=1, minutes=1, days=1)):
        assert len(repr(shown)) < 200


def test_wrong_input_is_refused_with_its_place(project: Project) -> None:
    with pytest.raises(UsageError, match="how many seeds"):
        project.plan(experts=1, minutes=1, days=1)
    with pytest.raises(UsageError, match="'exams' is no purpose"):
        project.golden.retire("exams")
    with pytest.raises(SeedError, match="the questions: line 1"):
        project.golden.import_([{"prompt": "", "responses": []}])
    with pytest.raises(UsageError, match="there is no prompt 'judge"):
        project.prompts.copy("judge.nobody")
    with pytest.raises(UsageError, match="lead's own token"):
        project.constitutions.ratify("0194c0")
    with pytest.raises(UsageError, match="says nothing without a benchmark"):
        project.export("jsonl", "out.jsonl", drop_contaminated=True)
    with pytest.raises(UsageError, match="not written as 'excel'"):
        project.export_reviews("excel", "tasks.json")


def test_the_twins_work_where_a_loop_runs(project: Project) -> None:
    async def notebook() -> None:
        assert len((await project.apreview("preference", SEEDS, n=1)).items) == 1
        assert (await project.aforget("s1", dry_run=True)).dry_run
        assert (await project.arejudge()).stale == 0
        assert project.rejudge(only="records").stale == 0  # a plain method works there, too

    asyncio.run(notebook())
