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
_ANSWERS = ("draft", "answer")
"""Words in labels of answers, of which a piece may be a shorter answer."""
_MARK = "\0"
"""Stands for the prompt's mark while patterns look for it: no stored text holds this character."""
_DRESS = " \t*_`#>-"
_FINDING = re.compile(
    rf"^[{_DRESS}]*(?:(?:the|a) critic found:?\s*)?(?:-\s*)?\((?:none|minor|major|fatal)\) \[([\w.-]+)\]",
    re.I | re.M,
)
"""A line as `Critique.as_text` writes it."""
_FOUND = re.compile(rf"^[{_DRESS}]*(?:what )?(?:the|a) critic found\b[^\n]{{0,40}}:[{_DRESS}]*$", re.I)
"""The heading above such lines, in a model's words."""
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
    return _without_name(text, field, prompt) if field else text


def _without_name(text: str, field: str, prompt: Rendered) -> str:
    """The text without the field's name before it, unless a given text begins so too."""
    found = re.match(
        rf"[\"'{_DRESS}]*(?:(?:new|revised|rewritten|improved|updated) )?{field}[*_`\"']*\s*:[*_`]*\s*",
        text,
        re.I,
    )
    if not found or any(given.startswith(found[0].strip()) for _, given in prompt.fenced):
        return text
    return text[found.end() :]


def _is_suspect(text: str, prompt: Rendered, cites: bool) -> bool:
    """A cheap look that misses nothing that `_without_frame` would cut."""
    if "[" in text and (
        _BARE.search(text) or _FINDING.search(text) or (not cites and any(_tags(text, prompt)))
    ):
        return True
    if without(text, prompt.mark) != text or f'"{text}"' in prompt.user or f"]\n{text}\n[" in prompt.user:
        return True
    lines = [line.strip(_DRESS) for line in text.split("\n") if line.count(" ") >= _LONG - 1]
    ends = [" ".join(text.split(None, _LONG)[:_LONG]), " ".join(text.rsplit(None, _LONG)[-_LONG:])]
    return any(line in prompt.user or line in prompt.system for line in [*lines, *ends])


def _tags(text: str, prompt: Rendered) -> Iterator[str]:
    """The ids of principles that the text names as the prompt does, and that no given text but a critic's names so."""
    ids = [tag for tag in _TAG.findall(text) if f"\n[{tag}] " in f"\n{prompt.system}"]
    told = "\n".join(inside for label, inside in prompt.fenced if label != "findings") if ids else ""
    return (tag for tag in ids if f"[{tag}]" not in told)


def _without_frame(text: str, prompt: Rendered, cites: bool) -> str:
    given, asked = prompt.fenced, prompt.frame
    if f'"{text}"' in asked:  # a field's name, or what stands in the place of its value
        return ""
    # What the law says stands first in a system part: a reason may use its words.
    said = prompt.system.rpartition("\n\n")[2] if cites else prompt.system
    frame = [line.strip(_DRESS) for line in f"{said}\n{asked}".split("\n")]
    lines: list[str | None] = []
    for label, part in _parts(text, prompt):
        lines += [None] if lines else []
        lines += [None] if _is_given(part, label, given) else _without_request(part, given).split("\n")
    kept = [None if line is not None and _is_frame(line, frame, prompt) else line for line in lines]
    rest = _without_orders("\n".join(_own(kept, frame)).strip(), frame)
    return "" if not cites and any(_tags(rest, prompt)) else without(rest, prompt.mark).strip()


def _parts(text: str, prompt: Rendered) -> Iterator[tuple[str, str]]:
    """The text cut at the markers of the prompt: what follows an opening one with its label, the rest with none."""
    told = "\n".join(inside for _, inside in prompt.fenced)
    labels = tuple(sorted({label for label, _ in prompt.fenced}, key=len, reverse=True))
    text = re.sub(re.escape(prompt.mark), _MARK, text, flags=re.I)
    sure, plain = _markers(labels)
    markers = [m for m in sure.finditer(text) if _MARK in m[0] or m[0].strip(_DRESS + ":") not in told]
    if markers:
        markers += [m for m in plain.finditer(text) if m[0] not in told]
    begin, label = 0, ""
    for marker in sorted(markers, key=lambda m: m.start()):
        yield label, text[begin : marker.start()].strip("\n")
        named = marker[0].casefold()
        label = "" if "end of" in named else next((name for name in labels if name.casefold() in named), "")
        begin = marker.end()
    yield label, text[begin:].strip("\n")


