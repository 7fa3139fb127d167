"""Turns of a conversation in whatever spelling: role and content, from and value, parts, tool calls, pairs of
texts, transcripts. Imports `json_values` and `paths` only and touches no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from solon.formats.json_values import show
from solon.formats.paths import decoded

Turn = dict[str, str]

SPOKEN_BY: Mapping[str, str] = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(("assistant", "gpt", "ai", "bot", "chatbot", "chatgpt", "model"), "assistant"),
    **dict.fromkeys(("bing", "bard", "claude", "function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(
        ("tool", "function", "observation", "tool_response", "function_response", "ipython"), "tool"
    ),
}
"""A role as files spell it, in lower case -> ours."""
ROLE_KEYS, TEXT_KEYS = ("role", "from", "speaker", "sender"), ("content", "value", "text", "message")
"""Names under which a message says who speaks, and what."""
_CALLS = ("tool_calls", "function_call")
_ASKED, _REPLIED = ("input", "user", "human", "question", "prompt", "instruction"), (
    "output", "assistant", "gpt", "answer", "response", "bot",
)  # fmt: skip
_MEDIA = ("image", "audio", "video", "file")


def read_turns(value: Any) -> list[Turn]:
    """Return the turns of a conversation as role (system, user, assistant, tool) and content.

    A turn may be an object with role and content or from and value, with its content as text or as a list of
    text parts; its tool calls are kept as JSON below its content. A list of pairs, [asked, answered] or
    objects such as {input, output}, is understood too. A text is read as JSON.

    Raises:
        ValueError: saying in words which turn cannot be read, and why.
    """
    items = _items_of(value)
    if not items:
        raise ValueError(f"it is no list of messages: {show(value, 60)}")
    return [turn for place, item in enumerate(items) for turn in _read_item(item, f"[{place}]")]


def find_turns(value: Any) -> list[Any] | None:
    """Return `value` as a list of messages if it is one, one message alone, or the JSON text of either; None
    where it is anything else, such as a request that happens to be JSON.
    """
    items = _items_of(value)
    return list(items) if items and all(map(_is_message, items)) else None


def list_extras(value: Any) -> list[dict[str, Any]]:
    """Return for each message what it says beside role and content (names, weights, reasoning); an empty list
    where no message says anything else.
    """
    extras = [_extras_of(item) if isinstance(item, Mapping) else {} for item in _items_of(value)]
    return extras if any(extras) else []


def read_transcript(text: str) -> list[Turn] | None:
    """Return the turns of a transcript as text ("Human: ... Assistant: ..."); None where the text is none.

    A transcript begins with a label of the user or the system, and has one of the assistant. Where its labels
    follow an empty line, only such labels count: one within a turn is a part of it. The tokens of a chat template
    are labels, too. A last label without a text, which asks for the answer, is no turn.
    """
    if "<extra_id_1>" in text and not text.lstrip().startswith("<extra_id_"):
        text = f"<extra_id_1>User\n{text}"  # as HelpSteer 2 writes longer prompts
    marks = _marks_of(text)
    if not marks or marks[0].start() or SPOKEN_BY[marks[0]["who"].lower()] not in ("user", "system"):
        return None
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    turns = [
        {"role": SPOKEN_BY[mark["who"].lower()], "content": _ENDS.sub("", text[mark.end() : end]).strip()}
        for mark, end in zip(marks, ends, strict=True)
    ]
    if not {"user", "assistant"} <= {turn["role"] for turn in turns}:
        return None
    return turns if turns[-1]["content"] or turns[-1]["role"] != "assistant" else turns[:-1]


def _marks_of(text: str) -> list[re.Match[str]]:
    tokens = list(_TOKEN.finditer(text)) if "<" in text else []
    if tokens:
        return tokens
    first = _LABEL.match(text)
    marks = [mark for mark in _LABEL.finditer(text) if first and mark["form"] == first["form"]]
    apart = [mark for mark in marks if mark.start() == 0 or mark["gap"].count("\n") > 1]
    return apart if len(apart) > 1 else marks


_SPEAKERS = "Human|User|System|Assistant|AI|Bot|GPT|ChatGPT|Prompter"
_LABEL = re.compile(
    rf"(?P<gap>^\s*|\n[^\S\n]*(?:\n[^\S\n]*)*)(?P<form>#{{1,4}} ?|\*\*)?(?P<who>{_SPEAKERS})(?:\*\*:|:\*\*|:)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"\s*(?:<s>|<bos>|<\|begin_of_text\|>)?\s*"
    r"(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<extra_id_[01]>|<\|(?=\w+\|>))"
    rf"(?P<who>{_SPEAKERS}|model)(?:<\|end_header_id\|>|\|>)?[^\S\n]*(?:\n|$)",
    re.IGNORECASE,
)
_ENDS = re.compile(r"(?:\s*(?:</s>|<eos>|<\|(?:im_end|eot_id|end|endoftext)\|>|<end_of_turn>))+\s*$")


def text_of(content: Any, where: str = "content") -> str:
    """Return a message's content as one text: itself, or its text parts joined.

    Raises:
        ValueError: it is neither, or has a part that is no text; `where` names it.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        return "".join(_part(part, where) for part in content)
    raise ValueError(f"{where} is no text: {show(content, 60)}")


