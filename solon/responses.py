"""The closed sets of answers to a review, one schema per kind of recipe. Imports nothing but `errors`, `plugins` and
`spans`.

On every wire an answer names candidate ids, never letters or sides. A schema is known by its name: `pair@1`,
`single@1`, `dialogue@1` (a single candidate that is a dialogue), `curated@1` (a single candidate that is shown with
what was found in it, and with a proposal for an edit), whatever was registered, `label@1:clinical|legal` (a label out
of these), `spans@1:person|place` (spans of these kinds; `overlapping-spans@1:...` where they may overlap),
`ranking@1:4:helpful|safe` (an order of 4 candidates by each of these questions; `ranking@1:4` by one without a name),
or `module:Model`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from solon.errors import ConfigError, InvalidDecision
from solon.plugins import find_function
from solon.spans import MOST_SPANS, Span, write_spans

Flag = Literal["unsafe", "factually_wrong", "outdated", "personal_data"]
LongText = Annotated[str, Field(max_length=200_000)]

NOT_ANSWERS = ("skip", "decline", "escalate")
"""What a reviewer may do instead of answering: these never resume the graph."""


class Evidence(BaseModel):
    """Words of a candidate that an answer points to: those that a flag is about, or that decided.

    Attributes:
        candidate: id of the candidate.
        start: where the words begin, in characters (code points) of its text.
        end: where they end, exclusive.
        flag: the flag of this candidate that they are the evidence of; None: of the reason.
        text: the words, where they are given too; they must stand there.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    candidate: str
    start: int = Field(ge=0)
    end: int = Field(ge=1)
    flag: Flag | None = None
    text: str | None = None


MOST_EVIDENCE = 100
WITH_ANSWER = ("edit", "write")
"""Choices that bring an answer of the person's own."""


class Response(BaseModel):
    """An answer to a review: a choice, and what every answer may carry besides.

    Attributes:
        choice: what was chosen, out of the closed set of the review's schema.
        candidate: id of the candidate that the choice is about (`prefer`, `edit`); None where it is about all.
        text: the edited answer of `edit`, or the fields of a form of one's own as JSON; None where there is neither.
        guidance: what the new draft shall do, for `redraft`; None otherwise.
        rationale: why, in the expert's words; None where they gave none.
        principles: ids of the principles that decided.
        flags: candidate id -> what is wrong with that text, whatever the choice.
        scores: criterion id -> score of a single candidate, 1 to 5.
        strength: how clear it was, 1 (barely) to 3 (clearly); None where it was not said.
        evidence: the words of the candidates that flags are about, or that decided.
    """

    model_config = ConfigDict(extra="forbid")

    choice: str
    candidate: str | None = None
    text: LongText | None = None
    guidance: LongText | None = None
    rationale: LongText | None = None
    principles: tuple[str, ...] = ()
    flags: dict[str, tuple[Flag, ...]] = Field(default_factory=dict)
    scores: dict[str, int] = Field(default_factory=dict)
    strength: int | None = Field(None, ge=1, le=3)
    # No part of the JSON schema, by which a graph is known: no graph reads it, and what waits goes on as it is.
    evidence: SkipJsonSchema[tuple[Evidence, ...]] = Field((), max_length=MOST_EVIDENCE)

    @model_validator(mode="after")
    def _parts_fit_the_choice(self) -> Response:
        needs = {"prefer": "candidate", "edit": "candidate"}.get(self.choice)
        if needs and not self.candidate:
            raise ValueError(f"choice {self.choice!r} needs the id of a candidate in {needs!r}")
        if self.choice in WITH_ANSWER and not (self.text or "").strip():
            raise ValueError(f"choice {self.choice!r} needs the answer as it should be in 'text'")
        if self.choice == "redraft" and not (self.guidance or "").strip():
            raise ValueError("choice 'redraft' needs what the new draft shall do in 'guidance'")
        if any(not 1 <= score <= 5 for score in self.scores.values()):
            raise ValueError("scores go from 1 to 5")
        for one in self.evidence:
            if one.flag and one.flag not in self.flags.get(one.candidate, ()):
                raise ValueError(
                    f"evidence of the flag {one.flag!r}, which this answer does not give that candidate"
                )
        return self

    @property
    def label(self) -> str | None:
        """The label that the record gets; None where no label was asked for."""
        return None


