"""Dialogues: a conversation as one text, and turns of a conversation as text. Imports nothing of Solon.

A dialogue begins with the assistant's answer to a request that stands elsewhere, goes on with user and assistant by
turns, and ends with the assistant. Each turn begins with a line that names who speaks:

    assistant:
    Knead it for ten minutes.

    user:
    And if I have no time?

    assistant:
    Then let it rest overnight.

A line within a turn that could be taken for such a line has a backslash before it, so that no turn can pretend to be
another. Places count characters (Unicode code points) of the whole text, the end exclusive, as those of all marks do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASSISTANT, USER = "assistant", "user"
_HEAD = re.compile(rf"^({ASSISTANT}|{USER}):[^\S\n]*$", re.MULTILINE)
_LIKE_A_HEAD = rf"\\*(?:turn \d+, )?(?:{ASSISTANT}|{USER}):[^\S\n]*$"
_TO_ESCAPE = re.compile(rf"^(?={_LIKE_A_HEAD})", re.MULTILINE)
_ESCAPED = re.compile(rf"^\\(?={_LIKE_A_HEAD})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a dialogue.

    Attributes:
        role: who speaks, `assistant` or `user`.
        content: what is said.
        start: where that begins in the dialogue's text.
        end: where it ends.
    """

    role: str
    content: str
    start: int
    end: int


def write_dialogue(turns: Iterable[tuple[str, str]]) -> str:
    """The text that stands for turns, each given by role and content; white space around a content is left out."""
    return "\n\n".join(f"{role}:\n{_TO_ESCAPE.sub(_BACKSLASH, content.strip())}" for role, content in turns)


_BACKSLASH = r"\\"


def read_dialogue(text: str | None) -> tuple[Turn, ...] | None:
    """The turns of a text of `write_dialogue`, also of one that people changed; None where it is no dialogue: it does
    not begin and end with the assistant, two turns of one side follow each other, or a turn is empty."""
    text = text or ""
    heads = list(_HEAD.finditer(text))
    roles = [head[1] for head in heads]
    if not heads or text[: heads[0].start()].strip() or len(roles) % 2 == 0:
        return None
    if roles != [USER if place % 2 else ASSISTANT for place in range(len(roles))]:
        return None
    ends = [*(head.start() for head in heads[1:]), len(text)]
    turns = [_turn(head[1], text, head.end(), end) for head, end in zip(heads, ends, strict=True)]
    return tuple(turns) if all(turn.content for turn in turns) else None


def _turn(role: str, text: str, start: int, end: int) -> Turn:
    said = text[start:end]
    start += len(said) - len(said.lstrip())
    written = said.strip()
    return Turn(role, _ESCAPED.sub("", written), start, start + len(written))


def number_turns(turns: Sequence[Turn]) -> str:
    """A dialogue in which each turn begins with its number, from 1, for whoever is to name one of them."""
    return "\n\n".join(
        f"turn {number}, {turn.role}:\n{_TO_ESCAPE.sub(_BACKSLASH, turn.content)}"
        for number, turn in enumerate(turns, start=1)
    )


def find_turn(turns: Sequence[Turn], start: int) -> int | None:
    """The place of the turn, from 0, in which a mark begins; None where it begins in none."""
    return next((place for place, turn in enumerate(turns) if turn.start <= start < turn.end), None)


def place_in_turn(turn: Turn, text: str, at: int) -> int:
    """A place of a dialogue's text as a place of the turn's content; one beyond the turn is its edge."""
    at = min(max(at, turn.start), turn.end)
    return len(_ESCAPED.sub("", text[turn.start : at]))


def spell_turn(turn: Mapping[str, Any]) -> str:
    """What is said in a turn of a seed, with the tools that it calls below it, for people and models to read."""
    calls = [_spell_call(call) for call in turn.get("tool_calls") or ()]
    return "\n".join(filter(None, (str(turn.get("content") or ""), *calls)))


def _spell_call(call: Mapping[str, Any]) -> str:
    """A tool call as text: its name and arguments, or where these cannot be read all of it."""
    match call.get("function", call):
        case {"name": str(name), "arguments": arguments}:
            given = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            return f"calls {name}({given})"
        case _:
            return f"calls {json.dumps(call, ensure_ascii=False, sort_keys=True)}"
