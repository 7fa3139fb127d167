"""Reviews for Argilla and Label Studio as JSON, and the answers that people gave there. Touches no file.

Sources: Argilla's client, `records/_resource.py` (`Record.to_dict`, what `records.to_json` writes) and
`settings/_resource.py`; Label Studio, "JSON format of annotated tasks" and the tags Pairwise, Choices and TextArea. A
test lets both libraries read what is written here and reads what they write. What is shown is
what a reviewer of Solon sees: the request and the answers in the review's order, never votes, reasons or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solon.formats.imports import Imported, ImportFormat, Row, Said, as_list, as_object
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


def read_argilla(row: Row) -> Imported:
    """Return what people answered in a record of Argilla's `records.to_json`.

    It is the record of a review that Solon wrote, or any with the fields `prompt`, `answer_1` and, of a pair,
    `answer_2`.

    Raises:
        RowProblem: it is neither, or an answer is none that is known.
    """
    answers = as_object(row.get("responses"))
    why = {str(one.get("user_id")): one.get("value") for one in _each(answers, "rationale")}
    answered = []
    for one in _each(answers, "choice"):
        if one.get("value") is None:  # discarded
            continue
        by = str(one.get("user_id") or "")
        answered.append(_said(one.get("value"), by=by, rationale=why.get(by)))
    return _imported(as_object(row.get("fields")), as_object(row.get("metadata")), answered, row.get("id"))


def write_label_studio(question: Question) -> dict[str, Any]:
    """Return a review as a task; `LABEL_STUDIO_PAIR` and `LABEL_STUDIO_SINGLE` are the labelling interfaces
    for it.
    """
    facts = {"review_id": question.review, "recipe": question.recipe, **_named(question)}
    return {"data": {**_shown(question), **facts}}


def read_label_studio(row: Row) -> Imported:
    """Return what people answered in a task of Label Studio's JSON export; cancelled annotations say nothing.

    Raises:
        RowProblem: it has no data, or an answer is none that is known.
    """
    data = as_object(row.get("data"))
    if not data:
        raise RowProblem("the task has no data")
    answered = []
    for annotation in map(as_object, as_list(row.get("annotations"))):
        if annotation.get("was_cancelled"):
            continue
        results = _results(as_list(annotation.get("result")))
        if "choice" in results:
            answered.append(_said(results["choice"], by=_who(annotation), rationale=results.get("rationale")))
    return _imported(data, data, answered, data.get("id", row.get("id")))


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


def _each(answers: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for one in map(as_object, as_list(answers.get(name))) if one]


def _results(results: Sequence[Any]) -> dict[str, str]:
    """What an annotation says: `choice` (a tie goes before a side) and `rationale`."""
    results_of: dict[str, str] = {}
    for value in (as_object(as_object(result).get("value")) for result in results):
        choices, text = as_list(value.get("choices")), value.get("text")
        if choices:
            results_of["choice"] = str(choices[0])
        elif value.get("selected") in ("left", "right"):
            results_of.setdefault("choice", PAIR[value["selected"] == "right"])
        elif text:
            results_of["rationale"] = " ".join(map(str, as_list(text))) or str(text)
    return results_of


def _who(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    return (
        str(by.get("id") or "") if isinstance(by, Mapping) else str(by or "")
    )  # an e-mail address stays outside


def _said(value: Any, *, by: str, rationale: Any) -> Said:
    why = rationale if isinstance(rationale, str) else ""
    words = {"prefer answer_1": 0, "answer_1": 0, "1": 0, "a": 0, "left": 0}
    words |= {"prefer answer_2": 1, "answer_2": 1, "2": 1, "b": 1, "right": 1}
    name = str(value).strip().lower()
    if name in words:
        return Said("prefer", words[name], by, why)
    if name in ("tie", "both_bad"):
        return Said(name, None, by, why)
    if name in SINGLE:
        return Said(name, 0, by, why)
    raise RowProblem(f"the answer {value!r:.40} is none of {', '.join((*PAIR, *SINGLE))}")


def _imported(shown: Mapping[str, Any], facts: Mapping[str, Any], said: list[Said], row_id: Any) -> Imported:
    candidates = tuple(str(facts[name]) for name in ("candidate_1", "candidate_2") if facts.get(name))
    review = facts.get("review_id")
    if review and candidates:
        return Imported(
            "pair" if len(candidates) == 2 else "single", {}, tuple(said), str(review), candidates
        )
    answers = [shown[name] for name in ("answer_1", "answer_2") if isinstance(shown.get(name), str)]
    if not isinstance(shown.get("prompt"), str) or not answers:
        raise RowProblem(
            "it is no review that Solon wrote, and has no texts prompt and answer_1 (and answer_2)"
        )
    seed = {"id": row_id, "prompt": shown["prompt"], "input": shown.get("input") or "", "responses": answers}
    return Imported("pair" if len(answers) == 2 else "single", seed, tuple(said))


FORMATS = {
    "argilla": ImportFormat("argilla", "records of Argilla's to_json", read_argilla, whole=True),
    "label-studio": ImportFormat(
        "label-studio", "tasks of Label Studio's JSON export", read_label_studio, whole=True
    ),
}
