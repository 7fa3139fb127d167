"""What a model repeats of its prompt is cut from what it wrote, before that becomes a text of ours.

Small models go on in the layout of their prompt: they put their answer between its markers, write its texts and
headings once more, or end with its orders. Cut is only what nobody but the prompt says: its mark, its own sentences,
its law under the ids, lines as a critic's findings are shown; and what stands beside such a thing and repeats the
prompt, too. Whatever the texts in the prompt hold themselves may be said again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from pydantic import BaseModel

from solon.prompts.library import MARK, Rendered, without

ECHO = "echo"
"""What is wrong with a draft that is nothing but an echo."""
_CUT = "\2"
"""Stands for a line that was cut, until what is beside it has been looked at."""
_DRESS = " \t*_`#>-"
_ALIKE = 0.76
"""Similarity of two words of six letters or seven that differ in one of them, or have one more."""
_LAST_WORD = re.compile(r"(?<![^\W_])[0-9a-f]{5,7}(?=\])", re.I)
_FEW = 4
"""A request of fewer blanks is repeated by chance."""
_TOLD = ("request", "example", "findings")
"""Labels of texts of which no answer consists."""
_ANSWERS = ("draft", "answer")
"""Words in labels of answers, of which a piece may be a shorter answer."""
_FINDING = re.compile(
    rf"^[{_DRESS}]*(?:(?:the|a) critic found:?\s*)?(?:-\s*)?\((?:none|minor|major|fatal)\) \[([\w.-]+)\]",
    re.I | re.M,
)
"""A line as `Critique.as_text` writes it."""
_FOUND = re.compile(
    rf"^[{_DRESS}]*(?:what )?(?:the|a) critic found\b[^\n.!?]{{0,40}}:[{_DRESS}]*$", re.I | re.M
)
"""The heading above such lines, in a model's words."""
_LOST = re.compile(rf"^[{_DRESS}]*\[(?:/?end of [\w ]+|[\w ]+ )\][:{_DRESS}]*$", re.I | re.M)
"""What may be a marker that lost its mark."""
_TAG = re.compile(r"(?<![\w\]])\[([a-z][a-z0-9]*(?:-[a-z0-9]+)+)\](?!\(|[ \t]*$)", re.M)
"""An id of two words or more in brackets, with something behind it on its line: no other notation looks so."""
_EXCHANGE = re.compile(
    rf"^[{_DRESS}]*(?:q|question|a|answer|request|response|user|input|output|status|headers?|body)\b[^\n:]{{0,20}}:",
    re.I | re.M,
)
"""A line of a dialogue or a form, in which a field's name is one of several."""


def own_words(answer: Any, prompt: Rendered, *, cites: bool, field: str = "") -> Any:
    """A structured answer without what its texts repeat of the prompt.

    Args:
        answer: the answer, or a value in it; what is no text stays as it is.
        prompt: what the model was asked.
        cites: see `cut`.
        field: the name of the value.
    """
    if isinstance(answer, str):
        return cut(answer, prompt, field=field, cites=cites)
    if isinstance(answer, list):
        return [own_words(value, prompt, cites=cites, field=field) for value in answer]
    if isinstance(answer, BaseModel):
        own = {
            name: words
            for name, value in answer
            if (words := own_words(value, prompt, cites=cites, field=name)) != value
        }
        return answer.model_copy(update=own) if own else answer
    return answer


def cut(text: str, prompt: Rendered, *, field: str = "", cites: bool = False) -> str:
    """The text without what it repeats of its prompt; empty where nothing else is left, or where the rest speaks of
    the critic or is told apart by ids of the law.

    Args:
        prompt: what the model was asked.
        field: names under which the prompt asked for this text, `|` between them, which a model may write before it.
        cites: whether the text may name principles and repeat their words, as a reason does.
    """
    text = text.strip()
    if not prompt.mark:  # a run that was begun before goes on as it began
        return text
    if "[" in text:
        text = _spelled_right(text, prompt)
    if _is_suspect(text, prompt, cites):
        text = _without_frame(text, prompt, cites)
    return _without_name(text, field, prompt) if field else text


def _spelled_right(text: str, prompt: Rendered) -> str:
    """The text with the prompt's mark where its last word in brackets is that mark but for a character, as a small
    model misspells it; what a given text says may be said again."""

    def mend(found: re.Match[str]) -> str:
        near = SequenceMatcher(None, found[0].casefold(), prompt.mark).ratio() >= _ALIKE
        return (
            prompt.mark if near and not any(found[0] in inside for _, inside in prompt.fenced) else found[0]
        )

    return _LAST_WORD.sub(mend, text)


