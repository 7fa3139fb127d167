"""Reviews for Argilla and Label Studio as JSON, and the answers that people gave there. Touches no file.

Sources: Argilla's client, `records/_resource.py` (`Record.to_dict`, what `records.to_json` writes) and
`settings/_resource.py`; Label Studio, "JSON format of annotated tasks" and the tags Pairwise, Choices and TextArea. A
test lets both libraries read what is written here and reads what they write. What is shown is
what a reviewer of Solon sees: the request and the answers in the review's order, never votes, reasons or models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from solon.config.sections import ImportMap
from solon.formats.imported import (
    Imported,
    ImportFormat,
    Lines,
    Pieces,
    Row,
    Said,
    Skipped,
    as_list,
    as_object,
)
from solon.formats.json_values import show
from solon.formats.layouts import has_answers, read_mapped
from solon.formats.outcomes import number_of
from solon.formats.paths import decoded, is_absent
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import RowProblem

PAIR = ("prefer answer_1", "prefer answer_2", "tie", "both_bad")
SINGLE = ("accept", "reject")


@dataclass(frozen=True, slots=True)
class Question:
    """A review as it leaves for another tool.

    Attributes:
        review: id of the review.
        recipe: name of the recipe that made the item.
        prompt: the request.
        input: what stands below the request; may be empty.
        candidates: (id, text) of each answer, in the order in which they are shown.
    """

    review: str
    recipe: str
    prompt: str
    input: str
    candidates: tuple[tuple[str, str], ...]


def write_argilla(question: Question) -> dict[str, Any]:
    """Return a review as a record for `rg.Record.from_dict`, to be read under `argilla_settings`."""
    return {
        "id": question.review,
        "fields": _shown(question),
        "metadata": {"review_id": question.review, "recipe": question.recipe, **_named(question)},
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def argilla_settings(kind: str) -> dict[str, Any]:
    """Return the fields and questions of a dataset for `rg.Settings.from_json`.

    Args:
        kind: `pair` for reviews of two answers, else those of a single one.
    """
    answers, labels = (("answer_1", "answer_2"), PAIR) if kind == "pair" else (("answer_1",), SINGLE)
    text = {"type": "text", "use_markdown": False}
    choice = {
        "type": "label_selection",
        "options": [{"value": label, "text": label} for label in labels],
        "visible_options": None,
    }
    return {
        "guidelines": None,
        "fields": [
            {"name": name, "title": name, "required": name != "input", "type": "text", "settings": text}
            for name in ("prompt", "input", *answers)
        ],
        "questions": [
            {
                "name": "choice",
                "title": "choice",
                "required": True,
                "type": "label_selection",
                "settings": choice,
            },
            {"name": "rationale", "title": "rationale", "required": False, "type": "text", "settings": text},
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
    }


def read_argilla(row: Row) -> Pieces:
    """Yield what people answered in a record of Argilla: of `records.to_json`, of its server, or flat as data sets are.

    It is the record of a review that Solon wrote, or any with a prompt and answers among its fields. Drafts and
    discarded answers are skipped.

    Raises:
        RowProblem: it is neither, or an answer is none that is known.
    """
    answers = [name for name in row if _is_answer(name, row[name])]
    rest = {name: value for name, value in row.items() if name not in (*answers, *_OF_RECORD)}
    fields, facts = as_object(row.get("fields")), as_object(row.get("metadata"))
    kept = {name: value for name, value in row.items() if _is_aside(name) and not is_absent(value)}
    if fields:
        yield from _imported(fields, facts, _argilla_answers(row), row.get("id"), {**facts, **rest, **kept})
    else:
        yield from _imported(rest, {**facts, **rest}, _argilla_answers(row), row.get("id"), {**facts, **kept})


def write_label_studio(question: Question) -> dict[str, Any]:
    """Return a review as a task; `LABEL_STUDIO_PAIR` and `LABEL_STUDIO_SINGLE` are the labelling interfaces
    for it.
    """
    facts = {"review_id": question.review, "recipe": question.recipe, **_named(question)}
    return {"data": {**_shown(question), **facts}}


def read_label_studio(row: Row) -> Pieces:
    """Yield what people answered in a task of Label Studio's JSON export; cancelled annotations and drafts are skipped.

    Raises:
        RowProblem: it has no data, or an answer is none that is known.
    """
    data = as_object(row.get("data"))
    if not data:
        raise RowProblem("the task has no data")
    answers = [
        _Answer(
            _who(one), _regions(as_list(one.get("result"))), "discarded" if one.get("was_cancelled") else ""
        )
        for one in map(as_object, as_list(row.get("annotations")))
    ]
    answers += [_Answer("", {}, "draft") for _ in as_list(row.get("drafts"))]
    used = ("id", "data", "annotations", "drafts")
    kept = {name: value for name, value in row.items() if name not in used and not is_absent(value)}
    yield from _imported(data, data, answers, data.get("id", row.get("id")), kept)


def gather_short(lines: Lines) -> Lines:
    """Yield tasks as they are, and the rows of Label Studio's short exports (JSON-MIN, CSV) as tasks: all
    annotations of one task together.

    A short row does not tell answers from data: answers are what has the form of one, and what is not the same in
    every row of a task.
    """
    tasks: dict[Any, tuple[int, dict[str, Any]]] = {}
    for line in lines:
        if isinstance(line, BadRow) or "annotator" not in line[1]:
            yield line
            continue
        number, row = line
        data = {name: decoded(value) for name, value in row.items() if not is_absent(value)}
        who = data.pop("annotator", "")
        _, task = tasks.setdefault(str(row.get("id", number)), (number, {"data": {}, "annotations": []}))
        shared = task["data"] or data
        said = [name for name in data if _is_said(name, data[name], shared.get(name, data[name]))]
        result = [{"from_name": name, "value": data[name]} for name in said]
        task["annotations"].append({"completed_by": who, "result": result})
        task["data"] = task["data"] or {name: row[name] for name in data if name not in said}
    yield from tasks.values()


def _is_said(name: str, value: Any, elsewhere: Any) -> bool:
    if name in _OF_ANNOTATION:
        return False
    chosen = isinstance(value, Mapping) and not {"selected", "choices", "ranker"}.isdisjoint(value)
    return chosen or name in (*_VERDICTS, _WHY) or value != elsewhere


LABEL_STUDIO_PAIR = """<View>
  <Header value="Request"/>
  <Text name="prompt" value="$prompt"/>
  <Text name="input" value="$input"/>
  <Pairwise name="choice" toName="answer_1,answer_2"/>
  <View style="display: flex; gap: 1em">
    <Text name="answer_1" value="$answer_1"/>
    <Text name="answer_2" value="$answer_2"/>
  </View>
  <Choices name="verdict" toName="prompt" choice="single">
    <Choice value="tie"/>
    <Choice value="both_bad"/>
  </Choices>
  <TextArea name="rationale" toName="prompt" placeholder="Why?"/>
