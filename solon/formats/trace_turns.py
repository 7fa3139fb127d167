"""What was said in a traced call, in whatever spelling: turns as seeds have them, tool turns included.

Understood are messages with role and content (OpenAI, Anthropic), with role and parts (OpenTelemetry's conventions for
generative AI), OpenInference's, LangChain's in each of its forms, lists of any of these, and objects around them or
around a text. Images and the like are counted, and a mark such as `[image left out]` stands in their place; what else
is no text is kept aside. Touches no file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solon.formats.imported import as_object
from solon.formats.json_values import show
from solon.formats.layouts import ASKED
from solon.formats.paths import decoded, is_absent
from solon.formats.presets import ANSWERED
from solon.formats.seed_rows import RowProblem
from solon.formats.turns import SPOKEN_BY

Turn = dict[str, Any]

_AROUND = ("messages", "message", "choices", "generations", "output", "outputs", "input", "inputs", "data")
_TEXTS = {"user": ASKED, "assistant": (*ANSWERED, "text", "content", "result"), "system": ("content", "text")}
_PARTS = ("parts", "contents", "content")
_TOOL_CALLS = ("tool_call", "tool_use", "function_call", "server_tool_call")
_TOOL_ANSWERS = ("tool_call_response", "tool_result", "function_call_output", "server_tool_call_response")
_MEDIA = ("image", "audio", "video", "document", "file", "blob", "uri", "media")
_MARK = re.compile(r"\[[^\W_]+ left out\]")
_LANGFUSE_MEDIA = re.compile(r"@@@langfuseMedia:type=(\w+)[^@]{0,500}@@@")
_LANGCHAIN = {
    "human": "user", "ai": "assistant", "aimessagechunk": "assistant", "system": "system", "tool": "tool",
    "function": "tool", "developer": "system",
}  # fmt: skip
LANGCHAIN_FORMAT = 1
"""The number under `lc` in a serialized object of LangChain that is understood."""


@dataclass(slots=True)
class Call:
    """A request and its answer.

    Attributes:
        messages: the turns before the answer, as seeds have them.
        answer: its text.
        further: other answers to the same request.
        left_out: medium -> number of parts that are no text.
        aside: what the messages say beside role, text and tools, such as reasoning and reasons to finish.
    """

    messages: list[Turn] = field(default_factory=list)
    answer: str = ""
    further: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    aside: list[Any] = field(default_factory=list)


def read_call(asked: Any, answered: Any, system: Any = None) -> Call:
    """Return the turns of a call and its answer.

    Args:
        asked: the request in any spelling.
        answered: the answer, several of them, or the whole conversation with the answer at its end.
        system: a system prompt that stands apart.

    Raises:
        RowProblem: there is no request or no answer in words, or a turn cannot be read.
    """
    call = Call()
    turns, answers = _turns(asked, "user", call), _turns(answered, "assistant", call)
    before = _turns(system, "system", call)
    if not turns and not answers:
        raise RowProblem(
            "neither request nor answer was recorded; tracers record texts only where they are told to"
        )
    if not answers:
        raise RowProblem("there is no answer")
    if any(turn["role"] != "assistant" for turn in answers):  # the whole conversation
        turns, answers = (answers if answers[: len(turns)] == turns else [*turns, *answers]), []
        answers = [turns.pop()]
    if not turns:
        raise RowProblem("there is no request")
    if answers[0]["role"] != "assistant" or answers[0].get("tool_calls"):
        raise RowProblem("the answer calls tools, or is a tool's; it is no answer in words")
    call.messages = turns if turns[0]["role"] == "system" else [*before, *turns]
    call.answer, *call.further = (turn["content"] for turn in answers)
    return call


def _turns(value: Any, speaker: str, call: Call) -> list[Turn]:
    """The turns of a value; a text without a role is the speaker's."""
    value = decoded(value)
    if isinstance(value, str):
        return [{"role": speaker, "content": value}] if words_of(value := _without_media(value, call)) else []
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(one, str) for one in value) and value[0].lower() in SPOKEN_BY:
            return _message({"role": value[0], "content": value[1]}, call)
        if value and all(_is_part(one) for one in value):
            return _message({"role": speaker, "parts": value}, call)
        return [turn for one in value for turn in _turns(one, speaker, call)]
    if isinstance(value, Mapping):
        return _of_object(value, speaker, call)
    if value is None:
        return []
    return [{"role": speaker, "content": json.dumps(value, default=str)}]