def _is_suspect(text: str, prompt: Rendered, cites: bool) -> bool:
    """A cheap look that misses nothing that `_without_frame` would cut."""
    if prompt.mark in text.casefold():
        return True
    if any(order in text for order in prompt.orders) or f"]\n{text}\n[" in prompt.user:
        return True
    if "[" in text and (_LOST.search(text) or _FINDING.search(text) or (not cites and _tag(text, prompt))):
        return True
    return ("ritic found" in text and bool(_FOUND.search(text))) or _is_placeholder(text, prompt)


def _is_placeholder(text: str, prompt: Rendered) -> bool:
    """Whether a text is what the prompt shows in the place of one, such as "the new task"."""
    shown = " " in text or text == "..."
    return shown and len(text) < 80 and any(f'"{text}"' in order for order in prompt.orders)


def _tag(text: str, prompt: Rendered) -> str:
    """The first id of a principle that the text names as the prompt does and no given text but a critic's does."""
    ids = [tag for tag in _TAG.findall(text) if f"\n[{tag}] " in f"\n{prompt.system}"]
    told = "\n".join(inside for label, inside in prompt.fenced if label != "findings") if ids else ""
    return next((tag for tag in ids if f"[{tag}]" not in told), "")


def _without_name(text: str, field: str, prompt: Rendered) -> str:
    """The text without the field's name before it, unless the prompt's texts use that too or it is one of several."""
    newly = "(?:(?:new|revised|rewritten|improved|updated|final) )?"
    found = re.match(rf"[\"'{_DRESS}]*{newly}(?:{field})[*_`\"']*\s*:[*_`]*\s*", text, re.I)
    if not found:
        return "" if " " not in text and text.casefold() in field.split("|") else text
    name = found[0].strip(_DRESS + "\"'").casefold()
    if _EXCHANGE.search(text, found.end()) or any(name in given.casefold() for _, given in prompt.fenced):
        return text
    return text[found.end() :]


def _without_frame(text: str, prompt: Rendered, cites: bool) -> str:
    if _is_placeholder(text, prompt):
        return ""
    given = prompt.fenced
    told = "\n".join(inside for label, inside in given if label != "findings")
    criticised = any(label == "findings" for label, _ in given)
    law = () if cites else prompt.system.split("\n")
    orders = [order for order in prompt.orders if order not in told]
    text = re.sub(prompt.mark, MARK, text, flags=re.I)
    text = "\n".join(
        line
        if line in told
        else _CUT
        if _is_principle(line, law) or (criticised and _is_finding(line, prompt))
        else _without_orders(line, orders, prompt.headings)
        for line in text.split("\n")
    )
    parts = list(_parts(text, [label for label, _ in given], told))
    is_echo = len(parts) > 1 or _CUT in text
    repeats = [_repeats(part, label, given) for label, part in parts]
    lines: list[str] = []
    for (_, part), repeat in zip(parts, repeats, strict=True):
        own = _without_request(part, given) if is_echo else part
        lines += [_CUT] if lines else []
        lines += [_CUT] if repeat == "all" or (repeat == "lines" and "" in repeats) else own.split("\n")
    rest = without("\n".join(_own(lines, prompt.headings)).replace(MARK, "").strip(), prompt.mark).strip()
    speaks_of_us = criticised and "critic" not in told.casefold() and _FOUND.search(rest)
    return "" if not cites and (_tag(rest, prompt) or speaks_of_us) else rest


def _without_orders(line: str, orders: Sequence[str], headings: frozenset[str]) -> str:
    """A line without the prompt's sentences at its beginning and its end, and without a short one beside them."""
    own, before = line, ""
    while own != before:
        before = own
        for order in orders:
            bare = own.strip(_DRESS)
            if bare.startswith(order):
                own = bare[len(order) :].lstrip()
            elif bare.endswith(order):
                own = own[: own.rindex(order)].rstrip()
    if own == line:
        return line
    return _CUT if own.strip(_DRESS).casefold() in headings | {""} else own