</View>
"""
LABEL_STUDIO_SINGLE = """<View>
  <Header value="Request"/>
  <Text name="prompt" value="$prompt"/>
  <Text name="input" value="$input"/>
  <Text name="answer_1" value="$answer_1"/>
  <Choices name="verdict" toName="answer_1" choice="single">
    <Choice value="accept"/>
    <Choice value="reject"/>
  </Choices>
  <TextArea name="rationale" toName="answer_1" placeholder="Why?"/>
</View>
"""


def _shown(question: Question) -> dict[str, str]:
    answers = {f"answer_{place}": text for place, (_, text) in enumerate(question.candidates, 1)}
    return {"prompt": question.prompt, "input": question.input, **answers}


def _named(question: Question) -> dict[str, str]:
    return {f"candidate_{place}": name for place, (name, _) in enumerate(question.candidates, 1)}


def _who(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    return (
        str(as_object(by).get("id") or "") if isinstance(by, Mapping) else str(by or "")
    )  # no e-mail address


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one person answered in a form: by question, and `discarded` or `draft` where it does not count."""

    by: str
    questions: dict[str, Any]
    state: str = ""


_OF_RECORD = ("id", "fields", "metadata", "responses", "suggestions", "vectors")
_OF_ANNOTATION = ("annotation_id", "lead_time", "created_at", "updated_at")
_UNCOUNTED = {"discarded": "discarded", "draft": "draft", "pending": "draft"}
_VERDICTS, _WHY = ("choice", "verdict"), "rationale"
_ANSWERS = (
    *(
        ImportMap(chosen=f"{name}{first}", rejected=f"{name}{second}")
        for name in ("answer", "response", "completion")
        for first, second in (("_1", "_2"), ("-1", "-2"), ("_a", "_b"), ("1", "2"))
    ),
    *(
        ImportMap(answers=f"{name}{mark}")
        for name in ("answer", "response", "completion")
        for mark in ("_1", "")
    ),
)
"""Fields of the answers: of a pair, then of a single one."""
_SIDES = {
    f"{before}{name}_{mark}": ("prefer", place)
    for place, marks in enumerate(("1a", "2b"))
    for name in ("answer", "response", "completion")
    for mark in marks
    for before in ("", "prefer_")
}
_WORDS = {
    **_SIDES,
    "left": ("prefer", 0),
    "right": ("prefer", 1),
    **{name: (name, None) for name in ("tie", "both_bad")},
    **{name: (name, 0) for name in SINGLE},
}
"""What an answer is in, in words that say it wherever they stand."""
_SHORT = {"1": ("prefer", 0), "2": ("prefer", 1), "a": ("prefer", 0), "b": ("prefer", 1)}
"""Words that say it only in answer to the question for the verdict: a mark of 1 is no choice."""