def _items_of(value: Any) -> Sequence[Any]:
    value = decoded(value)
    if isinstance(value, Mapping):
        return [value]
    return value if isinstance(value, (list, tuple)) else ()


def _is_message(item: Any) -> bool:
    return (
        isinstance(item, Mapping)
        and first_of(item, ROLE_KEYS) is not None
        and (first_of(item, TEXT_KEYS) is not None or first_of(item, _CALLS) is not None)
    )


def first_of(item: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    """Return the first of the keys that an object has."""
    return next((key for key in keys if key in item), None)


def _read_item(item: Any, where: str) -> list[Turn]:
    if isinstance(item, (list, tuple)) and len(item) == 2:
        return [_plain("user", item[0], where), _plain("assistant", item[1], where)]
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} is no message: {show(item, 60)}")
    if first_of(item, ROLE_KEYS) is not None:
        return [_read_message(item, where)]
    asked, replied = first_of(item, _ASKED), first_of(item, _REPLIED)
    if asked is None or replied is None:
        raise ValueError(f"{where} has no role: {json.dumps(item, default=str):.80}")
    return [_plain("user", item[asked], where), _plain("assistant", item[replied], where)]


def _plain(role: str, content: Any, where: str) -> Turn:
    return {"role": role, "content": text_of(content, where)}


def _read_message(item: Mapping[str, Any], where: str) -> Turn:
    spelled = item[first_of(item, ROLE_KEYS) or ""]
    role = SPOKEN_BY.get(spelled.strip().lower()) if isinstance(spelled, str) else None
    if role is None:
        raise ValueError(f"{where} has the role {show(spelled, 40)}, which is not understood")
    key = first_of(item, TEXT_KEYS)
    content = item[key] if key is not None else None
    calls = [_call(call) for name in _CALLS for call in _as_list(item.get(name))]
    texts = [text_of(content, where)] if content is not None or not calls else []
    return {"role": role, "content": "\n".join([*filter(None, texts), *calls])}


def _as_list(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else [value]


def _call(call: Any) -> str:
    inner = call.get("function", call) if isinstance(call, Mapping) else call
    return inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False, default=str)


def _part(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = str(part.get("type", "")) if isinstance(part, Mapping) else type(part).__name__
    if any(medium in kind for medium in _MEDIA):
        raise ValueError(f"{where} has an image, audio, video or file part ({kind:.40})")
    if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
        raise ValueError(f"{where} has a part without text ({kind:.40})")
    return str(part["text"])


def _extras_of(item: Mapping[str, Any]) -> dict[str, Any]:
    plain = first_of(item, ROLE_KEYS) is not None
    used = {
        first_of(item, ROLE_KEYS if plain else _ASKED),
        first_of(item, TEXT_KEYS if plain else _REPLIED),
        *_CALLS,
    }
    extras = say_beside(item, used)
    beside = {name: [_beside(call) for call in _as_list(item.get(name))] for name in _CALLS if plain}
    return extras | {name: facts for name, facts in beside.items() if any(facts)}


def _beside(call: Any) -> dict[str, Any]:
    """What a tool call says beside the function that it calls, such as its id."""
    if not isinstance(call, Mapping) or "function" not in call:
        return {}
    return say_beside(call, {"function"})


def say_beside(item: Mapping[str, Any], used: Collection[str | None]) -> dict[str, Any]:
    """Return what an object, such as a message, says beside the keys that are used, where it says anything there."""
    return {key: value for key, value in item.items() if key not in used and value not in (None, "", [], {})}