class PairResponse(Response):
    """The answer to a pair: which candidate is better, or why none is."""

    choice: Literal["prefer", "tie", "both_bad", "edit", "redraft"]


class SingleResponse(Response):
    """The answer to a single candidate."""

    choice: Literal["accept", "reject", "edit", "redraft"]


class GivenPairResponse(PairResponse):
    """The answer to a pair of texts that came with the seed: nothing is drafted in their place."""

    choice: Literal["prefer", "tie", "both_bad", "edit"]


class GivenSingleResponse(SingleResponse):
    """The answer to a single text that came with the seed: nothing is drafted in its place."""

    choice: Literal["accept", "reject", "edit"]


class RequestResponse(Response):
    """The answer to a request of which nothing is drafted yet: whether it goes on, with guidance for the drafts."""

    choice: Literal["go_on", "reject"]


class RubricResponse(RequestResponse):
    """The answer to a drafted rubric of a request: what judges shall go by, or that the request ends here.

    Attributes:
        criteria: the rubric as it should be, a line for each criterion; None: as it was drafted.
    """

    criteria: tuple[LongText, ...] | None = Field(
        None, description="one a line: its weight, a colon and what is scored, e.g. 3: Names the dose."
    )

    @field_validator("criteria", mode="before")
    @classmethod
    def _by_lines(cls, value: Any) -> Any:
        return value.splitlines() if isinstance(value, str) else value


class LabelResponse(Response):
    """A label for a text. A form of one's own derives from this, names its labels as the `Literal` of `choice`, and
    may ask for more in fields of its own."""

    @property
    def label(self) -> str | None:
        """The label that the record gets: the choice itself."""
        return self.choice


