"""Texts that people marked or labelled elsewhere, as rows of seeds and of votes: Solon's own export `spans`, marked
texts of Prodigy, and tasks of Label Studio's JSON export with Labels or Choices. Imports `spans` and neighbours only.

Source: Label Studio, "Labels", "Choices" and "Text" in its JSON format of annotated tasks. Its offsets count characters
(code points), the end exclusive.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from solon.formats.headers import fold
from solon.formats.imported import as_list, as_object
from solon.formats.json_values import show
from solon.formats.seed_rows import RowProblem
from solon.spans import trim


def is_task(row: Mapping[str, Any]) -> bool:
    """Whether a row is a task of Label Studio: its data, and what was annotated or predicted of it."""
    told = isinstance(row.get("annotations"), list) or isinstance(row.get("predictions"), list)
    return isinstance(row.get("data"), Mapping) and told


def as_seed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of a seed that a row of marked text stands for: with its text as `prompt`, and `spans` where it was
    marked, or `verdicts` where it was labelled. Any other row as it is.

    Raises:
        RowProblem: a task has no text, or an annotation cannot be read.
    """
    if not {fold(str(name)) for name in row}.isdisjoint(("prompt", "messages")):
        return _with_spans_of_fields(row)
    if isinstance(row.get("spans"), list) and isinstance(row.get("text"), str):
        if "_task_hash" in row and row.get("answer") in ("reject", "ignore"):  # of Prodigy
            raise RowProblem(f"answer is {row['answer']!r}: whoever annotated it did not let its spans stand")
        return {"prompt" if name == "text" else name: value for name, value in row.items()}
    if not is_task(row):
        return row
    item, text, annotations = _read_task(row)
    data = {name: value for name, value in row["data"].items() if name not in ("id", "text")}
    seed = {**data, "id": item, "prompt": text}
    marked = [_marks(one, text) for one in annotations]
    votes = [{"judge": vote["worker"], "verdict": vote["label"]} for vote in as_votes(row)]
    if votes and not any(marked):
        return {**seed, "verdicts": votes}
    return {**seed, "spans": _of_most(marked), "marked_by": len(marked)} if marked else seed


def _with_spans_of_fields(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of the exports `jsonl` and `csv`, whose spans stand among the fields of the record."""
    told = row.get("fields")
    fields = as_object(_read_json(told) if isinstance(told, str) else told)
    if "spans" in row or not isinstance(fields.get("spans"), list):
        return row
    return {**{name: value for name, value in row.items() if name != "fields"}, "spans": fields["spans"]}


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def as_votes(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the votes that a row holds, with `item`, `text`, `worker` and `label`: one for each annotation of a task
    with Choices; any other row is one vote as it is.

    Raises:
        RowProblem: a task has no text, or an annotation several choices.
    """
    if not is_task(row):
        yield row
        return
    item, text, annotations = _read_task(row)
    for place, annotation in enumerate(annotations, 1):
        told = [value["choices"] for value in _values(annotation) if "choices" in value]
        labels = [label for choices in told for label in as_list(choices)]
        if len(labels) > 1:
            raise RowProblem(f"annotations: {show(labels, 60)} are several choices, where one was expected")
        if labels:
            yield {"item": item, "text": text, "worker": _worker(annotation, place), "label": str(labels[0])}


def _read_task(row: Mapping[str, Any]) -> tuple[str, str, list[Mapping[str, Any]]]:
    """Name, text and annotations of a task, without those that were cancelled."""
    data = row["data"]
    text = data.get("text")
    if not isinstance(text, str):
        raise RowProblem(f"data: there is no text in it, only {show(sorted(map(str, data)), 60)}")
    item = str(data.get("id", row.get("id", ""))) or text
    given = [as_object(one) for one in as_list(row.get("annotations"))]
    return item, text, [one for one in given if not one.get("was_cancelled")]


def _values(annotation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [as_object(as_object(result).get("value")) for result in as_list(annotation.get("result"))]


def _worker(annotation: Mapping[str, Any], place: int) -> str:
    """Who annotated, by their id and never by an e-mail address."""
    by = annotation.get("completed_by")
    return str((by.get("id") if isinstance(by, Mapping) else by) or f"annotator {place}")


def _marks(annotation: Mapping[str, Any], text: str) -> list[dict[str, Any]]:
    """The spans of an annotation, without the white space that a mouse takes along at their edges."""
    spans = []
    for value in _values(annotation):
        start, end = value.get("start"), value.get("end")
        for label in as_list(value.get("labels")):
            span = {"start": start, "end": end, "label": label}
            said = value.get("text")
            if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text):
                quote = text[start:end]
                span["start"], span["end"] = trim(text, start, end) if quote.strip() else (start, end)
                said = None if said in (quote, quote.replace("\n", "\\n")) else said
            spans.append(span if said is None else {**span, "text": said})
    return spans


def _of_most(marked: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The spans that more than half of the annotations have."""
    if len(marked) == 1:
        return marked[0]
    by_name = [{repr(span): span for span in spans} for spans in marked]
    times = Counter(name for spans in by_name for name in spans)
    every = {name: span for spans in by_name for name, span in spans.items()}
    return [span for name, span in every.items() if 2 * times[name] > len(marked)]
