"""What a notebook shows of runs, items, reviews, records and law, and what becomes a data frame."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from solon.display.notebook import SHOWN, Listing, card, table
from solon.errors import UsageError
from solon.law.documents import parse_constitution, parse_rubric
from solon.project import Project
from solon.workspace.views import Candidate, Item, Review

Open = Callable[..., Project]
HOSTILE = "<script>alert(1)</script><img src=x onerror=x()>\"' \u202egnp.exe\x1b[31m $\\href{javascript:alert(1)}{x}$"
OWN_TAGS = {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "p"}


class Tags(HTMLParser):
    """Every tag and attribute of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def is_harmless(html: str) -> None:
    tags = Tags(html)
    assert tags.found <= OWN_TAGS
    assert tags.attributes <= {"style", "class"}
    assert not re.search("[\u202a-\u202e\x1b]", html)
    # No formula: a notebook leaves these elements alone.
    assert re.match(r'<(div|table) class="tex2jax_ignore mathjax_ignore"', html)


def test_a_hostile_text_is_shown_as_text_everywhere(open_project: Open) -> None:
    project = open_project(answer=HOSTILE)
    seed = {"id": "s<b>", "prompt": HOSTILE.replace("\x1b", ""), "input": "<b>bold</b>"}
    summary = project.run("preference", [seed])
    review = project.reviews()[0]
    assert "<script>" in review.prompt + review.candidates[0].text
    project.decide(review, "prefer", review.candidates[0], rationale="<script>why</script>")
    shown = [
        summary, project.runs(), project.reviews(), review, review.candidates[0], project.items(),
        project.item(review.item_id), project.resume(), project.records(), project.item(project.records()[0].id),
        project.constitution(), project.rubric(),
    ]  # fmt: skip
    for thing in shown:
        if thing != []:
            is_harmless(thing._repr_html_())
    whole = project.item(review.item_id)._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in whole
    assert "\\u202e" in whole
    assert "&lt;script&gt;why" in whole


def test_hostile_law_and_hostile_names_are_text() -> None:
    line = "<script>alert(1)</script>"
    law = parse_constitution(
        f"name: mine\nauthor: {line}\nprinciples:\n  - {{id: a, text: '{line}', priority: 1}}\n"
    )
    is_harmless(law._repr_html_())
    assert "&lt;script&gt;" in law._repr_html_()
    anchors = "{1: '" + line + "', 2: b, 3: c, 4: d, 5: e}"
    rubric = parse_rubric(
        f"name: mine\ncriteria:\n  - {{id: a, text: '{line}', weight: 1, anchors: {anchors}}}\n"
    )
    is_harmless(rubric._repr_html_())
    is_harmless(card(HOSTILE, {HOSTILE: HOSTILE}))
    is_harmless(table([HOSTILE], [[HOSTILE]]))
    is_harmless(Listing([Candidate(HOSTILE, HOSTILE, HOSTILE)])._repr_html_())


def test_a_card_says_what_matters(open_project: Open) -> None:
    project = open_project(answer="An answer at")
    summary = project.run("preference", ["One?", "Two?"])
    assert f"run {summary.run_id} (preference)" in summary._repr_html_()
    assert "2 pending review" in summary._repr_html_()
    review = project.reviews()[0]
    html = review._repr_html_()
    for part in (review.id, review.prompt, *(c.text for c in review.candidates), *review.choices):
        assert part in html
    item = project.item(review.id)
    assert item.id == review.item_id
    assert "Verdicts" in item._repr_html_()
    assert "General" not in project.constitution()._repr_html_()
    assert project.constitution().principles[0].id in project.constitution()._repr_html_()


def test_items_come_by_state_and_run(open_project: Open) -> None:
    project = open_project()
    first = project.run("preference", ["One?", "Two?", "Three?"])
    second = project.run("preference", ["Four?"])
    assert [item.prompt for item in project.items(run_id=first.run_id)] == ["One?", "Two?", "Three?"]
    assert [item.prompt for item in project.items()] == ["Four?"]
    assert project.items("accepted", run_id=first.run_id) == []
    assert len(project.items("waiting", run_id=first.run_id, limit=2)) == 2
    assert [run.run_id for run in project.runs()] == [second.run_id, first.run_id]


def test_lists_become_data_frames(open_project: Open) -> None:
    project = open_project()
    project.run("preference", ["One?", "Two?"])
    reviews = project.reviews()
    frame = reviews.to_pandas()
    assert list(frame["id"]) == [review.id for review in reviews]
    assert list(frame.columns) == [*Review.__slots__]
    assert list(project.items().to_pandas().columns) == [*Item.__slots__]
    project.decide(reviews[0], "prefer", reviews[0].candidates[0])
    project.resume()
    [record] = project.records()
    assert project.records().to_pandas().loc[0, "chosen"] == record.chosen == reviews[0].candidates[0].text
    assert project.records(recipe="instruction") == []
    assert len(project.records(run_id=project.runs()[0].run_id[:15])) == 1


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=re.escape("solon[notebook]")):
        Listing([Candidate("a", "b", "c")]).to_pandas()


def test_a_long_list_says_how_much_is_shown() -> None:
    rows = Listing([Candidate(str(n), "text", "prompt") for n in range(SHOWN + 5)], columns=("id",))
    html = rows._repr_html_()
    assert html.count("<tr>") == SHOWN + 1
    assert f"{SHOWN} of {SHOWN + 5}" in html
    assert "nothing" in Listing()._repr_html_()