class SpanAnswer(BaseModel):
    """A span of an answer: its kind, and where it stands, in characters (code points), the end exclusive. Words that
    are given with it must stand there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    label: str
    text: str | None = None


class SpansResponse(Response):
    """An answer to marked spans: they stand, or are changed into these. Whether they are is found out by comparing what
    is given with what was proposed, see `solon.store.reviewing.citations`.

    Attributes:
        spans: all spans of the text, where they are not as proposed.
    """

    choice: Literal["stands", "changed"]
    spans: tuple[SpanAnswer, ...] | None = Field(None, max_length=MOST_SPANS)

    @model_validator(mode="after")
    def _changed_into_something(self) -> SpansResponse:
        if self.choice == "changed" and self.spans is None:
            raise ValueError("choice 'changed' needs all spans of the text, as they should be, in 'spans'")
        return self


Tiers = tuple[str | tuple[str, ...], ...]
"""Ids of candidates, the best first; those that are as good as each other stand together in a tuple."""


class RankingResponse(Response):
    """An answer to several candidates: the order that they are put in, an answer that is better than all of them, or
    that none will do.

    Attributes:
        candidate: for `rank`, the best one by the first question, None where several are; whoever answers need not name
            it. For `write`, the one that the answer was written from; None where it was from none.
        text: the answer of `write`; of a stored `rank` the ranking, see `solon.store.reviewing.rankings`.
        ranking: for `rank`, every candidate in its place; where several questions are asked, so by the name of each.
    """

    choice: Literal["rank", "write", "all_bad"]
    ranking: Tiers | dict[str, Tiers] | None = None

    @field_validator("ranking", mode="before")
    @classmethod
    def _lists_of_ids(cls, value: Any) -> Any:
        for tiers in value.values() if isinstance(value, dict) else () if value is None else (value,):
            tier_of = [one if _is_list(one) else [one] for one in tiers] if _is_list(tiers) else [[None]]
            if not all(isinstance(name, str) for tier in tier_of for name in tier):
                raise ValueError(
                    "a ranking lists the ids of the candidates, the best first; those that are as good as each other "
                    "stand in a list of their own: [a, [b, c]]"
                )
        return value

    @model_validator(mode="after")
    def _ranks_where_it_says_so(self) -> RankingResponse:
        if (self.choice == "rank") != (self.ranking is not None):
            raise ValueError(
                "choice 'rank' needs the candidates, the best first, in 'ranking'; others take none"
            )
        return self


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


RUBRIC = "rubric@1"
LABEL, REQUEST, SPANS, OVERLAPPING = "label@1", "request@1", "spans@1", "overlapping-spans@1"
DIALOGUE = "dialogue@1"
CURATED = "curated@1"
RANKING = "ranking@1"
SCHEMAS: dict[str, type[Response]] = {
    "pair@1": PairResponse,
    "single@1": SingleResponse,
    "pair@1:given": GivenPairResponse,
    "single@1:given": GivenSingleResponse,
    DIALOGUE: SingleResponse,
    f"{DIALOGUE}:given": GivenSingleResponse,
    CURATED: SingleResponse,
    f"{CURATED}:given": GivenSingleResponse,
    REQUEST: RequestResponse,
    RUBRIC: RubricResponse,
    LABEL: LabelResponse,
    SPANS: SpansResponse,
    OVERLAPPING: SpansResponse,
    RANKING: RankingResponse,
}
KINDS = ("string", "integer", "number", "boolean", "array")
RESERVED = (*NOT_ANSWERS, "prefer", "edit", "redraft", "both_bad", "contested", "consensus", "silent")
"""Words that no label may be: as choices or outcomes they have a meaning of their own."""


def label_schema(labels: Sequence[str]) -> str:
    """Return the name of the schema that asks for one of these labels. It holds them, so it needs no registering."""
    return f"{LABEL}:{'|'.join(labels)}"


def spans_schema(kinds: Sequence[str], *, overlap: bool) -> str:
    """Return the name of the schema that asks for spans of these kinds; in its own name it says whether they may
    overlap."""
    return f"{OVERLAPPING if overlap else SPANS}:{'|'.join(kinds)}"


def ranking_schema(number: int, questions: Sequence[str]) -> str:
    """Return the name of the schema that asks for an order of so many candidates, by each of these questions."""
    return ":".join((RANKING, str(number), *(("|".join(questions),) if questions else ())))


def ranked_by(schema: str) -> tuple[int, tuple[str, ...]] | None:
    """Return how many candidates a response schema asks to be ranked, and by which questions (an empty name where it
    asks one without a name); None where it asks for no ranking."""
    named, _, rest = schema.partition(":")
    number, _, questions = rest.partition(":")
    return (int(number), tuple(questions.split("|"))) if named == RANKING and number.isdecimal() else None


def kinds_of(schema: str) -> tuple[str, ...]:
    """Return the kinds of spans that a response schema asks for; empty where it asks for none."""
    named, _, kinds = schema.partition(":")
    return tuple(kinds.split("|")) if named in (SPANS, OVERLAPPING) and kinds else ()


def is_dialogue(schema: str) -> bool:
    """Tell whether a response schema asks about a dialogue."""
    return schema.partition(":")[0] == DIALOGUE


def may_overlap(schema: str) -> bool:
    """Tell whether the spans that a response schema asks for may overlap."""
    return schema.partition(":")[0] == OVERLAPPING


def register(schema: str, model: type[Response]) -> None:
    """Make a response schema known by name, so that a recipe can ask for it. Doing it again replaces it.

    Raises:
        ConfigError: the model is no `Response`, has no closed set of choices, has a label that is a reserved word, or
            a field that no form can be made for.
    """
    if not (isinstance(model, type) and issubclass(model, Response)):
        raise ConfigError(
            f"{schema}: {model!r:.80} is no form of an answer",
            next_step="derive it from solon.responses.LabelResponse",
        )
    if not _choices(model):
        raise ConfigError(
            f"{schema}: `choice` has no closed set", next_step='e.g. choice: Literal["clinical", "legal"]'
        )
    taken = sorted(set(_choices(model)) & set(RESERVED)) if issubclass(model, LabelResponse) else []
    if taken:
        raise ConfigError(f"{schema}: {taken[0]!r} can be no label", next_step="give it another name")
    for name, field in _fields(model).items():
        texts = field.get("items", {}).get("type") == "string"
        if field.get("type") not in KINDS or (field["type"] == "array" and not texts):
            raise ConfigError(
                f"{schema}: no form can be made for the field {name!r}",
                next_step="use text, a number, bool, a Literal of texts, or a list of texts",
            )
    SCHEMAS[schema] = model


def model_of(schema: str) -> type[Response]:
    """Return the model of a response schema, made or imported where it is asked for the first time.

    Raises:
        ConfigError: this Solon has none of that name, or the module that it names cannot be imported.
    """
    if schema not in SCHEMAS:
        kind, named, rest = schema.partition(":")
        if kind == LABEL:
            choice: Any = Literal[tuple(rest.split("|"))]
            register(schema, create_model("Label", __base__=LabelResponse, choice=(choice, ...)))
        elif kinds_of(schema):
            SCHEMAS[schema] = SpansResponse
        elif ranked_by(schema):
            SCHEMAS[schema] = RankingResponse
        elif named:
            register(schema, find_function(schema, "[label] form"))
        else:
            raise ConfigError(f"this version of Solon has no response schema {schema!r}")
    return SCHEMAS[schema]


def is_label(schema: str) -> bool:
    """Tell whether a response schema asks for a label; False for an unknown schema."""
    try:
        return issubclass(model_of(schema), LabelResponse)
    except ConfigError:
        return False


def choices_of(schema: str) -> tuple[str, ...]:
    """Return the closed set of choices of a response schema; empty where this version of Solon does not know it."""
    try:
        return _choices(model_of(schema))
    except ConfigError:
        return ()


def for_given(schema: str) -> str:
    """Return the schema that puts the same question of given texts: a redraft is not among its choices."""
    return f"{schema}:given" if f"{schema}:given" in SCHEMAS else schema


def same_question(schema: str) -> tuple[str, str]:
    """Return the schemas under which the same candidates were put the same question, without and with a redraft among
    the choices."""
    plain = schema.removesuffix(":given")
    return plain, for_given(plain)


def fields_of(schema: str) -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of the fields that an answer may hold beyond those of every `Response`, by their names.

    `required` in each says whether an answer must hold it. Empty where this version of Solon does not know the schema.
    """
    try:
        return _fields(model_of(schema))
    except ConfigError:
        return {}