def _is_answer(name: str, value: Any) -> bool:
    """Whether a column of a flat record of Argilla holds answers to a question, or is suggested for one."""
    if ".responses" in name or _is_aside(name):
        return True
    people = [as_object(one) for one in as_list(value)]
    return bool(people) and all("value" in one and ("user_id" in one or "status" in one) for one in people)


def _is_aside(name: str) -> bool:
    return ".suggestion" in name or name.endswith(
        ("-suggestion", "-suggestion-metadata", "suggestions", "vectors")
    )


def _argilla_answers(row: Row) -> list[_Answer]:
    """The answers of each person, from any of the shapes in which Argilla writes them."""
    people: dict[str, dict[str, Any]] = {}
    states: dict[str, str] = {}

    def add(user: Any, question: str, value: Any, status: Any) -> None:
        people.setdefault(str(user or ""), {})[question] = value
        if str(status) in _UNCOUNTED:
            states[str(user or "")] = _UNCOUNTED[str(status)]

    responses = row.get("responses")
    for one in map(as_object, as_list(responses)):  # of the server
        for question, value in as_object(one.get("values")).items() or ((_VERDICTS[0], None),):
            add(one.get("user_id"), question, as_object(value).get("value", value), one.get("status"))
    columns = as_object(responses) or {name: row[name] for name in row if _is_answer(name, row[name])}
    for name, values in columns.items():
        question, _, part = name.partition(".responses")
        users, statuses = (as_list(row.get(f"{question}.responses.{of}")) for of in ("users", "status"))
        for place, one in enumerate(() if part or _is_aside(name) else as_list(values)):
            answer = as_object(one)
            if "value" in answer and "rank" not in answer:
                add(answer.get("user_id"), question, answer["value"], answer.get("status"))
            else:
                by, status = (column[place] if place < len(column) else "" for column in (users, statuses))
                add(by, question, one, status)
    for by, questions in people.items():
        if all(value is None for value in questions.values()):
            states.setdefault(by, "discarded")
    return [_Answer(by, questions, states.get(by, "")) for by, questions in people.items()]


def _regions(results: Sequence[Any]) -> dict[str, Any]:
    """What an annotation of Label Studio says by question; a tie goes before a side."""
    questions: dict[str, Any] = {}
    for result in map(as_object, results):
        value = result.get("value")
        name = str(result.get("from_name") or (_WHY if "text" in as_object(value) else _VERDICTS[0]))
        if name not in questions or _word_of(value) not in ("left", "right"):
            questions[name] = value
    return questions


