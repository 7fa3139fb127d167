"""Label tasks and forms of one's own: from the schema to the page, into the store, and out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from solon.store.tables import table_of

pytest.importorskip("fastapi", reason="the review server needs fastapi")

from browsing import BROWSER_MARKS, log_in, settled, shot
from forms import Nested, Open, Taken, Triage
from running import Server, wait_for
from sqlalchemy import select

from solon.errors import ConfigError, InvalidDecision
from solon.project import Project
from solon.responses import choices_of, fields_of, label_schema, parse_response, register
from solon.store.reviewing.experts import add_expert
from solon.store.tables.people import Decision
from solon.store.tables.runs import Text
from solon.store.tables.work import Record

TEXTS = [
    "A patient on warfarin has black stools since yesterday.",
    "A healthy man asks for a certificate for his gym.",
    "A child has had a mild fever since this morning.",
]
LABELS = {"labels": ["clinical", "legal", "neither_of_them"]}


def labelling(folder: Path, label: dict[str, Any]) -> Project:
    """Three texts that wait for their labels. No model is there to ask."""
    project = Project(f"sqlite:///{folder}/solon.db", config={"label": label})
    project.run("label", [{"id": f"t{n}", "prompt": text} for n, text in enumerate(TEXTS)])
    return project


def test_a_label_is_decided_applied_and_exported(tmp_path: Path) -> None:
    with labelling(tmp_path, LABELS) as project:
        first, second, third = project.reviews()
        assert first.choices == ("clinical", "legal", "neither_of_them")
        assert first.reasons == ("no panel: people answer this",)
        assert [one.text for one in first.candidates] == [first.prompt]
        with pytest.raises(InvalidDecision, match="choice"):
            project.decide(first, "medical")
        for review, label in ((first, "clinical"), (second, "neither_of_them"), (third, "clinical")):
            project.decide(review, label)
        summary = project.resume()
        assert (summary.accepted, summary.model_calls) == (3, 0)
        assert project.learn().version is None
        told = project.export(format="jsonl", path=tmp_path / "labels.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
        assert [row["label"] for row in rows] == ["clinical", "neither_of_them", "clinical"]
        assert [row["response"] for row in rows] == TEXTS
        assert {(row["outcome"], row["margin"], row["confidence"]) for row in rows} == {("label", None, None)}
        assert told.written == 3
        trained_on = project.export(format="trl-sft", path=tmp_path / "sft.jsonl")
        assert (trained_on.written, trained_on.left_out) == (0, {"label": 3})


@pytest.mark.parametrize(
    ("schema", "choice"),
    [(label_schema(["clinical", "legal"]), "legal"), ("pair@1", "tie"), ("single@1", "accept")],
)
def test_a_text_beside_an_answer_that_takes_none_is_refused(schema: str, choice: str) -> None:
    with pytest.raises(InvalidDecision, match="takes no text"):
        parse_response(schema, {"choice": choice, "text": "something else"}, ["c"])
    assert parse_response(schema, {"choice": choice, "text": ""}, ["c"]).choice == choice


def test_a_form_of_ones_own_is_stored_and_exported(tmp_path: Path) -> None:
    with labelling(tmp_path, {"form": "forms:Triage"}) as project:
        review = project.reviews()[0]
        with pytest.raises(InvalidDecision, match="setting"):
            project.decide(review, "now")
        with pytest.raises(InvalidDecision, match="minutes"):
            project.decide(review, "now", setting="ward", minutes=500)
        project.decide(review, "now", setting="ward", minutes="20", passages=["black stools"])
        project.resume()
        project.export(format="jsonl", path=tmp_path / "labels.jsonl")
        (row,) = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
        assert row["label"] == "now"
        assert row["fields"] == {
            "setting": "ward", "minutes": 20, "urgent": False, "passages": ["black stools"]
        }  # fmt: skip


def test_a_form_may_stand_nested_and_what_is_unknown_is_named() -> None:
    flat = {"choice": "now", "setting": "ward", "minutes": 20}
    nested = {"choice": "now", "fields": {"setting": "ward", "minutes": 20}}
    assert parse_response("forms:Triage", flat, ["c"]) == parse_response("forms:Triage", nested, ["c"])
    for wrong, named in (
        ({**flat, "colour": "red"}, "colour: no field"),
        ({"choice": "now", "fields": {"setting": "ward", "colour": 1}}, "fields.colour: no field"),
        ({**nested, "setting": "ward"}, "setting: it stands in `fields` and beside"),
        ({"choice": "now", "fields": ["ward"]}, "fields: the fields of the form by their names"),
    ):
        with pytest.raises(InvalidDecision, match=named) as refused:
            parse_response("forms:Triage", wrong, ["c"])
        if "no field" in named:
            assert "of the form: setting, minutes, urgent, note, passages" in str(refused.value.next_step)
    with pytest.raises(InvalidDecision, match=r"fields\.x: no field of this answer"):
        parse_response("pair@1", {"choice": "tie", "fields": {"x": 1}}, ["a", "b"])


def test_the_fields_of_a_form_are_told_as_json_schema() -> None:
    fields = fields_of("forms:Triage")
    assert list(fields) == ["setting", "minutes", "urgent", "note", "passages"]
    assert fields["setting"] == {
        "enum": ["ward", "clinic"],
        "title": "Where",
        "type": "string",
        "required": True,
    }
    assert (fields["minutes"]["maximum"], fields["minutes"]["required"]) == (120, False)
    assert (fields["note"]["type"], fields["note"]["maxLength"]) == ("string", 500)
    assert choices_of("forms:Triage") == ("now", "this_week", "not_at_all")
    assert fields_of("pair@1") == {}
    assert choices_of("pair@7") == choices_of("no_such_module:Form") == ()


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Open, "closed set"),
        (Nested, "'more'"),
        (Taken, "'skip' can be no label"),
        (str, "no form of an answer"),
    ],
)
def test_what_is_no_form_is_refused(model: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        register("wrong@1", model)
    assert choices_of("wrong@1") == ()


def test_a_registered_schema_is_known_by_its_name() -> None:
    register("triage@1", Triage)
    given = parse_response("triage@1", {"choice": "now", "setting": "ward", "note": "ring first"}, ["c"])
    assert (given.label, given.candidate) == ("now", "c")
    assert json.loads(given.text or "")["note"] == "ring first"


def test_labels_are_wanted_before_anything_waits(tmp_path: Path) -> None:
    assert choices_of(label_schema(["a", "b"])) == ("a", "b")
    with Project(f"sqlite:///{tmp_path}/solon.db", config={}) as project, pytest.raises(ConfigError):
        project.run("label", [{"prompt": "p"}])


class TestPage:
    """In a headless Chromium."""

    pytestmark = BROWSER_MARKS

    def test_labels_by_number_keys(self, browser: Any, tmp_path: Path) -> None:
        with labelling(tmp_path, LABELS) as project, serving(project) as server:
            _, token = add_expert(project.store, "Ada", role="expert", by="local:test")
            page = log_in(browser, server, token)
            shot(page, "label")
            assert page.locator(".choice.given").all_inner_texts() == [
                "1 clinical",
                "2 legal",
                "3 neither of them",
            ]
            assert page.is_visible(".item >> text=Text")
            for n, key in enumerate("123", 1):
                label_one(page, key, n)
            wait_for(lambda: project.summarize().accepted == 3)
            assert labels(project, Decision) == list(LABELS["labels"])
            assert sorted(labels(project, Record)) == LABELS["labels"]
            assert page.problems == []

    def test_a_form_is_filled_in_and_comes_back_with_undo(
        self, browser: Any, tmp_path: Path, look: Any
    ) -> None:
        with labelling(tmp_path, {"form": "forms:Triage"}) as project, serving(project) as server:
            _, token = add_expert(project.store, "Ada", role="expert", by="local:test")
            page = log_in(browser, server, token)
            page.keyboard.press("1")
            page.keyboard.press("Enter")
            assert page.inner_text(".problem") == "Fill in Where."
            page.select_option("[data-field=setting]", "clinic")
            page.fill("[data-field=minutes]", "0")
            page.check("[data-field=urgent]")
            page.fill("[data-field=passages]", "black stools\n\nsince yesterday")
            shot(page, "form", full_page=True)
            assert look(page, "form") == []
            label_one(page, "2", 1)
            wait_for(lambda: project.summarize().accepted == 1)
            assert kept_form(project) == {
                "setting": "clinic", "minutes": 0, "urgent": True, "passages": ["black stools", "since yesterday"]
            }  # fmt: skip
            page.keyboard.press("u")
            page.wait_for_function("() => document.querySelector('[data-field=setting]')?.value === 'clinic'")
            assert page.inner_text(".chosen") == "this week"
            assert page.input_value("[data-field=passages]") == "black stools\nsince yesterday"
            assert page.is_checked("[data-field=urgent]")
            assert page.problems == []


def serving(project: Project) -> Any:
    """A server as a context."""
    from contextlib import contextmanager

    @contextmanager
    def running() -> Any:
        server = Server(project)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    return running()


def label_one(page: Any, key: str, today: int) -> None:
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(key)
    if page.locator(".why .needed").count():
        page.fill("#rationale", "It says so.")
        page.keyboard.press("Control+Enter")
    else:
        page.keyboard.press("Enter")
    settled(page, today)


def labels(project: Project, table: Any) -> list[str]:
    """In the order in which they were given."""
    with project.store.connect() as connection:
        rows = connection.execute(select(table_of(table))).mappings().all()
    return [row["label"] for row in sorted(rows, key=lambda row: row.get("decided_at") or row["created_at"])]


def kept_form(project: Project) -> Any:
    texts, decisions = table_of(Text), table_of(Decision)
    with project.store.connect() as connection:
        body = select(texts.c.body).join(decisions, decisions.c.edit_id == texts.c.id)
        return json.loads(connection.execute(body).scalar_one())


@pytest.mark.parametrize(
    ("schema", "wrong", "told"),
    [
        ("forms:Triage", {"choice": "now"}, "setting: it is missing"),
        (
            "forms:Triage",
            {"choice": "now", "setting": "ward", "minutes": 200},
            "minutes: 120 is the most (200 was given)",
        ),
        ("forms:Triage", {"choice": "now", "setting": "ward", "minutes": -1}, "minutes: 0 is the least (-1 was given)"),
        ("pair@1", {"choice": "prefer"}, "{"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_sentence(schema: str, wrong: dict[str, Any], told: str) -> None:
    """With the value that was given, and never with a whole answer as Python writes it."""
    with pytest.raises(InvalidDecision) as refused:
        parse_response(schema, wrong, ["c", "d"])
    assert refused.value.cause == told or (told == "{" and told not in refused.value.cause)
