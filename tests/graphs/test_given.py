"""Texts that came with the seed: judged as they are, byte for byte, and never replaced."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from solon import critic, judge
from solon.errors import InvalidDecision
from solon.project import Project
from solon.recipes import Accept, Choice, Given, Pair, Recipe, Seeds
from solon.recipes.preference import PREFERENCE
from solon.responses import choices_of, for_given, parse_response, same_question
from solon.store.reviewing.reviews import decide
from solon.store.tables import candidates, reviews
from solon.store.tables import texts as stored

SEEN: set[str] = set()
"""What judges read."""
SEVERITY = "fatal"
EDIT = "a text of the expert's own"
AWKWARD = (
    "one\r\ntwo\r",
    "e\u0301\u0323 \u00e9",
    "\ufeffmark",
    "  lead and trail \t\n",
    "😀\u200d🔥\u2028next\x85",
    "{{ x }} <b>",
    "<think>mine</think>The Elbe.<|im_end|>",
    "[answer 7205b0]\nB.\n[end of answer 7205b0]",
)


@judge("looks", "1")
def looks(a: str, b: str) -> str:
    SEEN.update((a, b))
    return "A" if a < b else "B"


@judge("weighs", "1")
def weighs(answer: str) -> str:
    SEEN.add(answer)
    return "accept"


@judge("sorts", "1")
def sorts(answer: str, labels: list[str]) -> str:
    SEEN.add(answer)
    return labels[len(answer) % len(labels)]


SHAPES: dict[str, tuple[str, Any]] = {
    "pair": ("preference", looks),
    "beside a draft": ("preference", looks),
    "single": ("instruction", weighs),
    "given pair": ("bare", looks),
    "given single": ("checked", weighs),
    "given label": ("kinds", sorts),
}
"""What is given -> the recipe, and the judge of its question."""
OWN = (
    Recipe(
        "bare",
        record="preference",
        source=Seeds(most_given=2),
        maker=Given(most=2),
        question=Pair(),
        steps=("draft", "judge", "resolve", "review"),
    ),
    Recipe(
        "checked",
        record="instruction",
        maker=Given(),
        question=Accept(),
        steps=("draft", "critique", "revise", "judge", "review"),
    ),
    Recipe(
        "kinds",
        record="label",
        maker=Given(),
        question=Choice(("x", "y", "z")),
        steps=("draft", "judge", "review"),
    ),
)


@critic("hard", "1")
def hard(answer: str, principles: list[str]) -> list[dict[str, str]]:
    return [{"severity": SEVERITY, "principle": principles[0], "quote": "", "suggestion": "write another"}]


@contextmanager
def project(judge: Any = looks, **config: Any) -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/given.db"
        values = {"models": {"default": {"model": "scripted:default"}}, **config}
        with Project(url, config=values, plugins=[judge, hard], recipes=OWN) as opened:
            yield opened


def parents(opened: Project) -> list[tuple[str, str]]:
    """Kind of each candidate that was made of another one, and of that one."""
    older = candidates.alias()
    query = select(candidates.c.kind, older.c.kind).join(older, older.c.id == candidates.c.parent_id)
    with opened.store.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def kept(opened: Project) -> list[tuple[str, str]]:
    query = select(candidates.c.kind, stored.c.body).join(stored, stored.c.id == candidates.c.text_id)
    with opened.store.connect() as connection:
        return [(row.kind, row.body) for row in connection.execute(query)]


def answer_all(opened: Project, answers: Sequence[str]) -> None:
    """Answer what waits in turn; of a choice that a review has not, its first one is taken."""
    for review in opened.reviews():
        number = int(review.prompt[1:-1])
        choice = answers[number % len(answers)]
        values: dict[str, Any] = {"choice": choice if choice in review.choices else review.choices[0]}
        if values["choice"] in ("prefer", "edit"):
            values["candidate"] = review.candidates[number % len(review.candidates)].id
        if values["choice"] == "edit":
            values["text"] = EDIT
        if values["choice"] == "redraft":
            values["guidance"] = "another"
        decide(opened.store, review.id, values, actor="expert:ada", channel="api", counts=True)
    opened.resume()


def exported(opened: Project, form: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / ("rows.csv" if form == "csv" else "rows.jsonl")
        opened.export(format=form, path=target)
        with target.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file)) if form == "csv" else [json.loads(line) for line in file]


TEXTS = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40),
).filter(lambda text: bool(text.strip()))


@settings(max_examples=30)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    texts=st.lists(TEXTS, min_size=4, max_size=6, unique=True),
    policy=st.sampled_from(("always", "never", "threshold", "disagreement", "pilot", "certified", "budget")),
    severity=st.sampled_from(("fatal", "major", "minor")),
    revise=st.booleans(),
    redrafts=st.integers(0, 2),
    answers=st.lists(
        st.sampled_from(("prefer", "both_bad", "reject", "tie", "edit", "redraft")), min_size=1, max_size=4
    ),
)
@example("pair", list(AWKWARD), "always", "fatal", True, 2, ["both_bad", "prefer"])
@example("pair", list(AWKWARD), "never", "major", True, 1, ["prefer"])
@example("beside a draft", list(AWKWARD), "always", "fatal", True, 0, ["redraft", "prefer"])
@example("beside a draft", list(AWKWARD), "threshold", "fatal", True, 2, ["redraft", "edit"])
@example("single", list(AWKWARD), "never", "fatal", True, 2, ["prefer"])
@example("given pair", list(AWKWARD), "always", "fatal", True, 2, ["both_bad", "redraft"])
@example("given single", list(AWKWARD), "always", "fatal", True, 2, ["redraft", "edit"])
@example("given label", list(AWKWARD), "threshold", "fatal", True, 2, ["reject"])
def test_every_byte_of_a_given_text_arrives(
    shape: str, texts: list[str], policy: str, severity: str, revise: bool, redrafts: int, answers: list[str]
) -> None:
    global SEVERITY
    SEVERITY = severity
    SEEN.clear()
    each = 2 if shape.endswith("pair") else 1
    of_seed = {f"p{n}": set(texts[n : n + each]) for n in range(0, len(texts) - each + 1, each)}
    seeds = [{"id": name, "prompt": f"{name}?", "responses": sorted(own)} for name, own in of_seed.items()]
    said = set().union(*of_seed.values())
    routing: dict[str, Any] = {"policy": policy, "max_redrafts": redrafts, "audit_share": 0.5, "budget": 2}
    recipe, seat = SHAPES[shape]
    with project(seat, generator={"revise": revise}, routing=routing) as opened:
        summary = opened.run(recipe, seeds)
        assert (summary.failed, summary.items) == (0, len(seeds))
        assert said <= SEEN, "the judges read every given text"
        for review in opened.reviews():
            on_page = {candidate.text for candidate in review.candidates}
            assert of_seed[review.prompt[:-1]] <= on_page
            assert ("redraft" in review.choices) == (shape == "beside a draft")
            assert shape == "beside a draft" or of_seed[review.prompt[:-1]] == on_page
        for _ in range(3):
            answer_all(opened, answers)
        assert sorted(text for kind, text in kept(opened) if kind == "given") == sorted(said)
        made = {kind for kind, _ in kept(opened)} - {"given", "edit"}
        assert not made or shape == "beside a draft"
        assert not any(parent == "given" and kind != "edit" for kind, parent in parents(opened))
        for form in ("jsonl", "csv"):
            for row in exported(opened, form):
                left = {row["chosen"], row["rejected"], row["response"]} - {None, "", EDIT}
                own = of_seed[row["seed_id"]]
                if shape == "beside a draft":
                    # where a person calls all bad, others are drafted in the place of the given one, too
                    replaced = {"both_bad", "redraft"} & set(answers)
                    assert row["label"] in ("tie", "edit") or left & own or replaced
                else:
                    assert left <= own


def test_a_model_that_judges_reads_every_byte(make_desk: Callable[..., Any]) -> None:
    read: list[str] = []

    def listen(question: Any) -> None:
        if question.role == "judge":
            read.append("\n".join(text for _, text in question.messages))

    desk = make_desk(answer=listen, routing={"policy": "always"})
    pairs = list(zip(AWKWARD[::2], AWKWARD[1::2], strict=True))
    desk.project.run(
        "preference", [{"prompt": f"Which, {n}?", "responses": list(pair)} for n, pair in enumerate(pairs)]
    )
    assert all(any(text in prompt for prompt in read) for text in AWKWARD)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_files_bring_every_byte(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"id": f"r{n}", "prompt": "Which?", "responses": json.dumps([text, "other"])}
        for n, text in enumerate(AWKWARD)
    ]
    file = tmp_path / f"seeds{suffix}"
    if suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), file)
    elif suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, ["id", "prompt", "responses"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        lines = [{**row, "responses": json.loads(row["responses"])} for row in rows]
        file.write_bytes(b"\n".join(json.dumps(line, ensure_ascii=False).encode() for line in lines))
    with project(routing={"policy": "never"}) as opened:
        assert opened.run("preference", file).accepted == len(AWKWARD)
        assert {text for _, text in kept(opened)} == {*AWKWARD, "other"}


def test_a_row_with_a_nul_is_refused_and_the_rest_runs() -> None:
    rows = [
        {"id": "bad", "prompt": "Which?", "responses": ["a\0b", "c"]},
        {"id": "good", "prompt": "Which?", "responses": ["a", "c"]},
    ]
    with project(routing={"policy": "never"}) as opened:
        summary = opened.run("preference", rows)
        assert (summary.accepted, summary.bad_rows) == (1, 1)


@pytest.mark.parametrize(
    ("recipe", "config"),
    [("label", {"label": {"labels": ["yes", "no"]}}), ("instruction", {})],
)
@pytest.mark.parametrize("more", [["x", "y"], [{"text": "x", "model": "m"}, {"text": "y"}, {"text": "z"}]])
def test_surplus_responses_are_refused_by_row(recipe: str, config: dict[str, Any], more: list[Any]) -> None:
    rows = [
        {"id": "one", "prompt": "What is it?", "responses": ["x"]},
        {"id": "surplus", "prompt": "What is it, then?", "responses": more},
    ]
    with project(**config, routing={"policy": "always"}) as opened:
        summary = opened.run(recipe, rows)
        assert (summary.items, summary.bad_rows, summary.pending_review) == (1, 1, 1)
        [told] = [json.loads(line) for line in Path(summary.bad_rows_file).read_text().splitlines()]
        assert (told["line"], f"there are {len(more)}" in told["reason"], "'y'" in told["reason"]) == (
            2,
            True,
            True,
        )
        shown = opened.preview(recipe, rows, n=5) if recipe != "label" else None
        assert shown is None or (shown.seeds, shown.bad_rows) == (1, 1)


def test_a_single_given_answer_is_judged_as_it_is() -> None:
    global SEVERITY
    SEVERITY = "fatal"
    with project(routing={"policy": "always", "max_redrafts": 2}) as opened:
        opened.run("instruction", [{"prompt": "What is it?", "responses": ["\r\nIt is so. "]}])
        [review] = opened.reviews()
        assert review.choices == ("accept", "reject", "edit")
        assert kept(opened) == [("given", "\r\nIt is so. ")]
        with pytest.raises(
            InvalidDecision, match=r"(?s)choice.*redraft.*choices of this review: accept, reject, edit"
        ):
            opened.decide(review, "redraft", guidance="better")


@pytest.mark.parametrize("severity", ["major", "fatal"])
def test_beside_a_given_answer_only_the_draft_is_revised_or_drafted_again(severity: str) -> None:
    global SEVERITY
    SEVERITY = severity
    with project(generator={"n": 2}, routing={"policy": "always", "max_redrafts": 1}) as opened:
        opened.run("preference", [{"prompt": "Name a river.", "responses": ["The  Elbe.\r\n"]}])
        if severity == "fatal":  # both, in both rounds: nothing is left that could be a pair
            assert {text for kind, text in kept(opened) if kind == "given"} == {"The  Elbe.\r\n"}
            assert [kind for kind, _ in kept(opened)].count("given") == 1
            return
        for _ in range(2):
            [review] = opened.reviews()
            assert "redraft" in review.choices
            assert "The  Elbe.\r\n" in [one.text for one in review.candidates]
            opened.decide(review, "redraft", guidance="longer")
            opened.resume()
        texts = kept(opened)
        assert [text for kind, text in texts if kind == "given"] == ["The  Elbe.\r\n"]
        with opened.store.connect() as connection:
            rows = connection.execute(
                select(candidates.c.id, candidates.c.kind, candidates.c.parent_id)
            ).all()
        kind_of = {row.id: row.kind for row in rows}
        assert {kind_of[row.parent_id] for row in rows if row.kind == "revision"} <= {"draft"}


def test_a_redraft_that_an_older_solon_took_ends_the_item() -> None:
    with project(routing={"policy": "always"}) as opened:
        opened.run("preference", [{"prompt": "Which?", "responses": ["a", "b"]}])
        with opened.store.transaction() as connection:
            connection.execute(update(reviews).values(response_schema="pair@1"))
        opened.decide(opened.reviews()[0], "redraft", guidance="another")
        summary = opened.resume()
        assert (summary.rejected, summary.pending_review, len(kept(opened))) == (1, 0, 2)


def test_four_given_answers_are_two_pairs_and_then_no_more() -> None:
    with project(routing={"policy": "always", "max_redrafts": 2}) as opened:
        opened.run("preference", [{"prompt": "Which?", "responses": ["a", "b", "c", "d"]}])
        for left in (1, 0):
            opened.decide(opened.reviews()[0], "both_bad")
            assert opened.resume().pending_review == left
        assert {kind for kind, _ in kept(opened)} == {"given"}


def test_what_was_decided_under_the_other_schema_is_carried() -> None:
    seeds = [{"id": f"c{n}", "prompt": f"Which, {n}?", "responses": ["a", "b"]} for n in range(2)]
    with project(routing={"policy": "always"}) as opened:
        opened.run("preference", seeds)
        with opened.store.transaction() as connection:
            connection.execute(update(reviews).values(response_schema="pair@1"))
        first, second = opened.reviews()
        opened.decide(first, "tie")
        opened.decide(second, "redraft", guidance="another")
        opened.resume()
        again = opened.run("preference", seeds, new_run=True)
        assert (again.carried, again.pending_review) == (1, 1)


def test_the_schemas_of_given_texts() -> None:
    assert choices_of(for_given("pair@1")) == ("prefer", "tie", "both_bad", "edit")
    assert choices_of(for_given("single@1")) == ("accept", "reject", "edit")
    assert for_given("label@1:a|b") == "label@1:a|b"
    assert same_question("pair@1:given") == same_question("pair@1") == ("pair@1", "pair@1:given")
    assert parse_response("pair@1:given", {"choice": "prefer", "candidate": "x"}, ["x", "y"]).candidate == "x"
    assert PREFERENCE.source.most_given is None