def _word_of(value: Any) -> Any:
    """The word that an answer comes to: of a choice, a side, or the first of a ranking."""
    value = decoded(value)
    if isinstance(value, Mapping):
        inner = next(
            (
                value[key]
                for key in ("selected", "choices", "ranker", "rank", "text", "value")
                if key in value
            ),
            value,
        )
        return value if inner is value else _word_of(inner)
    if not isinstance(value, (list, tuple)) or not value:
        return value
    ranks = [rank for one in value if (rank := number_of(as_object(one).get("rank"))) is not None]
    if len(ranks) < len(value):
        return _word_of(value[0])
    best = [as_object(one).get("value") for one, rank in zip(value, ranks, strict=True) if rank == min(ranks)]
    return best[0] if len(best) == 1 else "tie"


def _said(answer: _Answer) -> tuple[Said | None, dict[str, Any]]:
    """What a person says of the answers, and the further questions of the form.

    Raises:
        RowProblem: the verdict is in no words that are known, or several questions may be the verdict.
    """
    words = {
        name: re.sub(r"[\s-]+", "_", str(_word_of(value)).strip().lower())
        for name, value in answer.questions.items()
    }
    named = [name for name in _VERDICTS if name in words and not is_absent(answer.questions[name])]
    meant = named or [name for name, word in words.items() if word in _WORDS and name != _WHY]
    further = {name: value for name, value in answer.questions.items() if name not in (*meant, _WHY)}
    if not meant:
        return None, further
    if not named and len(meant) > 1:
        raise RowProblem(
            f"the questions {' and '.join(meant)} may both be the verdict; name it {_VERDICTS[0]!r}"
        )
    name = next((one for one in meant if words[one] in ("tie", "both_bad")), meant[0])
    known = _WORDS | _SHORT if named else _WORDS
    if words[name] not in known:
        given = _word_of(answer.questions[name])
        raise RowProblem(f"the answer {show(given, 40)} is none of {', '.join((*PAIR, *SINGLE))}")
    choice, place = known[words[name]]
    why = decoded(answer.questions.get(_WHY))
    why = as_object(why).get("text", why)
    text = " ".join(map(str, why)) if isinstance(why, (list, tuple)) else why if isinstance(why, str) else ""
    return Said(choice, place, answer.by, text), further


def _imported(
    shown: Mapping[str, Any],
    facts: Mapping[str, Any],
    answers: list[_Answer],
    row_id: Any,
    kept: Mapping[str, Any],
) -> Pieces:
    yield from (Skipped(one.state) for one in answers if one.state)
    read = [_said(one) for one in answers if not one.state]
    said = tuple(one for one, _ in read if one is not None)
    further = [more for _, more in read if more]
    candidates = tuple(str(facts[name]) for name in ("candidate_1", "candidate_2") if facts.get(name))
    review = str(facts.get("review_id") or "").strip()
    if review and candidates:
        yield from (Skipped("further_question") for more in further for _ in more)
        yield Imported(
            "pair" if len(candidates) == 2 else "single", said=said, review=review, candidates=candidates
        )
        return
    one = _read_shown(shown)
    if one.said and one.said[0].response == 1:  # the first answer stands second now
        said = tuple(
            replace(each, response=1 - each.response) if each.response is not None else each for each in said
        )
    metadata = {**one.metadata, **kept, **({"questions": further} if further else {})}
    yield replace(one, seed={**one.seed, "id": row_id}, metadata=metadata, said=said)


def _read_shown(shown: Mapping[str, Any]) -> Imported:
    """A row of fields as a seed; of a pair, `said` names the first answer."""
    if not any(has_answers(one, shown) for one in _ANSWERS):
        raise RowProblem(
            "it is no review that Solon wrote, and has no texts prompt and answer_1 (and answer_2)"
        )
    one = next(iter(read_mapped(_ANSWERS, shown)))
    assert isinstance(one, Imported)
    return one


FORMATS = {
    "argilla": ImportFormat(
        "argilla",
        "records of Argilla",
        read_argilla,
        lambda row: (
            ("fields" in row and "responses" in row) or any(_is_answer(*cell) for cell in row.items())
        ),
        whole=True,
    ),
    "label-studio": ImportFormat(
        "label-studio",
        "tasks of Label Studio's JSON exports",
        read_label_studio,
        lambda row: ("data" in row and "annotations" in row) or {"annotator", "annotation_id"} <= row.keys(),
        whole=True,
        gather=gather_short,
    ),
}