@lru_cache(maxsize=64)
def _markers(labels: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of what is surely a marker (it holds the mark, or is one whose mark was lost), and of a label in
    brackets on a line of its own, which is one beside others."""
    names = "|".join(map(re.escape, labels)) or r"(?!)"
    marked = (
        rf"\[[^\[\]\n]{{0,80}}{_MARK}[^\[\]\n]{{0,40}}\]?|[\[(]?/?(?:end of )?(?:{names})? ?{_MARK}[\])]?"
    )
    lost = rf"\[/?end of (?:\w+ )?(?:{names}) *\]|\[(?:{names}) +\]"
    sure = re.compile(rf"(?:^[{_DRESS}]+)?(?:{marked}|{lost})[ \t]*(?:[:{_DRESS}]+$)?", re.I | re.M)
    return sure, re.compile(rf"^\[/?(?:{names})\]$", re.I | re.M)


def _is_given(part: str, label: str, given: Sequence[tuple[str, str]]) -> bool:
    """Whether a part is a given text once more; between markers of its own also a piece of it, but of an answer:
    that may have been shortened."""
    if not part.strip():
        return True
    lines = [line.strip() for line in part.strip().split("\n") if line.strip()]
    for name, inside in given:
        if (name == label or (not label and name in _TOLD)) and part.strip() == inside.strip():
            return True
        if name == label and not any(word in label.casefold() for word in _ANSWERS):
            known = [line.strip() for line in inside.split("\n")]
            if set(lines[:-1]) <= set(known) and any(line.startswith(lines[-1]) for line in known):
                return True
    return False


def _without_request(part: str, given: Sequence[tuple[str, str]]) -> str:
    """A part without the whole request as its first paragraph; one of few words may be how an answer begins."""
    for label, inside in given:
        asked = inside.strip()
        if label == "request" and asked.count(" ") >= _LONG - 1 and part.startswith(f"{asked}\n\n"):
            return part[len(asked) :]
    return part


def _is_frame(line: str, frame: Sequence[str], prompt: Rendered) -> bool:
    """Whether a line is one of the frame or a piece of one, long enough to be nothing else, or a finding."""
    finding, bare = _FINDING.match(line), line.strip(_DRESS)
    if finding and any(label == "findings" for label, _ in prompt.fenced):
        return finding[1] == "general" or f"[{finding[1]}] " in prompt.system
    return bare.count(" ") >= _LONG - 1 and any(bare in known for known in frame)


def _own(lines: list[str | None], frame: Sequence[str]) -> list[str]:
    """The lines that are the model's own: None stands for what is cut, and takes short headings beside it along."""
    headings = {line.casefold() for line in frame}
    filled = [i for i, line in enumerate(lines) if line is None or line.strip()]
    for before, here, after in zip([None, *filled], filled, [*filled[1:], None], strict=False):
        beside = [lines[i] for i in (before, after) if i is not None]
        line = lines[here]
        if line is None or None not in beside:
            continue
        if line.strip(_DRESS).casefold() in headings or _FOUND.match(line):
            lines[here] = None
    return [line for line in lines if line is not None]


def _without_orders(text: str, frame: Sequence[str]) -> str:
    """The text without sentences of the frame at its beginning and its end, on one line with its own."""
    sentences = [s for line in frame for s in re.split(r"(?<=[.!?]) ", line) if s.count(" ") >= _LONG - 1]
    for sentence in sentences:
        text = text.removeprefix(sentence).lstrip()
    for sentence in reversed(sentences):
        text = text.removesuffix(sentence).rstrip()
    return text
