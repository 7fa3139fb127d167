"""The marker: reads a text and marks the spans that it finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, create_model

from solon.agents.drafts import Draft
from solon.spans import Placed, Proposal, place_spans, read_spans, write_spans

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.store.runs.examples import Example

EXAMPLES_ROOM = 6000
"""Characters of all examples of one prompt together."""


def _as_place(value: Any) -> int | None:
    return value if type(value) is int else None


class MarkedSpan(BaseModel):
    """A span as a model tells it."""

    quote: str = Field(max_length=400)
    """Its words, as they stand in the text."""
    label: str = Field(max_length=80)
    """Its kind."""
    start: Annotated[
        int | None, BeforeValidator(_as_place), WithJsonSchema({"type": "integer", "minimum": 0})
    ] = None
    """The first character of it, from 0; None where it did not say."""


class MarkedSpans(BaseModel):
    """The spans that a model marks in a text. The bound keeps a small model from filling its room."""

    spans: list[MarkedSpan] = Field(max_length=60)


@lru_cache(maxsize=64)
def marked_schema(kinds: tuple[str, ...]) -> type[MarkedSpans]:
    """The schema of a marker's answer, which tells the kinds to a server that enforces it. A label that is none is
    read all the same, since one bad span is no reason to lose the others."""
    label: Any = (str, Field(max_length=80, json_schema_extra={"enum": list(kinds)}))
    one = create_model("MarkedSpan", __base__=MarkedSpan, label=label)
    return create_model("MarkedSpans", __base__=MarkedSpans, spans=(list[one], Field(max_length=60)))


async def mark(case: Case, *, sample: int = 0) -> Draft:
    """The spans that a model marks in the case's text, as a text of `write_reading`. The models take turns by the
    number of the draft (`case.place`); each is shown the case's examples.

    Raises:
        NoAnswer: it gave no usable answer. Other errors are those of `Case.ask`.
    """
    spans, text = case.config.spans, text_to_mark(case)
    said = await case.ask(
        "generator.spans",
        schema=marked_schema(spans.kinds),
        sample=sample,
        kinds=_spell_kinds(spans.kinds, spans.guide),
        text=text,
        examples=spell_examples(case.examples),
    )
    proposals = [Proposal(one.quote, one.start, one.label) for one in said.spans]
    placed = place_spans(proposals, text, spans.kinds, overlap=spans.overlap)
    return case.draft(write_reading(placed))


def text_to_mark(case: Case) -> str:
    """The text of a case in which spans are marked: its input, or without one its prompt."""
    return case.input or case.prompt


def write_reading(placed: Placed) -> str:
    """What a model marked as a text: its spans, with how many of them were repaired and dropped."""
    told = json.loads(write_spans(placed.spans))
    return json.dumps(
        {**told, "repaired": placed.repaired, "dropped": placed.dropped}, ensure_ascii=False, sort_keys=True
    )


def _spell_kinds(kinds: Sequence[str], guide: dict[str, str]) -> str:
    return "\n".join(f"- {kind}: {guide[kind]}" if kind in guide else f"- {kind}" for kind in kinds)


def spell_examples(examples: Sequence[Example]) -> str:
    """Texts with the spans that people confirmed, as the prompt shows them, the most similar one last; empty without
    any."""
    told: list[str] = []
    room = EXAMPLES_ROOM
    for example in examples:  # the most similar one first
        text = example.input or example.prompt
        marked = [
            {"quote": one.quote(text), "label": one.label, "start": one.start}
            for one in read_spans(example.response) or ()
        ]
        spelt = f"Text: {text}\nSpans: {json.dumps({'spans': marked}, ensure_ascii=False)}"
        room -= len(spelt)
        if room < 0:
            break
        told.append(spelt)
    return "\n\n".join(reversed(told))
