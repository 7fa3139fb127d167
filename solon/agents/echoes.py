"""What a model repeats of its prompt is cut from its prose, before that becomes a text of ours.

Small models go on in the layout of their prompt: they put their answer between its markers, write its texts and
headings once more, or end with its orders. Only what stands literally in the prompt that was asked counts; a text that
speaks about such things stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from solon.prompts.library import Rendered, without

ECHO = "echo"
"""What is wrong with a draft that is nothing but an echo."""
_LONG = 5
"""From so many words on a line of the frame is cut wherever it stands, a shorter one beside something that is cut."""
_TOLD = ("request", "example", "findings", "guidance")
"""Labels of texts that no answer consists of."""
_MARK = "\0"
"""Stands for the prompt's mark while patterns look for it: no stored text holds this character."""
_DRESS = " \t*_`#>-"
_FINDING = re.compile(
    rf"^[{_DRESS}]*(?:(?:the|a) critic found:?\s*)?(?:-\s*)?\((?:none|minor|major|fatal)\) \[[^\]\n]*\]",
    re.I | re.M,
)
_BARE = re.compile(r"\[(?:end of |[^\[\]\n]* \])", re.I)
_TAG = re.compile(r"(?<![\w\]])\[([\w.-]+)\](?!\()")


def cut(text: str, prompt: Rendered, *, field: str = "", cites: bool = False) -> str:
    """The text without what it repeats of its prompt; empty where nothing else is left, or where the rest is told
    apart by ids of the law.

    Args:
        prompt: what the model was asked.
        field: the name under which the prompt asked for this text, which a model may write in front of it.
        cites: whether the text may name principles and repeat their words, as a reason does.
    """
    text = text.strip()
    if _is_suspect(text, prompt, cites):
        text = _without_frame(text, prompt, cites)
    named = (
        re.match(rf"[{_DRESS}\"']*(?:new |revised )?{field}[*_`\"']*\s*:[*_`]*\s*", text, re.I)
        if field
        else None
    )
    if named and not any(given.startswith(named[0]) for _, given in prompt.fenced):
        text = text[named.end() :]
    return text


def _is_suspect(text: str, prompt: Rendered, cites: bool) -> bool:
    """A cheap look that misses nothing that `_without_frame` would cut."""
    if "[" in text and (_BARE.search(text) or (not cites and any(_tags(text, prompt)))):
        return True
    if without(text, prompt.mark) != text or ("(" in text and _FINDING.search(text)):
        return True
    if f'"{text}"' in prompt.user or f"]\n{text}\n[" in prompt.user:
        return True
    lines = (line.strip(_DRESS) for line in text.split("\n"))
    return any(line in prompt.user or line in prompt.system for line in lines if line.count(" ") >= _LONG - 1)


def _tags(text: str, prompt: Rendered) -> Iterator[str]:
    """The ids of principles that the text names in the way of the prompt and that no given text names so."""
    system = f"\n{prompt.system}"
    for tag in _TAG.findall(text):
        if f"\n[{tag}] " in system and f"[{tag}]" not in prompt.user:
            yield tag


def _without_frame(text: str, prompt: Rendered, cites: bool) -> str:
    given = prompt.fenced
    frame = prompt.frame
    if re.search(rf'"{re.escape(text)}"', frame):  # a field name, or what stands in the place of its value
        return ""
    lines: list[str | None] = []
    for label, part in _parts(text, prompt):
        lines += [] if not lines else [None]
        lines += [None] if _is_given(part, label, given) else _without_request(part, given).split("\n")
    known = frame.split("\n")
    if cites:
        known = [line for line in known if not line.startswith("[")]
    rest = without("\n".join(_own(lines, known)), prompt.mark).strip()
    return "" if not cites and any(_tags(rest, prompt)) else rest


def _parts(text: str, prompt: Rendered) -> Iterator[tuple[str, str]]:
    """The text cut at the markers of the prompt: what follows an opening one with its label, the rest with none."""
    given = prompt.fenced
    labels = tuple(sorted({label for label, _ in given}))
    told = "\n".join(inside for _, inside in given)
    text = re.sub(re.escape(prompt.mark), _MARK, text, flags=re.I)
    sure, plain = _markers(labels)
    found = [m for m in sure.finditer(text) if _MARK in m[0] or m[0].strip(_DRESS + ":") not in told]
    if found:
        alone = [m for m in plain.finditer(text) if m[0] not in told]
        found = sorted([*found, *alone], key=lambda m: m.start())
    begin, label = 0, ""
    for marker in found:
        yield label, text[begin : marker.start()].strip("\n")
        label = (
            "" if "end of" in marker[0].casefold() else (marker["label"] or marker["bare"] or "").casefold()
        )
        begin = marker.end()
    yield label, text[begin:].strip("\n")


@lru_cache(maxsize=64)
def _markers(labels: Sequence[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of what is surely a marker (it holds the mark, or is one whose mark was lost), and of a label in
    brackets on a line of its own, which is one beside others."""
    names = "|".join(map(re.escape, sorted(labels, key=len, reverse=True))) or r"(?!)"
    marked = (
        rf"\[?/?(?:end of )?(?P<label>{names})? ?{_MARK}\]?|\[[^\[\]\n]{{0,80}}{_MARK}[^\[\]\n]{{0,40}}\]?"
    )
    lost = rf"\[/?end of (?:\w+ )?(?:{names}) *\]|\[(?P<bare>{names}) +\]"
    begin, end = rf"(?:^[{_DRESS}]+)?", rf"[ \t]*(?:[{_DRESS}:]+$)?"
    sure = re.compile(rf"{begin}(?:{marked}|{lost}){end}", re.I | re.M)
    return sure, re.compile(rf"^\[/?(?P<label>{names})(?P<bare>)\]$", re.I | re.M)


def _is_given(part: str, label: str, given: Sequence[tuple[str, str]]) -> bool:
    """Whether a part is a given text once more; between markers of its own also a piece of it, but of an answer:
    that may have been shortened."""
    if not part.strip():
        return True
    lines = [line.strip() for line in part.strip().split("\n") if line.strip()]
    for name, inside in given:
        if (name.casefold() == label or (not label and name in _TOLD)) and part.strip() == inside.strip():
            return True
        if name.casefold() == label and "answer" not in label:
            known = [line.strip() for line in inside.split("\n")]
            if set(lines[:-1]) <= set(known) and any(line.startswith(lines[-1]) for line in known):
                return True
    return False


def _without_request(part: str, given: Sequence[tuple[str, str]]) -> str:
    """A part without the whole request as its first paragraph."""
    for label, inside in given:
        if label == "request" and part.startswith(f"{inside.strip()}\n\n"):
            return part[len(inside.strip()) :]
    return part


def _own(lines: list[str | None], frame: Sequence[str]) -> list[str]:
    """The lines that are the model's own; None stands for what is cut already."""
    whole, short = "\n".join(frame), {line.strip(_DRESS).casefold() for line in frame}
    kept = [None if line is not None and _is_frame(line, whole) else line for line in lines]
    filled = [i for i, line in enumerate(kept) if line is None or line.strip()]
    for before, here, after in zip([None, *filled], filled, [*filled[1:], None], strict=False):
        beside = [kept[i] for i in (before, after) if i is not None]
        line = kept[here]
        if line is not None and line.strip(_DRESS).casefold() in short and None in beside:
            kept[here] = None
    return [line for line in kept if line is not None]


def _is_frame(line: str, frame: str) -> bool:
    bare = line.strip(_DRESS)
    return bool(_FINDING.match(line)) or (bare.count(" ") >= _LONG - 1 and bare in frame)