@cache
def _choices(model: type[Response]) -> tuple[str, ...]:
    choice = model.model_json_schema()["properties"]["choice"]
    return tuple(choice.get("enum") or ([choice["const"]] if "const" in choice else ()))


@cache
def _fields(model: type[Response]) -> dict[str, dict[str, Any]]:
    read = model.model_json_schema()
    own = [name for name in read["properties"] if name not in Response.model_fields]
    must = read.get("required", ())
    return {name: {**_plain(read, read["properties"][name]), "required": name in must} for name in own}


def _plain(read: Mapping[str, Any], field: Mapping[str, Any]) -> dict[str, Any]:
    """A field without references, and without the null of one that may be left out."""
    kinds = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    found = {**field, **(kinds[0] if len(kinds) == 1 else {})}
    if "$ref" in found:
        found = {**read["$defs"][found.pop("$ref").rpartition("/")[2]], **found}
    if "const" in found:
        found["enum"] = [found.pop("const")]
    found.pop("anyOf", None)
    return found


def parse_response(schema: str, values: Mapping[str, Any], candidates: Sequence[str]) -> Response:
    """Return an answer as the model of its review's schema, checked against the review.

    Args:
        schema: name of the review's response schema.
        values: the answer as it came in; the fields of a form stand beside the choice, or under `fields`.
        candidates: ids of the review's candidates; where there is only one, the answer is about it.

    Raises:
        InvalidDecision: naming the field, what was seen, and the closed set.
    """
    try:
        model = model_of(schema)
    except ConfigError as error:
        raise InvalidDecision(
            f"this review was opened under the response schema {schema!r}: {error.cause}",
            next_step="run `solon migrate-threads`, then answer the review that takes its place",
        ) from None
    values = _flat(model, values)
    _refuse_truth_values(model, values)
    try:
        response = model.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            raise _no_field(model, str(problem["loc"][0])) from None
        field = ".".join(str(part) for part in problem["loc"]) or "answer"
        raise InvalidDecision(
            f"{field}: {_told(problem)}",
            next_step=f"choices of this review: {', '.join(choices_of(schema))}; "
            "never resuming: skip, decline, escalate",
        ) from None
    ranks = isinstance(response, RankingResponse)
    if response.text and response.choice not in WITH_ANSWER and (ranks or not _fields(model)):
        raise InvalidDecision(
            f"text: {response.choice!r} takes no text (saw {response.text[:80]!r})",
            next_step=f"say why as the rationale; only `{'write' if ranks else 'edit'}` takes a text",
        )
    named = [*([] if response.candidate is None else [response.candidate]), *response.flags]
    named += [one.candidate for one in response.evidence]
    for name in named:
        if name not in candidates:
            raise InvalidDecision(
                f"candidate {name!r} is not part of this review",
                next_step=f"its candidates: {', '.join(sorted(candidates))}",
            )
    if len(candidates) == 1 and response.candidate is None:
        response = response.model_copy(update={"candidate": candidates[0]})
    if isinstance(response, SpansResponse):
        told = response.spans
        text = None if told is None else write_spans(Span(one.start, one.end, one.label) for one in told)
        return response.model_copy(update={"text": text})
    if _fields(model) and not ranks:
        response = response.model_copy(update={"text": told_fields(response)})
    return response