def _parts(text: str, labels: Sequence[str], told: str) -> Iterator[tuple[str, str]]:
    """The text cut at the prompt's markers: what follows an opening one with its label, the rest with none.

    A marker holds the mark. One that lost it counts beside others, or as the first or the last line; so does
    a pair of them, of which the first may be a label alone.
    """
    names = "|".join(map(re.escape, sorted(set(labels), key=len, reverse=True))) or r"(?!)"
    inside = r"[^\[\](){}<>\n]"
    bracketed = rf"\\?[\[({{<]{inside}{{0,80}}{MARK}{inside}{{0,40}}[\])}}>]?"
    bare = rf"/?(?:end of )?(?:{names})?:? ?{MARK}[\])}}>]?"
    marked = rf"(?:^[{_DRESS}]+)?(?:{bracketed}|{bare})[ \t]*(?:[:{_DRESS}]+$)?"
    ended = rf"{names}|{'|'.join(_ANSWERS)}"
    unmarked = rf"^[{_DRESS}]*\[(?:/?end of (?:\w+ )?(?:{ended}) *|(?:{names}) +)\][:{_DRESS}]*$"
    sure = list(re.finditer(marked, text, re.I | re.M))
    lost = [m for m in re.finditer(unmarked, text, re.I | re.M) if m[0].strip(_DRESS + ":") not in told]
    plain = [m for m in re.finditer(rf"^\[/?(?:{names})\]$", text, re.I | re.M) if m[0] not in told]
    closing = [m.start() for m in lost if "end of" in m[0].casefold()]
    paired = any(m.start() < max(closing, default=0) for m in (*plain, *lost) if m.start() not in closing)
    if sure or paired or any(m.start() == 0 or m.end() == len(text) for m in lost):
        sure += [*lost, *plain]
    begin, label = 0, ""
    for marker in sorted(sure, key=lambda m: m.start()):
        yield label, text[begin : marker.start()].removeprefix("\n").removesuffix("\n")
        named = marker[0].casefold()
        ends = "end of" in named or "[/" in named
        label = "" if ends else next((name for name in labels if name.casefold() in named), "")
        begin = marker.end()
    yield label, text[begin:].removeprefix("\n")


def _repeats(part: str, label: str, given: Sequence[tuple[str, str]]) -> str:
    """What a part repeats: `all` of a given text, or its beginning; between markers of its own also `lines` of it,
    which may be the answer where there is no other, but never of an answer, which may have been shortened; else
    nothing."""
    lines = [line.strip() for line in part.strip().split("\n") if line.strip()]
    if not lines:
        return "all"
    for name, inside in given:
        told = not label and name in _TOLD and part.strip().count(" ") >= _FEW
        if (name == label or told) and part.strip() == inside.strip():
            return "all"
        if name == label and not any(word in label.casefold() for word in _ANSWERS):
            known = [_CUT, *(line.strip() for line in inside.split("\n"))]
            if {*lines} <= {*known}:
                return "lines"
            if {*lines[:-1]} <= {*known} and any(line.startswith(lines[-1]) for line in known):
                return "all"
    return ""


def _without_request(part: str, given: Sequence[tuple[str, str]]) -> str:
    """A part without the whole request as its first paragraph; one of few words may be how an answer begins."""
    for label, inside in given:
        asked = inside.strip()
        if label not in ("request", "example") or asked.count(" ") < _FEW:
            continue
        if part.lstrip().startswith(f"{asked}\n"):
            return part.lstrip()[len(asked) :]
    return part


def _is_principle(line: str, law: Sequence[str]) -> bool:
    """Whether a line is one of the law with its id."""
    bare = line.strip(_DRESS)
    return bare.startswith("[") and bare in law


def _is_finding(line: str, prompt: Rendered) -> bool:
    """Whether a line is a finding as prompts show them."""
    found = _FINDING.match(line)
    return bool(found) and (found[1] == "general" or f"[{found[1]}] " in prompt.system)  # type: ignore[index]


def _own(lines: Sequence[str], headings: frozenset[str]) -> list[str]:
    """The lines that are the model's own: what is cut takes the prompt's headings beside it along."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    kept = list(lines)
    for before, here, after in zip([None, *filled], filled, [*filled[1:], None], strict=False):
        beside = _CUT in [lines[i] for i in (before, after) if i is not None]
        bare = lines[here].strip(_DRESS)
        if beside and (bare.casefold() in headings or _FOUND.match(lines[here])):
            kept[here] = _CUT
    return [line for line in kept if line != _CUT]
