"""Filters drop texts before anything is judged: by name, counted, and never all of a run without a word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from solon.agents.case import Case
from solon.agents.filters import find_filter
from solon.agents.models.weights import find_builtin_model
from solon.config import parse_config
from solon.errors import ConfigError
from solon.eval.material import gather
from solon.eval.report.page import render_page
from solon.eval.report.report import build_report
from solon.graphs.filters import DROPS_ALL
from solon.operations.doctor import examine
from solon.recipes import Choice, Given, Recipe

Make = Callable[..., Any]
LIMITS: dict[str, Any] = {
    "min_words": 3,
    "max_chars": 200,
    "languages": ["en", "pt-BR"],
    "keywords": ["as an AI"],
    "regex": r"\bzz+\b",
}
GERMAN = "Der Reiher ist nicht im Süden, und das ist für ihn auch im Winter nicht das Ende."
TEXTS = {
    "It waits for fish in the river and stands still.": "",
    "O reiher espera os peixes no rio e não se move, mas não é uma estátua.": "",
    "42 17 9": "",
    "Too short": "answer_length",
    "long " * 50: "answer_length",
    GERMAN: "answer_language",
    "Speaking as an  AI model I wait for it.": "answer_keywords",
    "It says ZZZ in the dark": "answer_regex",
}
KINDS = Recipe(
    "kinds", record="label", maker=Given(), question=Choice(("bird", "fish")), steps=("draft", "review")
)


def dropped_by(text: str, side: str = "answer", **limits: Any) -> str:
    async def find() -> str:
        models = {"default": {"model": "scripted:default"}}
        config = {"models": models, "filters": {"answer": limits}}
        async with Case.open(config, prompt="Say what a heron does.") as case:
            return await find_filter(case, side, text)

    return asyncio.run(find())


@pytest.mark.parametrize(("text", "dropped"), TEXTS.items())
def test_the_first_filter_that_drops_is_named(text: str, dropped: str) -> None:
    assert dropped_by(text, **LIMITS) == dropped
    assert dropped_by(text, "request", **LIMITS) == ""


def test_a_pattern_that_runs_away_is_told() -> None:
    with pytest.raises(ConfigError, match=r"regex of \[filters.answer\] runs away"):
        dropped_by("a" * 5000 + "!", regex="(a+)+$")


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"min_words": 9, "max_words": 3}, "min_words = 9 is more than max_words = 3"),
        ({"regex": "(a"}, "the regex cannot be read"),
        ({"keywords": [" "]}, "an empty keyword is found in every text"),
        ({"perplexity": 1}, "greater than 1"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(limits: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config({"filters": {"answer": limits}})


def test_a_run_begun_before_there_were_benchmarks_goes_on() -> None:
    assert parse_config({"filters": {"request": {"similarity": 0.8}}}).fingerprint() == "347fe10a67cb9d4c"


def test_what_cannot_be_filtered_is_refused_before_the_run(make_desk: Make) -> None:
    spans = {"kinds": ["person"]}
    for recipe, filters, told in (
        ("preference", {"request": {"languages": ["xx"]}}, "no text can be told to be in 'xx'"),
        (
            "preference",
            {"request": {"benchmarks": ["nosuch.jsonl"]}},
            "nosuch.jsonl: No such file or directory",
        ),
        ("label-spans", {"answer": {"min_words": 1}}, "marks spans, and has no answers to filter"),
    ):
        desk = make_desk(filters=filters, spans=spans)
        with pytest.raises(ConfigError, match=told):
            desk.project.run(recipe, ["A heron."])
        found = {one.name: one for one in examine(desk.project.config, offline=True)}
        assert recipe == "label-spans" or re.search(told, found["filters"].told), "doctor says it beforehand"


def test_what_filters_drop_is_rejected_by_their_name_and_counted(make_desk: Make) -> None:
    """The request of a seed before any call, drafts after it; a repeated request within the run, not in the next."""
    seeds = ["Say what a heron is.", GERMAN, "Say what a heron is, please.", "Say what a pike is."]

    def answer(question: Any) -> str | None:
        return "no" if question.role == "generator" and "pike" in question.prompt else None

    filters = {"request": {"languages": ["en"], "similarity": 0.6}, "answer": {"min_words": 2}}
    desk = make_desk(answer=answer, filters=filters, routing={"policy": "never"}, run={"concurrency": 1})
    summary = desk.project.run("preference", seeds)
    assert (summary.accepted, summary.rejected) == (1, 3)
    assert summary.spell_filtered() == (
        "request_language dropped 1 of 4, request_duplicates dropped 1 of 4, answer_length dropped 4 of 6"
    )
    reasons = sorted(row["reason"] for row in desk.rows("Item") if row["state"] == "rejected")
    assert reasons == [
        "dropped by filters: 4 answer_length",
        "dropped by filters: the seed's request, by request_duplicates",
        "dropped by filters: the seed's request, by request_language",
    ]
    before = desk.chat.calls
    again = desk.project.run("preference", seeds, new_run=True)
    assert again.accepted == 1
    assert before > 0


def test_a_draft_that_is_dropped_is_drafted_again_and_the_good_one_stays(make_desk: Make) -> None:
    said = iter(["It is a bird.", "no", "no", "It wades in rivers."])

    def answer(question: Any) -> str | None:
        return next(said, None) if question.role == "generator" else None

    desk = make_desk(
        answer=answer,
        filters={"answer": {"min_words": 2}},
        routing={"policy": "never", "max_redrafts": 2},
        run={"concurrency": 1},
    )
    assert desk.project.run("preference", ["Say what a heron is."]).accepted == 1
    assert next(said, None) is None, "one draft in each later round, and no more than these"
    assert desk.project.summarize().spell_filtered() == "answer_length dropped 2 of 4"
    trace = desk.project.trace(desk.project.records()[0].id)
    made = [(one["round"], one["kind"]) for one in trace["candidates"] if one["kind"] != "revision"]
    assert made == [(0, "draft"), (0, "answer_length"), (1, "answer_length"), (2, "draft")]


def test_the_report_tells_of_each_filter_how_many_it_dropped(make_desk: Make) -> None:
    """Those too that dropped nothing. A text is counted by the first filter that drops it."""
    seeds = [
        *("Say what a heron eats, and where.", "Say what a heron eats, and where?", "Too short", GERMAN),
        *("Tell me, as an AI, what a heron is.", "Tell me what zzz is for a heron."),
    ]
    request = {**LIMITS, "max_words": 40, "similarity": 0.8}
    desk = make_desk(filters={"request": request, "answer": {"max_words": 900}}, routing={"policy": "never"})
    desk.project.run("preference", seeds)
    report = build_report(gather(desk.project.store))
    told = {
        name: (round((share.value or 0) * share.n), share.n)
        for name, share in report.runs[0].filtered.items()
    }
    each = ("length", "language", "keywords", "regex", "duplicates")
    assert told == {**{f"request_{name}": (1, 6) for name in each}, "answer_length": (0, 2)}
    page = render_page(report)
    assert "1 of 6 by <code>request_regex</code>" in page
    assert "0 of 2 by <code>answer_length</code>" in page


def test_a_given_text_is_dropped_as_it_is(make_desk: Make) -> None:
    desk = make_desk(filters={"answer": {"similarity": 0.9}})
    desk.project.recipes._given["kinds"] = KINDS
    text = "A heron waits for fish in the river and stands still."
    summary = desk.project.run("kinds", [{"id": "a", "prompt": text}, {"id": "b", "prompt": text}])
    assert (summary.pending_review, summary.rejected) == (1, 1)
    assert summary.spell_filtered() == "answer_duplicates dropped 1 of 2"


def test_a_run_whose_texts_are_all_dropped_stops_early(make_desk: Make) -> None:
    seeds = [f"Say what bird number {n} is." for n in range(DROPS_ALL + 40)]
    desk = make_desk(filters={"request": {"min_words": 100}}, run={"concurrency": 4})
    summary = desk.project.run("preference", seeds)
    assert summary.stopped_because == (
        f"filters dropped all of the first {DROPS_ALL} items (request_length {DROPS_ALL}); "
        "loosen [filters] and start a new run"
    )
    assert summary.model_calls == 0
    assert summary.queued > 0


def test_what_is_behind_the_first_items_spends_nothing_until_one_has_passed(make_desk: Make) -> None:
    seeds = [f"Say what bird number {n} is." for n in range(DROPS_ALL + 10)]
    limits = {"filters": {"answer": {"min_words": 1000}}, "routing": {"policy": "never", "max_redrafts": 0}}
    desk = make_desk(**limits, run={"concurrency": len(seeds)})
    summary = desk.project.run("preference", seeds)
    assert (summary.rejected, summary.queued) == (DROPS_ALL, 10)
    assert summary.model_calls == 2 * DROPS_ALL
    few = desk.project.run("preference", seeds[:3], new_run=True)
    assert few.stopped_because is None
    assert any(note.startswith("filters dropped all of the 3 items that ended: loosen") for note in few.notes)

    passing = make_desk(
        filters={"answer": {"min_words": 1}}, routing={"policy": "never"}, run={"concurrency": 30}
    )
    summary = passing.project.run("preference", seeds, new_run=True)
    assert (summary.accepted + summary.rejected, summary.queued, summary.notes) == (len(seeds), 0, ())


def test_a_run_without_filters_is_the_run_that_it_was() -> None:
    plain = parse_config({})
    assert "filters" not in plain.effective()
    assert parse_config({"filters": {}}).fingerprint() == plain.fingerprint()
    assert parse_config({"filters": {"answer": {"min_words": 1}}}).fingerprint() != plain.fingerprint()


@pytest.mark.builtin
@pytest.mark.skipif(find_builtin_model() is None, reason="the built-in model's weights are not installed")
def test_the_built_in_model_tells_plain_words_from_noise() -> None:
    assert dropped_by("The capital of France is Paris.", perplexity=300) == ""
    assert dropped_by("asdf qwer 88 zxcv ]] mm oo pp", perplexity=300) == "answer_perplexity"
    assert dropped_by("", perplexity=300) == ""
