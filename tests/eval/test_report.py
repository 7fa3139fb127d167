"""The report: self-contained, escaped, without names or texts unless asked for, its figures those of the suites."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import Connection, text

from solon.eval.material import gather
from solon.eval.report.drawing import Plot, Point, Series, draw
from solon.eval.report.marking import mark_code
from solon.eval.report.page import render_page
from solon.eval.report.promise import read_promise
from solon.eval.report.promise_picture import draw_promise, render_promise
from solon.eval.report.report import build_report
from solon.eval.suites import audit
from solon.law.amendments import Edit, apply_edits
from solon.questions import PAIR
from solon.store.database.store import Store
from solon.store.database.writer import insert_rows
from solon.store.lawmaking.amendments import add_amendment
from solon.store.runs.certificates import certificate_of, suspend
from solon.store.runs.laws import history
from solon.store.tables.amendments import Vote

Cli = Callable[..., tuple[int, str, str]]
EVIL = "</dd><script>alert(1)</script> \u202e {{ 7 * 7 }} <img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collects tags, attributes and text; a tag that is not closed where it should be is a problem."""

    VOID = ("meta", "br", "circle", "polyline", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader._open == []
    return reader


def test_the_page_needs_nothing_from_outside_and_runs_nothing(store: Store) -> None:
    page = render_page(build_report(gather(store)))
    reader = read(page)
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(reader.tags)
    names = {name for name, _ in reader.attributes}
    assert not {"src", "href", "srcset", "style"} & names
    assert not any(name.startswith("on") for name in names)
    assert "http://" not in page
    assert "https://" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert page.count("<svg") == 5
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_without_texts_nothing_of_a_text_or_a_name_is_in_it(copied: str) -> None:
    with Store(copied) as store:
        with store.transaction() as connection:
            for table in ("constitutions", "rubrics"):
                connection.execute(text(f"UPDATE {table} SET author = 'Ada Secretname'"))
            _amend(store, connection)
        _check_that_nothing_is_told(store)


def _amend(store: Store, connection: Connection) -> None:
    """An open amendment by a person, with a vote of another."""
    [base] = history(connection, "constitution")
    rule = Edit(action="add", id="names-units", text="Names the unit.", priority=1)
    document = apply_edits(base.document, [rule], author="Ada Secretname", reason="units are missing")
    cited = connection.execute(text("SELECT id FROM decisions")).scalars().first()
    made = add_amendment(store, connection, base, document, proposer="Ada Secretname", cites=[str(cited)])
    row = {"amendment_id": made.id, "choice": "against", "override": False, "reason": "", "created_at": 1.0}
    insert_rows(connection, [(Vote, {"id": "v", "actor": "expert:Grace Secretname", **row})])


def _check_that_nothing_is_told(store: Store) -> None:
    material = gather(store)
    made = build_report(material)
    [amended] = made.amendments
    assert (amended.state, amended.version, amended.cites) == ("drafted", "1.1.0", 1)
    assert [vote.choice for vote in amended.votes] == ["against"]
    assert amended.proposer.startswith("reviewer ")
    both = render_page(made) + made.model_dump_json()
    rows, _ = material.records()
    for row in rows:
        assert row.prompt not in both
        assert (row.answer or "?")[:40] not in both
    assert "Secretname" not in both
    assert "local:" not in both
    assert re.search("expert:[0-9a-f]{8}", both) is None
    assert str(store.url).rsplit("/", 1)[0] not in both
    assert all(example.prompt is None for example in made.examples)
    assert made.examples
    assert any("holds no texts" in limit for limit in made.limits)


def test_hostile_texts_stay_texts(copied: str) -> None:
    with Store(copied) as store, store.transaction() as connection:
        connection.execute(
            text("UPDATE texts SET body = :evil WHERE id IN (SELECT text_id FROM candidates)"), {"evil": EVIL}
        )
        connection.execute(text("UPDATE runs SET seeds_name = :evil"), {"evil": "<b>x</b>\u202e"})
    with Store(copied) as store:
        page = render_page(build_report(gather(store), with_texts=True, title="<i>T</i>"))
    reader = read(page)
    assert "script" not in reader.tags
    assert "img" not in reader.tags
    words = "".join(reader.words)
    assert "<script>alert(1)</script>" in words
    assert "{{ 7 * 7 }}" in words
    assert "<i>T</i>" in words
    assert "\u202e" not in page


def test_records_in_doubt_are_counted_and_said_to_be(copied: str) -> None:
    with Store(copied) as store:
        assert build_report(gather(store)).stale == 0
        with store.transaction() as connection:
            mark = text(
                "UPDATE records SET stale_at = 1.0 WHERE superseded_at IS NULL AND decision_id IS NULL"
            )
            number = connection.execute(mark).rowcount
        made = build_report(gather(store))
    assert 0 < number == made.stale == sum(run.stale for run in made.runs)
    assert any(f"{number} records are stale" in limit for limit in made.limits)
    assert f"{number} stale" in render_page(made)


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_flagged_texts_are_withheld(copied: str, side: str) -> None:
    with Store(copied) as store:
        ids = {example.record for example in build_report(gather(store)).examples}
        with store.transaction() as connection:
            columns = f"id, {side}_id AS flagged_id, item_id"
            rows = connection.execute(text(f"SELECT {columns} FROM records")).all()
            for row in rows:
                if row.id in ids:
                    flags = json.dumps({row.flagged_id: ["unsafe"]})
                    statement = text("UPDATE decisions SET flags = :flags WHERE item_id = :item")
                    connection.execute(statement, {"flags": flags, "item": row.item_id})
        made = build_report(gather(store), with_texts=True)
    decided = [example for example in made.examples if example.route == "decided"]
    assert decided
    withheld = "(withheld: flagged by an expert)"
    if side == "chosen":
        assert all((example.chosen, example.rejected) == (withheld, None) for example in decided)
    else:
        assert all(example.rejected == withheld != example.chosen for example in decided)


def test_figures_are_those_of_the_suites_and_the_store(store: Store, known: Any) -> None:
    material = gather(store)
    made = build_report(material)
    assert made.audit == audit.evaluate(material)
    rows, seen = material.records()
    assert made.records == seen == len(rows)
    assert made.provisional == sum(row.provisional for row in rows)
    assert made.certified <= made.records
    given = known.pilots + known.overlaps + known.seconds + known.audits
    assert made.decisions.answers == given + known.local
    assert made.decisions.counted == given
    assert made.decisions.second_opinions == known.seconds + known.overlaps
    assert made.decisions.minutes == pytest.approx(known.pilots * 20 / 60, abs=0.06)
    assert made.decisions.flags == {"unsafe": 1}
    assert made.costs.money is not None
    assert made.costs.money == pytest.approx(sum(row["cost"] for row in made.costs.by_role))
    assert sum(made.auditors.licences.values()) == 80
    assert made.auditors.licences == {"CC0-1.0": 40, "not stated": 40}
    assert made.auditors.log_intact
    people = {person.name: person for person in made.auditors.reviewers}
    assert len(people) == 3
    assert sum(person.answers for person in people.values()) == made.decisions.answers
    assert sorted(person.credential for person in people.values()) == ["", "licensed", "licensed"]
    assert (made.curves.n, made.curves.of) == (made.agreement.random.n, "all items")
    coverage = [point[0] for point in made.curves.risk_coverage]
    assert coverage == sorted(coverage)
    assert coverage[-1] == 1.0
    assert made.curves.risk_coverage[-1][1] == pytest.approx(1 - (made.agreement.random.value or 0))
    assert made.curves.learning[0].x == 0
    assert len({step.agreement.n for step in made.curves.learning}) == 1


def test_a_newer_run_hides_neither_what_was_learned_nor_claims_models(copied: str, known: Any) -> None:
    from solon import Project

    config = {**known.config, "label": {"labels": ["clinical", "legal"]}}
    with Project(copied, config=config) as project:
        before = build_report(gather(project.store))
        project.run("label", [{"id": "l1", "prompt": "A text."}])
        made = build_report(gather(project.store))
    assert len(before.curves.learning) > 1
    assert made.curves.learning == before.curves.learning
    newest = made.runs[-1]
    assert (newest.recipe, newest.models, newest.judges) == ("label", {}, ())
    assert [run.name for run in made.audit.runs] == [known.run_id]
    assert not any(newest.id in limit for limit in made.limits)
    assert "No model takes part" in render_page(made)


def test_a_certificate_of_other_seeds_is_not_said_to_be_superseded(copied: str, known: Any) -> None:
    from solon import Project

    with Project(copied, config=known.config) as project:
        project.run("preference", [{"id": "n1", "prompt": "Explain rain."}])
        first, other = build_report(gather(project.store)).runs
    assert first.standing.scope == other.standing.scope
    granted = [look.status for look in first.standing.looks if look.status != "refused"]
    assert granted[-1] == "granted"
    assert {look.status for look in other.standing.looks} - {"refused"} == {"not for this run"}


def test_a_store_without_any_decision_says_what_is_not_known(tmp_path: Path, known: Any) -> None:
    from solon import Project

    config = {
        **known.config,
        "models": {"default": {"model": "scripted:default"}, "other": {"model": "scripted:split"}},
        "routing": {"policy": "never"},
    }
    with Project(f"sqlite:///{tmp_path}/new.db", config=config) as project:
        assert project.run("preference", known.rows[:6]).provisional == 6
        made = build_report(gather(project.store))
    limits = " ".join(made.limits)
    assert "No expert has answered anything that counts" in limits
    assert "provisional" in limits
    assert "The cost is not known" in limits
    page = render_page(made)
    assert "\u2013" not in page
    assert "unknown" in page
    assert made.headline.agreement.value is None
    assert (made.headline.records, made.headline.items) == (6, 6)
    assert "solon expert add" in made.headline.next_step


def test_the_command_writes_the_page_and_the_same_as_json(solon: Cli, known: Any, tmp_path: Path) -> None:
    code, out, err = solon("report", "--store", known.url, "-o", "r.html", "--json")
    assert code == 0, err
    told = json.loads(out)
    found = json.loads((tmp_path / "r.json").read_text())
    assert told["records"] == found["records"]
    assert found["with_texts"] is False
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    for name in ("r.pdf", "r.json", "r"):
        code, _, err = solon("report", "--store", known.url, "-o", name)
        assert code == 2
        assert "end the name in .html or .htm or .md" in err
    assert not (tmp_path / "r.pdf").exists()
    code, _, err = solon("report", "--store", known.url, "-o", "r.md", "--title", "<b>T</b>")
    assert code == 0, err
    short = (tmp_path / "r.md").read_text()
    assert short.startswith("# \\<b\\>T\\</b\\>")
    [promised] = found["promised"]
    assert f"{promised['shown']['value']:.1%}" in short
    code, _, err = solon("report", "--store", known.url, "-o", "nowhere/r.html")
    assert code == 2
    assert "there is no folder" in err


def test_the_promise_says_what_it_rests_on_and_what_brings_it_back(copied: str, known: Any) -> None:
    with Store(copied) as store:
        run = gather(store).runs[0]
        with store.transaction() as connection:
            before = read_promise(connection, run)
            in_force = certificate_of(connection, run)
            assert in_force is not None
            suspend(connection, in_force.id, why="audits <b>fell</b>")
            after = read_promise(connection, run)
    assert (before.state, before.why) == ("in force", "")
    assert (before.aim, before.confidence) == (0.6, 0.9)
    assert before.sentence.startswith("Promised: of the records that the panel accepts, at least 60% agree")
    assert before.drawn >= known.pilots
    assert before.audits.n == known.audits
    assert before.experts.n > 0
    assert (before.total, before.items["under the promise"] > 0) == (80, True)
    assert (after.state, after.why, after.covers) == ("suspended", "audits <b>fell</b>", 0.0)
    assert after.sentence.startswith("Suspended: nothing is promised of these records now.")
    assert dict(after.facts())["Brought back by"].endswith("--more N`")
    assert after.items["under the promise"] == 0
    figure = render_promise(after)
    read(figure)
    assert "<b>fell" not in figure
    ElementTree.fromstring(draw_promise(after))


def test_questions_without_an_answer_are_told_and_what_they_could_hide(store: Store, known: Any) -> None:
    found = build_report(gather(store)).agreement
    assert found.asked.asked >= known.pilots + 1
    assert found.asked.gaps == found.asked.asked - found.asked.answered >= 1
    assert found.asked.agreed <= found.asked.answered <= found.random.n, (
        "an item that two answered counts once"
    )
    assert found.asked.at_worst.value == pytest.approx(found.asked.agreed / found.asked.asked)
    assert f"if the other {found.asked.gaps}" in str(found.asked)
    assert f"it would be {found.asked.agreed} of {found.asked.asked}, " in str(found.asked)


def test_plots_are_drawn_where_the_numbers_say() -> None:
    plot = Plot("t <b>", "x & y", "y", (Series("s", (Point(0, 0, 0, 0.5), Point(1, 1))),), diagonal=True)
    svg = ElementTree.fromstring(draw(plot))
    line = next(e for e in svg.iter() if e.get("class") == "main")
    assert line.get("points") == "52.0,256.0 446.0,14.0"
    whisker = next(e for e in svg.iter() if e.get("class") == "whisker main")
    assert whisker.get("points") == "52.0,256.0 52.0,135.0"
    assert svg.get("aria-label") == "t <b>"


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_it(store: Store, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_page(build_report(gather(store), with_texts=True)), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    try:
        shown = subprocess.run(
            ["chromium", *flags, page.as_uri()], capture_output=True, timeout=300, check=True
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        pytest.skip(f"chromium does not run here: {type(error).__name__}")
    assert b"What this report does not know" in shown.stdout


def test_the_command_begins_with_three_figures_and_the_next_step(solon: Cli, known: Any) -> None:
    code, out, err = solon("report", "--store", known.url)
    assert code == 0, err
    records, agreement, waiting, step, *_ = out.splitlines()
    assert records.startswith("records: ")
    assert " n = " in agreement
    assert waiting.startswith("questions that wait for people: ")
    assert step.startswith("next: ")


def test_an_item_that_went_through_two_runs_counts_once(tmp_path: Path, known: Any) -> None:
    from solon import Project

    config = {**known.config, "routing": {"policy": "never"}}
    with Project(f"sqlite:///{tmp_path}/twice.db", config=config) as project:
        first = project.run("preference", known.rows[:4])
        project.run("preference", known.rows[:4], new_run=True)
        whole, one = build_report(gather(project.store)), build_report(gather(project.store, [first.run_id]))
    assert (whole.records, whole.standing_back, whole.headline.items) == (4, 4, 4)
    assert sum(whole.auditors.licences.values()) == 4
    assert any("4 records of other runs" in limit for limit in whole.limits)
    assert (one.records, one.standing_back) == (4, 0)


def test_records_that_learning_took_out_are_counted(copied: str) -> None:
    from solon.store.learning.adoption import note_doubted, send_again
    from solon.store.learning.evidence import judged_items

    with Store(copied) as store:
        [before] = build_report(gather(store)).runs
        with store.transaction() as connection:
            [run] = gather(store).runs
            versions = connection.execute(text("SELECT id FROM consensus_versions")).scalars()
            version = versions.first()
            item = next(item for item in judged_items(connection, run.id, PAIR) if item.state == "accepted")
            pins = {"consensus_id": str(version), "certificate_id": None}
            send_again(connection, item, pins, why="doubted")
            note_doubted(connection, item.item_id, str(version), turned=True)
        made = build_report(gather(store))
    [after] = made.runs
    assert after.taken_out is not None
    had = before.taken_out.without_record if before.taken_out else 0
    assert after.taken_out.without_record == had + 1
    assert after.taken_out.turned >= 1
    assert any(f"learning took out of the set {after.taken_out};" in limit for limit in made.limits)
    assert made.headline.next_step.startswith("1 items of run ")


def test_no_table_is_empty_and_the_next_step_is_a_command(known: Any) -> None:
    with Store(known.url) as store:
        made = build_report(gather(store))
    before, _, command = made.headline.next_step.partition("`")
    assert f"{before}<code>{command.rstrip('`')}</code>" in render_page(made)
    unpaid = made.model_copy(update={"costs": made.costs.model_copy(update={"by_role": ()})})
    assert "No model was asked." in render_page(unpaid)
    assert "<th>role</th><th>model</th>" not in render_page(unpaid)
    assert mark_code("<b> `a < b`") == "&lt;b&gt; <code>a &lt; b</code>"