def _told(problem: Mapping[str, Any]) -> str:
    """What is wrong with a value, in words."""
    limits, given = problem.get("ctx", {}), problem.get("input")
    if problem["type"] == "missing":
        return "it is missing"
    if problem["type"] == "less_than_equal":
        return f"{limits['le']} is the most ({given} was given)"
    if problem["type"] == "greater_than_equal":
        return f"{limits['ge']} is the least ({given} was given)"
    return str(problem["msg"]).removeprefix("Value error, ") + _seen(given)


def _seen(value: Any) -> str:
    """A single value that was seen; nothing of a whole answer, or of a part of one."""
    return "" if isinstance(value, (Mapping, list, tuple)) else f" (saw {str(value)[:80]!r})"


def _flat(model: type[Response], values: Mapping[str, Any]) -> dict[str, Any]:
    """An answer whose form may stand under `fields`, with the fields of the form beside the choice."""
    nested = None if "fields" in model.model_fields else values.get("fields")
    if nested is None:
        return dict(values)
    if not isinstance(nested, Mapping):
        raise InvalidDecision(
            f"fields: the fields of the form by their names{_seen(nested)}",
            next_step="or put each beside the choice",
        )
    flat = {name: value for name, value in values.items() if name != "fields"}
    for name, value in nested.items():
        if name not in _fields(model):
            raise _no_field(model, f"fields.{name}")
        if name in flat:
            raise InvalidDecision(
                f"{name}: it stands in `fields` and beside the choice", next_step="say it once"
            )
        flat[name] = value
    return flat


def _no_field(model: type[Response], name: str) -> InvalidDecision:
    form = list(_fields(model))
    return InvalidDecision(
        f"{name[:80]}: no field of this answer",
        next_step=f"fields: {', '.join(name for name in Response.model_fields)}"
        + (f"; of the form: {', '.join(form)}" if form else ""),
    )


def _refuse_truth_values(model: type[Response], values: Mapping[str, Any]) -> None:
    """`true` is an answer to a yes-or-no question only: where a number is asked for, it would be read as a 1."""
    asked = _fields(model)
    scores = values.get("scores")
    scores = scores if isinstance(scores, Mapping) else {}
    for name, value in [*values.items(), *((f"scores.{key}", score) for key, score in scores.items())]:
        if isinstance(value, bool) and asked.get(name, {}).get("type") != "boolean":
            raise InvalidDecision(
                f"{name}: {str(value).lower()} answers a yes-or-no question, and this is none",
                next_step="strength goes from 1 to 3, scores from 1 to 5",
            )


def kept_evidence(response: Response) -> list[dict[str, Any]]:
    """Return the evidence of an answer as it is stored: ids and places, without the words, which stand in the text."""
    return [one.model_dump(exclude={"text"}) for one in response.evidence]


def told_fields(response: Response) -> str:
    """Return the fields of an answer beyond those of every `Response`, as JSON.

    They are stored as the text of the answer, so that they are forgotten with it.
    """
    told = response.model_dump(mode="json", include=set(_fields(type(response))), exclude_none=True)
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def read_fields(text: str) -> dict[str, Any]:
    """Return the fields that `told_fields` wrote; none where the text of an answer is no such JSON."""
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        return {}
