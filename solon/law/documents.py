"""Constitutions, rubrics and rules: read, checked, compared and rendered.

A document is pure: no store, no model. What is in force, and since when, is the store's matter. Imports
nothing of Solon but `errors`, `display.notebook` and how laws are written as YAML.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from solon.display.notebook import card, table
from solon.errors import UsageError
from solon.law.yaml_text import Dumper, Loader
from solon.reading import read_text, why_unreadable

MAX_BYTES = 1_000_000
MAX_PATTERN = 200
"""Characters of a rule's pattern."""
_INVISIBLE = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _clean_line(value: str) -> str:
    """One line: a principle must not be able to look like two in a prompt."""
    return _refuse_hidden(" ".join(value.split()))


def _clean_block(value: str) -> str:
    return _refuse_hidden("\n".join(line.rstrip() for line in value.strip().splitlines()))


def _refuse_hidden(value: str) -> str:
    for char in value:
        hidden = char in _INVISIBLE or (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t")
        if hidden:
            raise ValueError(f"has a hidden control character (U+{ord(char):04X})")
    return value


Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Line = Annotated[str, Field(min_length=1, max_length=600), AfterValidator(_clean_line), Field(min_length=1)]
Note = Annotated[str, Field(max_length=2000), AfterValidator(_clean_block)]
Block = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_clean_block)]
Keyword = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_clean_line), Field(min_length=1)]
SemVer = Annotated[str, Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", max_length=32)]


class LawModel(BaseModel):
    """Strict about keys and types, immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Scope(LawModel):
    """Where a document applies. Empty: everywhere; else to one recipe, or to seeds with any of the tags."""

    recipe: Annotated[str, Field(max_length=60)] = ""
    tags: list[str] = []


class Principle(LawModel):
    """One rule. Priority 1 comes first; equal priorities keep their order in the file.

    Attributes:
        id: name of the rule, as it is cited.
        text: what a good answer does, in positive and observable words.
        priority: place in the order, from 1.
        examples: of what the rule means.
        split_from: the principle that was divided into this one and others; None where it was not. Lineage
            changes nothing that applies.
    """

    id: Slug
    text: Line = Field(description="what a good answer does, in positive and observable words")
    priority: int = Field(ge=1, le=999)
    examples: list[Block] = []
    split_from: Slug | None = None


class Criterion(LawModel):
    """One scored dimension, 1 (worst) to 5 (best), with the weight of its score in the whole.

    Attributes:
        id: name of the criterion, as it is cited.
        text: what is scored.
        weight: of its score, relative to the others.
        anchors: what an answer with each score from 1 to 5 looks like.
        split_from: the criterion that was divided into this one and others; None where it was not.
    """

    id: Slug
    text: Line
    weight: float = Field(gt=0, le=100, strict=False, allow_inf_nan=False)
    anchors: dict[int, Line] = Field(description="what an answer with this score looks like, for 1 to 5")
    split_from: Slug | None = None

    @field_validator("anchors", mode="before")
    @classmethod
    def _json_keys(cls, value: Any) -> Any:
        # JSON knows no whole numbers as keys
        if not isinstance(value, dict):
            return value
        return {int(k) if isinstance(k, str) and k in "12345" and k else k: text for k, text in value.items()}

    @model_validator(mode="after")
    def _all_anchors(self) -> Self:
        if sorted(self.anchors) != [1, 2, 3, 4, 5]:
            raise ValueError(f"needs a text for each of the scores 1 to 5 (saw {sorted(self.anchors)})")
        return self


class LawDocument(LawModel):
    """What a constitution, a rubric and rules have in common.

    Attributes:
        kind: `constitution`, `rubric` or `rules`.
        name: by which versions belong together.
        version: semantic version.
        scope: where it applies.
        author: who wrote this version; may be empty.
        reason: why this version was made; may be empty.
    """

    kind: str
    name: Slug
    version: SemVer = "1.0.0"
    scope: Scope = Scope()
    author: Annotated[str, Field(max_length=200), AfterValidator(_clean_line)] = ""
    reason: Note = ""

    def fingerprint(self) -> str:
        """Return 64 hex digits over everything that applies; author, reason and lineage do not change a law."""
        content = self.model_dump(mode="json", exclude={"author", "reason"})
        for part in content.get("principles") or content.get("criteria") or ():
            del part["split_from"]
        if "rules" in content:  # each votes by itself, wherever it stands in the file
            content["rules"].sort(key=lambda rule: rule["id"])
        if "principles" in content:  # priority orders them, wherever they stand in the file
            content["principles"].sort(key=lambda principle: principle["priority"])
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class Constitution(LawDocument):
    """An ordered set of principles that critics, judges and resolver apply."""

    kind: Literal["constitution"] = "constitution"
    principles: list[Principle] = Field(min_length=1, max_length=60)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        _refuse_repeated("principles", [principle.id for principle in self.principles])
        return self

    def ordered(self) -> list[Principle]:
        """Return the principles by priority, then by place in the document."""
        return sorted(self.principles, key=lambda principle: principle.priority)

    def ids(self) -> list[str]:
        """Return the ids of the principles in their order."""
        return [principle.id for principle in self.ordered()]

    def as_prompt(self) -> str:
        """Return the text for a prompt, one line per principle, most important first: `[id] text`."""
        return "\n".join(f"[{principle.id}] {principle.text}" for principle in self.ordered())

    def _repr_html_(self) -> str:
        rows = [(p.priority, p.id, p.text) for p in self.ordered()]
        return _as_card(self, table(("priority", "id", "principle"), rows, width=600))


class Rubric(LawDocument):
    """A weighted set of criteria."""

    kind: Literal["rubric"] = "rubric"
    criteria: list[Criterion] = Field(min_length=1, max_length=30)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        _refuse_repeated("criteria", [criterion.id for criterion in self.criteria])
        return self

    def ids(self) -> list[str]:
        """Return the ids of the criteria in their order."""
        return [criterion.id for criterion in self.criteria]

    def weights(self) -> dict[str, float]:
        """Return the weight by criterion id, summing to 1."""
        total = sum(criterion.weight for criterion in self.criteria)
        return {criterion.id: criterion.weight / total for criterion in self.criteria}

    def mean(self, scores: Mapping[str, float]) -> float:
        """Return the mean of the scores by the weights of their criteria; criteria without a score take no part, nor do
        scores of other criteria. 0.0 where none is left."""
        return mean_by_weight(scores, self.weights())

    def as_prompt(self, *, anchors: Literal["all", "ends", "none"] = "ends") -> str:
        """Return the text for a prompt, one line per criterion: `[id] text (1: ... 3: ... 5: ...)`.

        Args:
            anchors: which anchors to write; `ends` leaves out 2 and 4.
        """
        shown = {"all": (1, 2, 3, 4, 5), "ends": (1, 3, 5), "none": ()}[anchors]
        lines = []
        for criterion in self.criteria:
            scores = " ".join(f"{score}: {criterion.anchors[score]}" for score in shown)
            lines.append(f"[{criterion.id}] {criterion.text}" + (f" ({scores})" if scores else ""))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [(c.id, f"{c.weight:g}", c.text, c.anchors[1], c.anchors[5]) for c in self.criteria]
        return _as_card(self, table(("id", "weight", "criterion", "1", "5"), rows, width=600))


def mean_by_weight(scores: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the mean of the scores that have a weight, by these weights; 0.0 where none has one."""
    weighed = {name: weight for name, weight in weights.items() if name in scores}
    total = sum(weighed.values())
    return sum(scores[name] * weight for name, weight in weighed.items()) / total if total else 0.0


class Rule(LawModel):
    """What votes for one label where a text matches it, and is silent elsewhere. It never holds code.

    Attributes:
        id: its name as a voter.
        label: what it votes for.
        keywords: it matches where one of these words or phrases stands in the text, in upper or lower case.
        regex: it matches where this pattern is found in the text, in upper or lower case.
    """

    id: Slug
    label: Line
    keywords: list[Keyword] = Field(default_factory=list, max_length=20)
    regex: Annotated[str, Field(max_length=MAX_PATTERN), AfterValidator(_refuse_hidden)] = ""

    @model_validator(mode="after")
    def _matches_in_one_way(self) -> Self:
        if bool(self.keywords) == bool(self.regex):
            raise ValueError("a rule has keywords or a regex, one of the two")
        if self.regex:
            import regex

            try:
                regex.compile(self.regex, flags=regex.IGNORECASE)
            except (regex.error, RecursionError, OverflowError) as error:
                raise ValueError(f"its regex cannot be read: {error}") from None
        return self

    @property
    def text(self) -> str:
        """All that it says, in one line."""
        way = f"/{self.regex}/ is found" if self.regex else f"{_one_of(self.keywords)} stands in the text"
        return f"{self.label}: where {way}"


def _one_of(words: list[str]) -> str:
    return " or ".join(json.dumps(word, ensure_ascii=False) for word in words)


class RuleBook(LawDocument):
    """Rules that vote beside the panel, each for one label. It may be empty, and it holds everywhere: a rule votes
    wherever its label is an outcome."""

    kind: Literal["rules"] = "rules"
    name: Slug = "rules"
    rules: list[Rule] = Field(default_factory=list, max_length=500)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        _refuse_repeated("rules", self.ids())
        return self

    @model_validator(mode="after")
    def _hold_everywhere(self) -> Self:
        if self.scope != Scope():
            raise ValueError("rules have no scope: each votes wherever its label is an outcome")
        return self

    def ids(self) -> list[str]:
        """Return the names of the rules in their order."""
        return [rule.id for rule in self.rules]

    def as_prompt(self) -> str:
        """Return the text for a prompt, one line per rule: `[id] what it says`."""
        return "\n".join(f"[{rule.id}] {rule.text}" for rule in self.rules)

    def _repr_html_(self) -> str:
        rows = [(r.id, r.label, r.regex or ", ".join(r.keywords)) for r in self.rules]
        return _as_card(self, table(("id", "label", "where this stands in the text"), rows, width=600))


RULES = "rules"
"""Name of the rules of a project; there is one."""
MODELS: dict[str, type[Constitution] | type[Rubric] | type[RuleBook]] = {
    "constitution": Constitution,
    "rubric": Rubric,
    "rules": RuleBook,
}
"""Each kind of document with its class."""


def _as_card(document: LawDocument, body: str) -> str:
    scope = ", ".join(filter(None, (document.scope.recipe, *document.scope.tags)))
    facts = {"scope": scope, "author": document.author, "reason": document.reason}
    return card(f"{document.kind} {document.name} {document.version}", facts, body)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions of a document.

    Attributes:
        action: what happened.
        id: of the principle or criterion; empty for the document itself.
        field: which field differs; `order` for a new order; empty unless `changed`.
        old: the value before, or the text of what is gone or was divided; None where something was added.
        new: the value after, or the text of what was added; of a split a list of {id, text}; None where
            something was retired.
    """

    action: Literal["added", "retired", "split", "changed"]
    id: str
    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        where = f"[{self.id}]" if self.id else "document"
        if self.action == "changed":
            return f"{where} {self.field}: {self.old!r} -> {self.new!r}"
        if self.action == "split":
            parts = "; ".join(f"[{part['id']}] {part['text']}" for part in self.new)
            return f"{where} split into {parts} (was: {self.old})"
        return f"{where} {self.action}: {self.new if self.action == 'added' else self.old}"


D = TypeVar("D", Constitution, Rubric, RuleBook)


def diff(old: D, new: D) -> list[Change]:
    """Return what applies differently: empty exactly where the fingerprints agree but for the version.

    A new order of what both have is one change of the document, with the field `order`.
    """
    changes = [
        Change("changed", "", field, before[field], after[field])
        for before, after in [(_plain(old), _plain(new))]
        for field in ("name", "scope")
        if before[field] != after[field]
    ]
    ours, theirs = _parts(old), _parts(new)
    changes += _comings_and_goings(ours, theirs)
    for key in theirs:
        if key in ours:
            changes += _part_changes(key, ours[key], theirs[key])
    kept_before, kept_after = [k for k in ours if k in theirs], [k for k in theirs if k in ours]
    if kept_before != kept_after and not isinstance(old, RuleBook):
        changes.append(Change("changed", "", "order", kept_before, kept_after))
    return changes


def _comings_and_goings(ours: dict[str, dict[str, Any]], theirs: dict[str, dict[str, Any]]) -> list[Change]:
    """What is retired, divided and added. One that names what it was split from, alone, is simply added."""
    divided: dict[str, list[str]] = {}
    for key, part in theirs.items():
        source = part["split_from"]
        if key not in ours and source in ours and source not in theirs:
            divided.setdefault(source, []).append(key)
    divided = {source: parts for source, parts in divided.items() if len(parts) > 1}
    new_parts = {key for parts in divided.values() for key in parts}
    gone = [key for key in ours if key not in theirs and key not in divided]
    changes = [Change("retired", key, "", ours[key]["text"], None) for key in gone]
    for source, parts in divided.items():
        into = [{"id": key, "text": theirs[key]["text"]} for key in parts]
        changes.append(Change("split", source, "", ours[source]["text"], into))
    fresh = [key for key in theirs if key not in ours and key not in new_parts]
    return changes + [Change("added", key, "", None, theirs[key]["text"]) for key in fresh]


def load_constitution(source: str | Path) -> Constitution:
    """Return a starter by its name (`general`, `medical`, `legal`, `code`, `education`) or the constitution in a YAML
    file.

    Raises:
        UsageError: naming file, key and value.
    """
    text, named = _read(source, "constitutions")
    return parse_constitution(text, source=named)


def load_rubric(source: str | Path) -> Rubric:
    """Return a starter by its name or the rubric in a YAML file; raises as `load_constitution`."""
    text, named = _read(source, "rubrics")
    return parse_rubric(text, source=named)


@lru_cache(maxsize=32)
def parse_constitution(text: str, *, source: str = "the constitution") -> Constitution:
    """Return the constitution that a YAML text holds; errors name `source`, key and value."""
    return _validate(Constitution, text, source)


@lru_cache(maxsize=32)
def parse_rubric(text: str, *, source: str = "the rubric") -> Rubric:
    """Return the rubric that a YAML text holds; errors name `source`, key and value."""
    return _validate(Rubric, text, source)


@lru_cache(maxsize=32)
def parse_rules(text: str, *, source: str = "the rules") -> RuleBook:
    """Return the rules that a YAML text holds; errors name `source`, key and value."""
    return _validate(RuleBook, text, source)


def parse_document(kind: str, text: str, *, source: str) -> Constitution | Rubric | RuleBook:
    """Return the document of a kind that a YAML text holds; errors name `source`, key and value."""
    if kind == "rules":
        return parse_rules(text, source=source)
    return (
        parse_constitution(text, source=source)
        if kind == "constitution"
        else parse_rubric(text, source=source)
    )


def load_rules(source: str | Path) -> RuleBook:
    """Return the rules in a YAML file; raises as `load_constitution`."""
    text = read_text(
        Path(source), most=MAX_BYTES, next_step="give a YAML file, as seen from the working folder"
    )
    return parse_rules(text, source=str(source))


def dump_yaml(document: LawDocument) -> str:
    """Return the document as YAML that reads back to an equal one."""
    content = {key: value for key, value in _plain(document).items() if value not in ("", {})}
    for part in content.get("principles") or content.get("criteria") or ():
        for name in ("examples", "split_from"):
            if not part.get(name, True):
                del part[name]
    content |= {"rules": [_without_empty(rule) for rule in content["rules"]]} if "rules" in content else {}
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def _without_empty(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if value}


def starter_names(kind: Literal["constitutions", "rubrics"] = "constitutions") -> list[str]:
    """Return the names of the documents that ship with Solon."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _starters(kind).iterdir())


def _plain(document: LawDocument) -> dict[str, Any]:
    content = document.model_dump(mode="json")
    content["scope"] = {key: value for key, value in content["scope"].items() if value}
    for criterion in content.get("criteria", []):
        criterion["anchors"] = {int(score): text for score, text in sorted(criterion["anchors"].items())}
    return content


def _parts(document: Constitution | Rubric | RuleBook) -> dict[str, dict[str, Any]]:
    if isinstance(document, RuleBook):
        return {rule.id: {"text": rule.text, "split_from": None} for rule in document.rules}
    parts = document.ordered() if isinstance(document, Constitution) else document.criteria
    return {part.id: part.model_dump() for part in parts}


def _part_changes(key: str, old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    changes = []
    for field, before in old.items():
        if field == "split_from":
            continue
        after = new[field]
        if field == "anchors":
            for score in sorted(before):
                if before[score] != after[score]:
                    changes.append(Change("changed", key, f"anchors.{score}", before[score], after[score]))
        elif before != after:
            changes.append(Change("changed", key, field, before, after))
    return changes


def _starters(kind: str) -> Traversable:
    return resources.files("solon.law") / "starters" / kind


def _read(source: str | Path, kind: Literal["constitutions", "rubrics"]) -> tuple[str, str]:
    names = starter_names(kind)
    if isinstance(source, str) and source in names:
        return (_starters(kind) / f"{source}.yaml").read_text(encoding="utf-8"), f"starter {source}"
    advice = f"give a YAML file, as seen from the working folder, or one of the starters {', '.join(names)}"
    return read_text(Path(source), most=MAX_BYTES, next_step=advice), str(source)


def _validate(model: type[D], text: str, source: str) -> D:
    try:
        content = yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        cause = f"{source} is not YAML that can be read: {why_unreadable(error, text)}"
        raise UsageError(cause, next_step="mend that line") from None
    if not isinstance(content, dict):
        raise UsageError(f"{source}: holds a {type(content).__name__}, not keys and values")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error, source), next_step="mend the key and read the file again") from None


def _explain(error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "the document"
        seen = "" if problem["type"] in ("missing", "value_error") else f" (saw {problem['input']!r:.80})"
        message = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        quote = "; put it in quotes" if problem["type"] == "string_type" else ""
        lines.append(f"{source}: {key}: {message.removeprefix('Value error, ')}{seen}{quote}")
    return "\n".join(lines)


def _refuse_repeated(where: str, ids: list[str]) -> None:
    for index, name in enumerate(ids):
        if name in ids[:index]:
            raise ValueError(f"{where}.{index}.id: {name!r} is there twice")
