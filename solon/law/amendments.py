"""Changes of a constitution, a rubric or rules: read from a file, applied, numbered, and warned about. Pure.

An amendment is the whole next document; edits are the short way to write one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from solon.errors import UsageError
from solon.law.documents import (
    Block,
    Change,
    Constitution,
    Criterion,
    Keyword,
    LawModel,
    Line,
    Note,
    Principle,
    Rubric,
    RuleBook,
    Scope,
    Slug,
    _explain,
    diff,
)
from solon.law.yaml_text import Loader
from solon.reading import why_unreadable

Document = Constitution | Rubric | RuleBook
Kind = Literal["constitution", "rubric", "rules"]
ALIKE = 0.6
"""Word overlap (Jaccard) from which two principles say nearly the same."""
LAST = 999
"""The lowest priority there is."""
MOST_PARTS = 6
"""One may be split into at most so many."""


class SplitPart(LawModel):
    """One of the parts that a principle or criterion is divided into.

    Attributes:
        id: name of the part, which is not in use yet.
        text: what it says.
        priority: of a principle, its place in the new order; None: it stands where the old one stood.
        examples: of a principle.
        weight: of a criterion; None: an equal share of the old one's.
        anchors: of a criterion, text by score 1 to 5; None: the old one's.
    """

    id: Slug
    text: Line
    priority: int | None = Field(None, ge=1, le=LAST)
    examples: list[Block] = Field(default_factory=list)
    weight: float | None = Field(None, gt=0, le=100, strict=False, allow_inf_nan=False)
    anchors: dict[int, Line] | None = None


class Edit(LawModel):
    """One change of a document. Principles can be added, reworded, reordered, retired and split; criteria
    likewise, and they can have an anchor or their weight changed. Rules can be added, reworded and retired.

    Attributes:
        action: what is done; `anchor` and `weight` are for criteria only.
        id: the principle or criterion that is changed, or that is new.
        text: of what is added, the new wording, or the new text of an anchor; None for other actions.
        priority: of an added or reordered one; what stands there and after it moves one place back.
        examples: of an added or reworded principle; None: none, or as they were.
        score: whose anchor is written anew, 1 to 5.
        weight: of an added criterion (None: 1), or the new weight.
        anchors: of an added criterion, text by score.
        into: the parts of a split; what is divided is retired, and each part says what it came from.
        label: of a rule, what it votes for.
        keywords: of a rule, the words or phrases that it looks for.
        regex: of a rule, the pattern that it looks for.
    """

    action: Literal["add", "reword", "reorder", "retire", "split", "anchor", "weight"]
    id: Slug
    text: Line | None = None
    priority: int | None = Field(None, ge=1, le=LAST)
    examples: list[Block] | None = None
    score: int | None = Field(None, ge=1, le=5)
    weight: float | None = Field(None, gt=0, le=100, strict=False, allow_inf_nan=False)
    anchors: dict[int, Line] | None = None
    into: list[SplitPart] = Field(default_factory=list, max_length=MOST_PARTS)
    label: Line | None = None
    keywords: list[Keyword] = Field(default_factory=list)
    regex: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Edit:
        needs = {
            "add": ("text",),
            "reword": ("text",),
            "reorder": ("priority",),
            "anchor": ("score", "text"),
            "weight": ("weight",),
        }
        for name in needs.get(self.action, ()):
            if getattr(self, name) is None and not (self.keywords or self.regex):
                raise ValueError(f"{self.action} needs {name!r}")
        if (self.action == "split") != bool(self.into):
            raise ValueError("'into' says what a split divides it into, and belongs to no other action")
        if self.action == "split" and len(self.into) < 2:
            raise ValueError("split needs two or more under 'into'")
        return self


class AmendmentFile(LawModel):
    """An amendment as a person writes it: what is changed, why, and on which decisions it rests.

    Attributes:
        kind: whether it changes a constitution, a rubric or rules.
        amends: name of the document.
        scope: of the version that it amends.
        reason: why, in words; it must not be empty.
        cites: ids, or their beginnings, of decisions that it rests on.
        overrules: ids, or their beginnings, of decisions that the new rule declares wrong.
        changes: the edits, in the order in which they are applied.
    """

    kind: Kind = "constitution"
    amends: Slug
    scope: Scope = Scope()
    reason: Annotated[Note, Field(min_length=1)]
    cites: list[Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$")]] = Field(default_factory=list)
    overrules: list[Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$")]] = Field(default_factory=list)
    changes: list[Edit] = Field(min_length=1, max_length=30)


def parse_amendment(text: str, *, source: str = "the amendment") -> AmendmentFile:
    """Return the amendment that a YAML text holds.

    Args:
        source: what errors call the text.

    Raises:
        UsageError: naming source, key and value.
    """
    try:
        content = yaml.load(text, Loader=Loader)
        if not isinstance(content, dict):
            raise UsageError(f"{source}: holds a {type(content).__name__}, not keys and values")
        return AmendmentFile.model_validate(content)
    except ValidationError as error:
        raise UsageError(_explain(error, source), next_step="mend the key and read the file again") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{source} is not YAML that can be read: {why_unreadable(error, text)}") from None


def is_amendment(text: str) -> bool:
    """Tell whether a text holds edits, and not a whole document."""
    return re.search(r"^(amends|changes):", text, re.MULTILINE) is not None


def apply_edits(base: Document, edits: Sequence[Edit], *, author: str, reason: str) -> Document:
    """Return the next version of `base`, with a number that follows from what changes.

    Raises:
        UsageError: an edit names what is not there, or does not fit the kind of document, or changes nothing.
    """
    content = base.model_dump()
    for edit in edits:
        if isinstance(base, Constitution):
            _edit_principles(content["principles"], edit)
        elif isinstance(base, RuleBook):
            _edit_rules(content["rules"], edit)
        else:
            _edit_criteria(content["criteria"], edit)
    return next_version(base, content, author=author, reason=reason)


def next_version(base: Document, content: dict[str, Any], *, author: str, reason: str) -> Document:
    """Return `content` as the version after `base`; name and scope stay, and so does the lineage of what
    stays.

    Raises:
        UsageError: it changes nothing, is no document, or says of a part that it was split from what was not
            divided.
    """
    content = _with_lineage(base, content)
    kept = {"name": base.name, "scope": base.scope.model_dump(), "version": base.version, "kind": base.kind}
    try:
        draft = type(base).model_validate({**content, **kept, "author": author, "reason": reason})
        _check_splits(base, draft)
        changes = diff(base, draft)  # type: ignore[type-var]
        if not changes:
            raise UsageError(f"this changes nothing of {base.name} {base.version}")
        return draft.model_copy(update={"version": bump(base.version, changes)})
    except ValidationError as error:
        raise UsageError(
            _explain(error, f"the draft of {base.name}"), next_step="mend the amendment"
        ) from None


def _with_lineage(base: Document, content: dict[str, Any]) -> dict[str, Any]:
    """What a part once came from is history: a draft cannot rewrite it."""
    if isinstance(base, RuleBook):
        return content
    name = "principles" if isinstance(base, Constitution) else "criteria"
    origin = {part.id: part.split_from for part in parts_of(base)}
    parts = [{**part, "split_from": origin.get(part["id"], part.get("split_from"))} for part in content[name]]
    return {**content, name: parts}


def _check_splits(base: Document, draft: Document) -> None:
    divided: dict[str, int] = {}
    for part in parts_of(draft):
        if part.split_from is not None and part.id not in base.ids():
            divided[part.split_from] = divided.get(part.split_from, 0) + 1
    for source, number in divided.items():
        if source not in base.ids() or source in draft.ids() or number < 2:
            raise UsageError(
                f"split_from: {source!r} was not divided here",
                next_step="retire it, and let two new ones or more name it; or leave split_from out",
            )


def parts_of(document: Document) -> Sequence[Principle | Criterion]:
    """Return the principles of a constitution in their order, or the criteria of a rubric; of rules, which cannot be
    split, nothing."""
    if isinstance(document, RuleBook):
        return ()
    return document.ordered() if isinstance(document, Constitution) else document.criteria


def bump(version: str, changes: Sequence[Change]) -> str:
    """Return the next semantic version.

    It is major where a rule goes or the order turns, minor where one is added or changed, patch where only
    examples are.
    """
    major, minor, patch = (int(part) for part in version.split("."))
    if any(change.action in ("retired", "split") or change.field == "order" for change in changes):
        return f"{major + 1}.0.0"
    if any(change.field != "examples" for change in changes):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def telling(changes: Sequence[Change]) -> list[Change]:
    """Return the changes without the new numbers that an insertion or another order brings along."""
    return [change for change in changes if change.field != "priority"]


def touched(changes: Sequence[Change]) -> set[str]:
    """Return the ids of the principles or criteria that say or rank something else now."""
    ids = {change.id for change in telling(changes) if change.id}
    for change in changes:
        if change.action == "split":
            ids |= {part["id"] for part in change.new}
        if change.field == "order":
            pairs = zip(change.old, change.new, strict=True)
            ids |= {name for old, new in pairs if old != new for name in (old, new)}
    return ids


def _find(parts: list[dict[str, Any]], edit: Edit) -> dict[str, Any]:
    for part in parts:
        if part["id"] == edit.id:
            return part
    known = ", ".join(part["id"] for part in parts)
    raise UsageError(f"{edit.action}: there is no {edit.id!r}", next_step=f"there are: {known}")


def _edit_principles(parts: list[dict[str, Any]], edit: Edit) -> None:
    parts.sort(key=lambda part: part["priority"])
    if edit.action in ("anchor", "weight"):
        raise UsageError(f"{edit.action}: a principle has none", next_step="amend a rubric for that")
    if edit.action == "add":
        if any(part["id"] == edit.id for part in parts):
            raise UsageError(f"add: there is a principle {edit.id!r} already", next_step="reword it")
        place = len(parts) if edit.priority is None else _place(parts, edit.priority)
        parts.insert(place, {"id": edit.id, "text": edit.text, "examples": edit.examples or []})
    elif edit.action == "retire":
        parts.remove(_find(parts, edit))
    elif edit.action == "split":
        _divide(parts, edit, [{"id": p.id, "text": p.text, "examples": p.examples} for p in edit.into])
    elif edit.action == "reword":
        principle = _find(parts, edit)
        principle["text"] = edit.text
        if edit.examples is not None:
            principle["examples"] = edit.examples
        return
    else:
        principle = _find(parts, edit)
        parts.remove(principle)
        parts.insert(_place(parts, edit.priority or 1), principle)
    for place, part in enumerate(parts, start=1):
        part["priority"] = place


def _divide(parts: list[dict[str, Any]], edit: Edit, made: list[dict[str, Any]]) -> None:
    """Put the parts made for `edit.into` in the place of what they divide, or where their priorities say."""
    divided = _find(parts, edit)
    taken = {part["id"] for part in parts}
    for part in made:
        if part["id"] in taken:
            raise UsageError(
                f"split: there is {part['id']!r} already", next_step="give every part a new id of its own"
            )
        part["split_from"] = edit.id
    placed = list(zip(edit.into, made, strict=True))
    at = parts.index(divided)
    parts[at : at + 1] = [part for asked, part in placed if asked.priority is None]
    ranked = [(asked.priority, part) for asked, part in placed if asked.priority is not None]
    for priority, part in sorted(ranked, key=lambda pair: pair[0]):
        parts.insert(_place(parts, priority), part)


def _place(parts: list[dict[str, Any]], priority: int) -> int:
    return min(priority - 1, len(parts))


def _edit_criteria(parts: list[dict[str, Any]], edit: Edit) -> None:
    if edit.action == "add":
        if any(part["id"] == edit.id for part in parts):
            raise UsageError(f"add: there is a criterion {edit.id!r} already", next_step="reword it")
        added = {
            "id": edit.id,
            "text": edit.text,
            "weight": edit.weight or 1.0,
            "anchors": edit.anchors or {},
        }
        parts.append(added)
        return
    criterion = _find(parts, edit)
    if edit.action == "retire":
        parts.remove(criterion)
    elif edit.action == "split":
        share = criterion["weight"] / len(edit.into)
        new_parts = [
            {
                "id": p.id,
                "text": p.text,
                "weight": p.weight or share,
                "anchors": p.anchors or dict(criterion["anchors"]),
            }
            for p in edit.into
        ]
        _divide(parts, edit, new_parts)
    elif edit.action == "reword":
        criterion["text"] = edit.text
    elif edit.action == "anchor":
        criterion["anchors"][edit.score] = edit.text
    elif edit.action == "weight":
        criterion["weight"] = edit.weight
    else:
        parts.remove(criterion)
        parts.insert(_place(parts, edit.priority or 1), criterion)


def _edit_rules(parts: list[dict[str, Any]], edit: Edit) -> None:
    if edit.action == "retire":
        parts.remove(_find(parts, edit))
        return
    if edit.action not in ("add", "reword") or not (edit.keywords or edit.regex):
        raise UsageError(
            f"{edit.action}: a rule is added or reworded, with keywords or a regex, or retired",
            next_step="retire it and add another",
        )
    way = {"keywords": edit.keywords, "regex": edit.regex}
    if edit.action == "reword":
        rule = _find(parts, edit)
        rule |= {**way, "label": edit.label or rule["label"]}
    elif any(part["id"] == edit.id for part in parts):
        raise UsageError(f"add: there is a rule {edit.id!r} already", next_step="reword it")
    else:
        parts.append({"id": edit.id, "label": edit.label or "", **way})


def find_warnings(draft: Document) -> list[str]:
    """Return what a reader should look at: principles or criteria that say nearly the same, or that differ by a `not`,
    one sentence each. Rules that repeat another are refused instead.
    """
    if isinstance(draft, RuleBook):
        return []
    parts = draft.principles if isinstance(draft, Constitution) else draft.criteria
    words = [(part.id, _words(part.text), _denies(part.text)) for part in parts]
    sentences = []
    for place, (one, ours, no) in enumerate(words):
        for other, theirs, too in words[place + 1 :]:
            shared = len(ours & theirs) / max(1, len(ours | theirs))
            if shared >= ALIKE:
                suspicion = "may contradict each other" if no != too else "say nearly the same"
                sentences.append(
                    f"[{one}] and [{other}] {suspicion} ({shared:.0%} of their words are shared)"
                )
    return sentences


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 3}


def _denies(text: str) -> bool:
    return re.search(r"\b(not|never|no|without|avoids?)\b", text.lower()) is not None
