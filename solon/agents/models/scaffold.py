"""Part a model's answer from what it writes beside it: its thinking, and the marks of its chat template. No I/O.

Models think aloud between marks of their own (`<think>`, `[THINK]`, harmony's channels), and a server that does not
know them hands everything over as one text. The answer alone is drafted, judged and exported. A text that speaks about
such a mark, in code or in a quotation, is left as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

_SURE = r"think|thinking|ant_?thinking|longcat_think"
_LOOSE = (
    r"thoughts?|reasoning|reflection|scratchpad|(?:inner_|internal_)(?:monologue|thoughts?)|chain_of_thought"
)
_ROLE = r"assistant|model|bot|chatbot|user|human|system|developer|tool|ipython|functions\.\w{1,60}"
_MARK = re.compile(
    rf"""
    (?=[<\[◁])(?:
    <(?P<end>/?)[ ]?(?:[\w.]{{1,20}}:)?(?P<tag>{_SURE}|{_LOOSE})(?:[ ][\w-]{{1,20}}=[^<>\n]{{0,80}})?[ ]?(?P<empty>/?)>
    | \[(?P<bracket>/?THINK)\] | ◁(?P<kimi>/?think)▷
    | <(?P<channel_mark>[|｜]channel[|｜]?)>\s*(?P<channel>\w{{1,40}})(?P<to>[^<\n]{{0,80}})
    | <[|｜]constrain[|｜]>\s*\w*(?P<constrain>)
    | <(?:[|｜](?:im_start|start|start_header_id|start_of_role|turn|START_OF_TURN_TOKEN)[|｜]?|start_of_turn)>
        [ \t]*(?P<role>{_ROLE})?\b(?P<header>)
    | <[|｜](?P<token>/?[A-Za-z_▁][\w▁:/-]{{0,60}})[|｜]> | <(?P<half>channel|turn)\|>
    | <(?:\w{{1,20}}:)?(?P<plain>/?s|[be]os|eot|pad|unk|[se]op|end_of_(?:turn|utterance))>
    | <(?P<spare>(?:unused|extra_id_|SPECIAL_)\d{{1,4}})>
    | \[(?P<inst>(?-i:/?INST))\] | (?P<noise><<?/?SYS>> | \[(?:gMASK|BOS|EOS|PAD)\]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPEN = re.compile(
    r"(?:(?:begin|start)_(?:of_)?)?(?:think|thinking|thought|reasoning)(?:_start)?|inner_prefix|unused94"
)
_CLOSE = re.compile(
    r"(?:/|end_(?:of_)?)(?:think|thinking|thought|reasoning)|think(?:ing)?_end|inner_suffix|unused95|channel"
)
_END = re.compile(
    r"im_end|end|return|call|/s|eo[sm]|eo[tm]_id|eot|turn"
    r"|end_?of_?(?:text|turn|turn_token|sentence|message|utterance|document)"
)
_ANSWERS = ("assistant", "model", "bot", "chatbot", "chatbot_token", "im_assistant")
_OTHERS = (
    "user",
    "human",
    "system",
    "developer",
    "tool",
    "observation",
    "user_token",
    "system_token",
    "im_user",
)
_EDGES = ("s", "bos", "pad", "unk", "sop", "eop", "noise")
"""Marks that mean something at the edges of a text alone."""
_QUOTED = re.compile(
    r"""`+[^`\n]+`+|(?<!\w)"(?=\S)(?:[^"\\\n]|\\.)*(?<=\S)"(?!\w)|(?<!\w)'[^'\n]{1,200}'(?!\w)"""
    r"""|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|»[^«\n]*«|‘[^’\n]*’|「[^」\n]*」|『[^』\n]*』"""
    r"""|<(code|pre)\b[^<>]{0,80}>(?s:.{0,4000}?)</\1>|^[ ]{0,3}>.*$""",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
_NAMED_BEFORE = re.compile(r"\b(?:tags?|tokens?|elements?|markers?|balises?)[ :]{1,2}$", re.IGNORECASE)
_NAMED_AFTER = re.compile(r"[ -](?:tags?|tokens?|elements?|markers?)\b", re.IGNORECASE)
_INLINE_AFTER = re.compile(r"[,.;:)]{0,2} [^\s<\[]|[,;)]")
_LOST_MARKS = (
    re.compile(r"\s*analysis(?=[\sA-Z])(?P<beside>.*?)assistant\s?final(?P<answer>.*)", re.DOTALL),
    re.compile(
        r"\s*Here(?: is|'s) my thought process:(?P<beside>.*?)Here(?: is|'s) my response:(?P<answer>.*)",
        re.DOTALL,
    ),
)
"""Harmony's channels where the server has left out the special tokens; Granite's words."""
_WRAPPED = re.compile(
    r"\s*<(answer|response|final_answer|output|solution)>(.*)</\1>\s*", re.DOTALL | re.IGNORECASE
)
_REASONS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "thought",
    "thoughts",
    "reasoning_details",
    "summary",
)
"""Names under which servers and libraries hand over thinking that they have split off."""
_TEXTS = ("text", "content", "value", "parts")


@dataclass(frozen=True, slots=True)
class Split:
    """An answer and what was written beside it.

    Attributes:
        text: the answer alone; the text itself, unchanged, where it holds no scaffold.
        reasoning: the thinking, and whatever else is not the answer; empty without any.
        unfinished: thinking was begun and never ended, so that there is no answer.
    """

    text: str
    reasoning: str = ""
    unfinished: bool = False


def split(text: str) -> Split:
    """The answer in a model's text, without the model's own scaffold. Takes time in proportion to the text."""
    for lost in _LOST_MARKS:
        if told := lost.match(text):
            return Split(told["answer"].strip(), told["beside"].strip())
    if "<" not in text and "[" not in text and "◁" not in text:
        return Split(text)
    marks = [_Mark.read(match) for match in _MARK.finditer(text)]
    if not marks:
        return Split(text)
    kept = list(_meant(text, marks))
    if not kept:
        return Split(text)
    found = _part(text, kept)
    if found.unfinished:
        # A fence that the thinking never closed hides its end.
        hidden = [m for m in marks if m.kind == "close" and m not in kept and _on_own_line(text, m)]
        if hidden:
            found = _part(text, sorted([*kept, hidden[-1]], key=lambda mark: mark.start))
    return found


def read_content(content: Any) -> tuple[str, str]:
    """The text and the thinking in an answer's content: a text, nothing, or a list of parts however they nest.

    Raises:
        TypeError: it is none of these.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if isinstance(content, Mapping):
        kind = str(content.get("type") or "")
        is_thought = content.get("thought") is True or any(
            word in kind for word in ("think", "reason", "thought")
        )
        names = (*_REASONS, *_TEXTS) if is_thought else _TEXTS
        values = (content.get(name) for name in names)
        text, beside = read_content(next((value for value in values if value and value is not True), ""))
        return ("", text + beside) if is_thought else (text, beside)
    if not isinstance(content, Sequence):
        raise TypeError(f"the content of the answer is {type(content).__name__}, not text")
    parts = [read_content(part) for part in content]
    return "".join(text for text, _ in parts), "\n\n".join(beside for _, beside in parts if beside)


def read_reasoning(message: Mapping[str, Any]) -> str:
    """The thinking that a server or a library has split off an answer already; empty without any."""
    for name in _REASONS[:-1]:
        value = message.get(name)
        if value and isinstance(value, str | list | Mapping):
            try:
                text = "".join(
                    read_content({"type": "reasoning", **value} if isinstance(value, Mapping) else value)
                )
            except TypeError:
                continue
            if text:
                return text
    return ""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark where it stands. `kind`: open, close, end, header, other (of another's turn), echo or noise."""

    kind: str
    name: str
    start: int
    stop: int

    @classmethod
    def read(cls, match: re.Match[str]) -> _Mark:
        kind, name = _kind(match)
        return cls(kind, name, match.start(), match.end())

    @property
    def loose(self) -> bool:
        """Whether its name may just as well be an element of an XML text that was asked for."""
        return re.fullmatch(_LOOSE, self.name) is not None


def _kind(match: re.Match[str]) -> tuple[str, str]:
    groups = match.groupdict()
    if groups["tag"]:
        name = groups["tag"].lower()
        return ("noise", "noise") if groups["empty"] else ("close" if groups["end"] else "open", name)
    if groups["channel"]:
        name = groups["channel"].lower()
        return ("header", name) if name == "final" or "to=" in groups["to"] else ("open", "channel")
    if groups["header"] is not None:
        role = (groups["role"] or "assistant").lower()
        return ("header" if role in _ANSWERS else "other", role)
    if groups["inst"]:
        return ("echo", "inst") if groups["inst"][0] == "/" else ("other", "inst")
    if groups["constrain"] is not None or groups["noise"]:
        return "noise", "constrain" if groups["noise"] is None else "noise"
    name = next(groups[g] for g in ("bracket", "kimi", "token", "half", "plain", "spare") if groups[g])
    name = name.lower().replace("▁", "_")
    for kind, pattern in (("open", _OPEN), ("close", _CLOSE), ("end", _END)):
        if pattern.fullmatch(name):
            return kind, name
    return ("header" if name in _ANSWERS else "other" if name in _OTHERS else "noise"), name


def _meant(text: str, marks: Sequence[_Mark]) -> Iterator[_Mark]:
    """The marks that are scaffold; the others are spoken about."""
    spans = _quotations(text)
    starts = [start for start, _ in spans]
    first, last = _edges(text, marks)
    strikes = _strikes(marks, first, last)
    opened: set[str] = set()
    pairs = set() if marks[0].kind == "open" and marks[0].start < first else _spoken_pairs(text, marks)
    for mark in marks:
        place = bisect_right(starts, mark.start) - 1
        if (place >= 0 and mark.start < spans[place][1]) or mark in pairs:
            continue
        at_edge = mark.start < first or mark.stop > last
        if mark.name in _EDGES and not at_edge:
            continue
        if mark.name in ("s", "/s") and mark in strikes:
            continue
        if mark.loose:
            if mark.kind == "open":
                opened.add(mark.name)
            if mark.start >= first and mark.kind == "open":
                opened.add(f"<{mark.name}")
            if f"<{mark.name}" in opened:
                continue  # an element of the answer, not at its head
        if (not at_edge or (mark.name == "inst" and mark.start >= first)) and _is_named(text, mark):
            continue
        yield mark


def _is_named(text: str, mark: _Mark) -> bool:
    """Whether the words around a mark speak about it, as in "the <s> tag" or "ends with <|im_end|>, then"."""
    before, after = text[max(0, mark.start - 12) : mark.start], text[mark.stop : mark.stop + 12]
    if _NAMED_BEFORE.search(before) or _NAMED_AFTER.match(after):
        return True
    if mark.kind in ("open", "close", "echo"):
        return False
    if mark.name == "inst":
        return not re.search(r"[\n>.!?…][ ]*$", before)
    return bool(re.search(r"[^\s.!?…:][ (]{1,2}$", before) and _INLINE_AFTER.match(after))


def _spoken_pairs(text: str, marks: Sequence[_Mark]) -> set[_Mark]:
    """Both marks of what is no block, as in "between <think> and </think> stands"."""
    spoken: set[_Mark] = set()
    for one, two in pairwise(marks):
        if (
            one.kind == "open"
            and two.kind == "close"
            and text[one.start - 1 : one.start] in (" ", "(")
            and one.start
        ):
            inside = text[one.stop : min(two.start, one.stop + 40)]
            if re.fullmatch(r" ?[^\s<]{1,8} ?", inside) and text[two.stop : two.stop + 1] in (
                " ",
                ",",
                ".",
                ")",
            ):
                spoken |= {one, two}
    return spoken


def _strikes(marks: Sequence[_Mark], first: int, last: int) -> set[_Mark]:
    """The `<s>` and `</s>` that strike a text through, as HTML does, and neither begin nor end a turn."""
    struck: set[_Mark] = set()
    begun: _Mark | None = None
    for mark in marks:
        if mark.name == "s":
            begun = mark
        elif mark.name == "/s" and begun is not None:
            if begun.start >= first or mark.stop <= last:
                struck |= {begun, mark}
            begun = None
    return struck


def _edges(text: str, marks: Sequence[_Mark]) -> tuple[int, int]:
    """Where the text inside the marks at its two ends begins and stops."""
    first, last = 0, len(text)
    for mark in marks:
        if text[first : mark.start].strip():
            break
        first = mark.stop
    for mark in reversed(marks):
        if text[mark.stop : last].strip():
            break
        last = mark.start
    return first, last


def _quotations(text: str) -> list[tuple[int, int]]:
    """Where code and quotations stand, in order, without overlaps."""
    spans: list[tuple[int, int]] = []
    begun: re.Match[str] | None = None
    for line in _FENCE.finditer(text):
        if begun is None:
            begun = line
        elif line[1].startswith(begun[1]) and not line[2].strip():
            spans.append((begun.start(), line.end()))
            begun = None
    fences = list(spans)
    stops = [start for start, _ in fences]
    for found in _QUOTED.finditer(text):
        place = bisect_right(stops, found.start()) - 1
        if place < 0 or found.start() >= fences[place][1]:
            spans.append(found.span())
    return sorted(spans)


def _on_own_line(text: str, mark: _Mark) -> bool:
    return text[mark.start - 1 : mark.start] == "\n" and text[mark.stop : mark.stop + 1] in ("\n", "")


@dataclass(slots=True)
class _Turn:
    """What has been read of a text up to a mark."""

    answer: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    aside: bool = False
    thinking: bool = False
    closed: bool = False
    ended: bool = False
    answered: bool = False

    def add(self, piece: str) -> None:
        beside = self.aside or self.ended
        (self.beside if beside else self.answer).append(piece)
        self.answered = self.answered or (not beside and bool(piece.strip()))

    def take(self, kind: str, more: bool) -> None:
        """Go on after a mark. `more`: there is text after it."""
        if self.ended or kind == "noise":
            return
        if kind == "open":
            self.aside = self.thinking = True
        elif kind in ("close", "echo"):
            if not self.aside and (more or not self.closed):  # its begin was in the prompt
                self.beside += self.answer
                self.answer, self.answered = [], False
            self.aside = self.thinking = False
            self.closed = True
        elif self.answered and not (self.thinking and kind == "end"):
            self.ended = True
        elif kind != "end":
            self.aside, self.thinking = kind == "other", False


def _part(text: str, marks: Sequence[_Mark]) -> Split:
    turn, place = _Turn(), 0
    last = max(
        (m.stop for m, n in zip(marks, [*marks[1:], None], strict=True) if _follows(text, m, n)), default=-1
    )
    for mark in marks:
        turn.add(text[place : mark.start])
        turn.take(mark.kind, more=mark.stop <= last)
        place = mark.stop
    turn.add(text[place:])
    answer = "".join(turn.answer).strip()
    beside = "\n\n".join(piece.strip() for piece in turn.beside if piece.strip())
    if turn.closed and (wrapped := _WRAPPED.fullmatch(answer)):
        answer = wrapped[2].strip()
    return Split(answer, beside, unfinished=turn.thinking and not answer)


def _follows(text: str, mark: _Mark, following: _Mark | None) -> bool:
    """Whether text stands between a mark and the next."""
    return bool(text[mark.stop : following.start if following else len(text)].strip())