def _of_object(value: Mapping[str, Any], speaker: str, call: Call) -> list[Turn]:
    message = _as_message(value)
    if message is not None:
        return _message(message, call)
    around = next(
        (key for key in _AROUND if isinstance(decoded(value.get(key)), (Mapping, list)) and value[key]), None
    )
    if around is not None:
        _keep({key: part for key, part in value.items() if key not in (around, "text")}, call)
        return _turns(value[around], speaker, call)
    texts = {key: part for key, part in value.items() if isinstance(part, str) and part.strip()}
    named = [key for key in _TEXTS[speaker] if key in texts] or (list(texts) if len(texts) == 1 else [])
    named = named[:1] if speaker == "assistant" else named
    if not named:  # an object as the text that it is
        return (
            [{"role": speaker, "content": json.dumps(value, ensure_ascii=False, default=str)}]
            if value
            else []
        )
    _keep({key: part for key, part in value.items() if key not in named}, call)
    return _turns_of_text("\n".join(texts[key] for key in named), speaker, call)


def _turns_of_text(text: str, speaker: str, call: Call) -> list[Turn]:
    text = _without_media(text, call)
    return [{"role": speaker, "content": text}] if words_of(text) else []


def _as_message(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A message as an object with `role`, of whichever kind it is; None where it is none."""
    if isinstance(value.get("lc"), int) and "kwargs" in value:
        if value["lc"] != LANGCHAIN_FORMAT:
            raise RowProblem(
                f"a message is in LangChain's format lc {value['lc']}; this Solon reads lc {LANGCHAIN_FORMAT}"
            )
        name = str((value.get("id") or [""])[-1]).lower().partition("message")[0]
        inner = value["kwargs"] if isinstance(value["kwargs"], Mapping) else {}
        return {"role": _LANGCHAIN.get(name, name), **inner}
    kind = _LANGCHAIN.get(str(value.get("type")).lower())
    if kind and isinstance(value.get("data"), Mapping):
        return {"role": kind, **value["data"]}
    if kind and "content" in value and "role" not in value:
        return {"role": kind, **value}
    wanted = (*_PARTS, "tool_calls", "function_call")
    return value if isinstance(value.get("role"), str) and any(key in value for key in wanted) else None


def _message(value: Mapping[str, Any], call: Call) -> list[Turn]:
    """The turns of one message: its tool answers are turns of their own."""
    role = SPOKEN_BY.get(str(value["role"]).strip().lower())
    if role is None:
        raise RowProblem(f"a message has the role {show(value['role'], 40)}, which is not understood")
    said = next((value[key] for key in _PARTS if not is_absent(value.get(key))), "")
    texts: list[str] = []
    calls = [_tool_call(one) for one in _as_list(value.get("tool_calls"))]
    calls += [_tool_call(one) for one in _as_list(value.get("function_call"))]
    answers: list[Turn] = []
    before = call.left_out.total()
    for part in [said] if isinstance(said, (str, Mapping)) else _as_list(said):
        _sort_part(part, texts, calls, answers, call)
    _keep({key: part for key, part in value.items() if key not in _OF_MESSAGE}, call)
    text = "".join(texts)
    text = text.strip("\n") if call.left_out.total() > before else text
    turn: Turn = {"role": role, "content": text}
    if role == "tool":
        turn |= {
            to: str(value[of])
            for of, to in (("tool_call_id", "tool_call_id"), ("name", "name"))
            if value.get(of)
        }
    if calls and role == "assistant":
        known = {one.get("id") or one["function"]["name"]: one for one in reversed(calls)}
        turn["tool_calls"] = list(reversed(known.values()))
    if words_of(text) or "tool_calls" in turn or (answers and text.strip()):
        return [*answers, turn]
    if not answers and call.left_out.total() > before:
        raise RowProblem(
            f"a turn of {role} has no text beside an image, audio, video or file; seeds are text only"
        )
    return answers or ([turn] if role != "assistant" else [])


_OF_MESSAGE = ("role", "type", "tool_calls", "function_call", "tool_call_id", "name", *_PARTS)


def _sort_part(part: Any, texts: list[str], calls: list[Turn], answers: list[Turn], call: Call) -> None:
    """Put one part of a message where it belongs."""
    if isinstance(part, Mapping) and isinstance(part.get("message_content"), Mapping):
        part = part["message_content"]
    if isinstance(part, str):
        texts.append(_without_media(part, call))
        return
    if not isinstance(part, Mapping):
        call.aside.append(part)
        return
    kind = str(part.get("type") or "text")
    text = part.get("text", part.get("content"))
    if kind in ("text", "input_text", "output_text") and isinstance(text, str):
        texts.append(_without_media(text, call))
    elif kind in _TOOL_CALLS:
        calls.append(_tool_call(part))
    elif kind in _TOOL_ANSWERS:
        answers.append(_tool_answer(part))
    elif medium := _medium(part, kind):
        texts.append(f"\n{_leave_out(medium, call)}\n")
    else:  # reasoning, and what later versions bring
        call.aside.append(dict(part))


def _medium(part: Mapping[str, Any], kind: str) -> str | None:
    """What a part that is no text shows: image, audio, video, document, file; None where it is something else."""
    told = next((word for word in _MEDIA if word in kind), None)
    if told in ("file", "blob", "uri", "media"):
        mime = str(part.get("mime_type") or "").partition("/")[0]
        return str(part.get("modality") or (mime if mime in _MEDIA else "") or "file")[:20]
    return told


def _without_media(text: str, call: Call) -> str:
    return _LANGFUSE_MEDIA.sub(lambda found: _leave_out(found[1][:20], call), text)


def _leave_out(medium: str, call: Call) -> str:
    """Count a part that is no text, and return the mark that stands in its place."""
    call.left_out[medium] += 1
    return f"[{medium if medium.isalnum() else 'file'} left out]"


def words_of(text: str) -> str:
    """Return a text without the marks of what was left out of it."""
    return _MARK.sub("", text).strip()


def _tool_call(value: Any) -> Turn:
    """A call of a tool as seeds keep it."""
    one: Mapping[str, Any] = value if isinstance(value, Mapping) else {"name": str(value)}
    one = as_object(one.get("tool_call")) or one
    inner = as_object(one.get("function")) or one
    given: Any = next(
        (inner[key] for key in ("arguments", "args", "input", "server_tool_call") if key in inner), {}
    )
    told = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
    named = {"id": str(one["id"])} if one.get("id") else {}
    return {
        **named,
        "type": "function",
        "function": {"name": str(inner.get("name") or ""), "arguments": told},
    }


def _tool_answer(part: Mapping[str, Any]) -> Turn:
    keys = ("response", "result", "content", "output", "server_tool_call_response")
    said = next((part[key] for key in keys if key in part), "")
    if isinstance(said, list) and all(
        isinstance(one, Mapping) and isinstance(one.get("text"), str) for one in said
    ):
        said = "".join(one["text"] for one in said)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str)
    name = next(
        (part[key] for key in ("id", "tool_use_id", "call_id", "tool_call_id") if part.get(key)), None
    )
    return {"role": "tool", "content": text, **({"tool_call_id": str(name)} if name else {})}


def _is_part(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "type" in value
        and _as_message(value) is None
        and "message" not in value
    )


def _keep(rest: Mapping[str, Any], call: Call) -> None:
    kept = {key: part for key, part in rest.items() if not is_absent(part)}
    if kept:
        call.aside.append(kept)


def _as_list(value: Any) -> Sequence[Any]:
    return [] if value is None else value if isinstance(value, (list, tuple)) else [value]
