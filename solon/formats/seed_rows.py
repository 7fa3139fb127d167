"""One seed row: which rows are taken and which are refused. Imports `reading` and neighbours only."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from operator import attrgetter
from typing import Any

from solon.formats.headers import find_column, fold
from solon.formats.json_values import NotFinite, kind_of, read_value, show, spell
from solon.formats.turns import ROLE_KEYS, TEXT_KEYS, first_of, say_beside
from solon.reading import LONGEST_NUMBER, why_not_json

COLUMNS = (
    "id", "prompt", "messages", "input", "reference", "tags", "responses",
    "lang", "specialty", "group", "subject", "source", "licence", "consent", "verdicts",
)  # fmt: skip
CHAT_COLUMNS = ("conversations", "conversation")
"""Columns that are read as `messages`."""
ROLES = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "developer": "system",
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
"""Who speaks in a turn, as files say it -> as Solon says it."""
OF_TOOLS = {"assistant": ("tool_calls",), "tool": ("tool_call_id", "name")}
"""What a turn may say beside role and content, by who speaks."""
MEDIA_COLUMNS = frozenset({"image", "images", "audio", "audios", "video", "videos"})
MAX_ID = 200
MAX_DEPTH = 64
_TOO_LARGE = 10**LONGEST_NUMBER


class RowProblem(ValueError):
    """Why a row is refused, in words for the person who owns the file."""


@dataclass(frozen=True, slots=True)
class SeedResponse:
    """An existing answer to a seed: it is criticised and judged instead of being generated.

    Attributes:
        text: the answer.
        source: where it is from; may be empty.
        model: which model wrote it; empty where none is named.
        metadata: further keys of it.
    """

    text: str
    source: str = ""
    model: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeedVerdict:
    """What a judge said elsewhere of the first responses of a seed.

    Attributes:
        judge: name of an independent voter.
        seat: one of its prompts or personas; where none is named the judge itself.
        verdict: an outcome of the recipe's question (`A`, the first response, or `B` of two; `accept` or `reject` of
            one; a label), `tie` of two, or `abstain`.
        order: which response it saw first, `AB` or `BA`; empty where unknown.
        sample: number of its try, from 0.
        p: its probability of A (or accept), in [0, 1]; None where unknown.
        confidence: what it said of its own certainty, in [0, 1]; None where unknown.
        shares: outcome -> its probability; None where unknown.
    """

    judge: str
    seat: str
    verdict: str
    order: str = ""
    sample: int = 0
    p: float | None = None
    confidence: float | None = None
    shares: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class SeedRow:
    """One seed, checked.

    Attributes:
        id: its name, or a hash of its content where the file gave none.
        prompt: the request; where the file gave `messages`, the last user turn. Never empty.
        messages: turns of the chat as the file gave them, up to the last user turn; empty where it gave `prompt`.
            `conversation()` is the same in both cases. What a turn says of tools beside role and content stands in it
            as it was given, see `OF_TOOLS`.
        input: a text that stands below the prompt; may be empty.
        reference: a known good answer; None where there is none.
        tags: names of subjects.
        responses: existing answers; empty where they are to be drafted. An answer that ends `messages` is the first.
        lang: language of the seed; None where it states none.
        specialty: field of expertise that it takes; None where it states none.
        group: joins seeds that must stay on one side of a split; None where it states none.
        subject: whom the text is about; None where it states nobody.
        source: where it is from; None where it states nothing.
        licence: under which it may be used; None where it states none.
        consent: as it was given; None where it states none.
        verdicts: what judges said elsewhere of the first responses; not None, even where empty, they take the
            panel's and the critic's place.
        metadata: all other columns, and under the name of the column with the messages what these say beside role,
            content and calls of tools, one object for each message.
        line: place in its file (JSONL, CSV: physical line; Parquet and lists: row), from 1.
    """

    id: str
    prompt: str
    messages: tuple[dict[str, Any], ...] = ()
    input: str = ""
    reference: str | None = None
    tags: tuple[str, ...] = ()
    responses: tuple[SeedResponse, ...] = ()
    lang: str | None = None
    specialty: str | None = None
    group: str | None = None
    subject: str | None = None
    source: str | None = None
    licence: str | None = None
    consent: str | None = None
    verdicts: tuple[SeedVerdict, ...] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    line: int = 0

    def conversation(self) -> list[dict[str, Any]]:
        """Return the chat so far, up to and including the last user turn, with `input` below it."""
        turns = [dict(turn) for turn in self.messages] or [{"role": "user", "content": self.prompt}]
        if self.input:
            turns[-1]["content"] = f"{turns[-1]['content']}\n\n{self.input}"
        return turns

    def digest(self) -> int:
        """Return a hash of 256 bits of everything but the line: rows that say the same have the same, wherever they
        stand and however they are written."""
        return int.from_bytes(hashlib.sha256(_IDENTITY.encode(_VALUES(self)).encode()).digest())


ROUNDED = 0.02
"""By how much probabilities that were rounded may miss a sum of 1."""
_VALUES = attrgetter(*(each.name for each in fields(SeedRow) if each.name != "line"))


def as_plain(part: Any) -> dict[str, Any]:
    """Return a response or a verdict of a seed as plain values, as they have been spelled since there were any: what
    came later is there only where it says something."""
    plain = asdict(part)
    return {name: value for name, value in plain.items() if value is not None or name != "shares"}


_IDENTITY = json.JSONEncoder(sort_keys=True, default=as_plain)


def parse_row(raw: Mapping[str, Any], *, column_map: Mapping[str, str], max_chars: int, line: int) -> SeedRow:
    """Return one row as a seed, checked, and with an id if it has none.

    Args:
        column_map: our column = the file's column.
        max_chars: a row with more characters in all is refused.
        line: place of the row in its file.

    Raises:
        RowProblem: with the reason, naming the column and what was seen.
    """
    ours, metadata = _split_columns(raw, column_map)
    _refuse_unusable_text([*ours.values(), metadata], max_chars)
    chat = column_map.get("messages") or _take_chat(ours, metadata)
    if "prompt" not in ours and "messages" not in ours:
        raise RowProblem(_no_prompt(raw, column_map))
    row_id = _text(ours, "id")
    if row_id is not None:
        _check_id(row_id)
    row_id = row_id or content_id(ours, metadata)
    prompt, messages, answers, beside = _read_prompt(ours, chat)
    if beside:
        metadata = {**metadata, chat: beside}
    values: dict[str, Any] = {
        "prompt": prompt,
        "messages": messages,
        "input": _text(ours, "input") or "",
        "reference": _text(ours, "reference"),
        "tags": _tags(ours.get("tags")),
        "responses": _join_answers(answers, ours),
        "verdicts": _verdicts(ours["verdicts"]) if "verdicts" in ours else None,
        "metadata": metadata,
    }
    for name in ("lang", "specialty", "group", "subject", "source", "licence", "consent"):
        values[name] = _text(ours, name)
    return SeedRow(id=row_id, line=line, **values)


def plain_row(raw: Mapping[str, Any], column_map: Mapping[str, str]) -> dict[str, Any]:
    """Return the same row in values that JSON has words for: `parse_row` makes the same seed of it.

    Raises:
        RowProblem: as of `parse_row`, for a value that is none of a seed.
    """
    plain = {name: _plain(value, name, MAX_DEPTH) for name, value in raw.items()}
    missing = [name for name in column_map.values() if isinstance(plain.get(name), NotFinite)]
    return {**plain, **dict.fromkeys(missing)}


def content_id(columns: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """Return 16 hex digits of the SHA-256 of a row's canonical JSON: the same row has the same id everywhere."""
    content = {**columns, "metadata": metadata} if metadata else dict(columns)
    content.pop("id", None)
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _split_columns(
    raw: Mapping[str, Any], column_map: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our columns and the rest, as plain values; empty cells and nulls are absent from the first."""
    taken = {theirs: name for name, theirs in column_map.items()}
    ours: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for key, value in raw.items():
        if not isinstance(key, str):
            raise RowProblem(f"column name {key!r:.40} is not text")
        name = taken.get(key) or (key if key in COLUMNS and key not in column_map else None)
        if name is None and fold(key) != key:
            name = _find_in_other_case(key, raw, column_map)
        if name is None and key in MEDIA_COLUMNS and not _absent(value):
            raise RowProblem(f"column {key!r}: the row has an image, audio or video; seeds are text only")
        value = _plain(value, key, MAX_DEPTH)
        if name is None:
            metadata[key] = value
        elif isinstance(value, NotFinite):
            if value != "NaN":  # which stands for a missing value
                raise RowProblem(f"{key} is {value}, which is no value of it")
        elif value is not None and value != "":
            ours[name] = value
    return ours, metadata


def _find_in_other_case(key: str, raw: Mapping[str, Any], column_map: Mapping[str, str]) -> str | None:
    """Our name of a column like `ID` or ` Prompt`; None where there is none, or the row has that very name too."""
    names = {column_map.get(name, name): name for name in COLUMNS}
    return names.get(find_column(key, names, raw) or "")


def _take_chat(ours: dict[str, Any], metadata: dict[str, Any]) -> str:
    """Move the messages of a column with another usual name to `messages`, and return the name of their column.

    Raises:
        RowProblem: two columns hold different messages.
    """
    chat = "messages"
    alone = "prompt" not in ours and "messages" not in ours
    names = [name for name in metadata if fold(name) in CHAT_COLUMNS and not _absent(metadata[name])]
    for name in sorted(names, key=lambda name: not is_chat(metadata[name])):
        if not (is_chat(metadata[name]) or (alone and "messages" not in ours)):
            continue  # such as the number of a conversation
        if "messages" not in ours:
            chat = name
        elif _messages(metadata[name], name)[:2] != _messages(ours["messages"], chat)[:2]:
            raise RowProblem(f"the row has both {chat} and {name}, and they differ; leave one of them out")
        ours["messages"] = metadata.pop(name)
    return chat


def is_chat(value: Any) -> bool:
    """Tell whether a value is a list of messages, or the JSON text of one, by the first of them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = read_value(value)
        except (ValueError, RecursionError):
            return False
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and first_of(first, ROLE_KEYS) is not None


def _absent(value: Any) -> bool:
    # pandas marks missing cells with NaN, NA or NaT; pandas itself is not imported for it
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (str, list, tuple, dict)) and len(value) == 0


def _plain(value: Any, column: str, depth: int) -> Any:
    """`value` as JSON knows it; what JSON cannot say is refused."""
    if depth == 0:
        raise RowProblem(f"column {column!r:.60} is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        if not -_TOO_LARGE < value < _TOO_LARGE:
            raise RowProblem(f"column {column!r:.60} has a number of more than {LONGEST_NUMBER} digits")
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else spell(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, column, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, column, depth - 1) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise RowProblem(f"column {column!r:.60} holds binary data (image, audio?); seeds are text only")
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist(), column, depth - 1)
    raise RowProblem(f"column {column!r:.60} holds a {type(value).__name__}, which is not text")


def _refuse_unusable_text(value: Any, max_chars: int) -> None:
    chars = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str):
            chars += len(item)
            if "\x00" in item:
                raise RowProblem("the text contains a NUL character")
            if not item.isascii():
                try:
                    item.encode()
                except UnicodeEncodeError:
                    raise RowProblem("the text is not valid UTF-8 (a lone surrogate)") from None
    if chars > max_chars:
        raise RowProblem(f"the row has {chars} characters, more than the {max_chars} of seeds.max_chars")


def _no_prompt(raw: Mapping[str, Any], column_map: Mapping[str, str]) -> str:
    """Tell an empty cell from a wrong column, which is the commonest mistake of all."""
    theirs = column_map.get("prompt", "prompt")
    others = (column_map["messages"],) if "messages" in column_map else ("messages", *CHAT_COLUMNS)
    if empty := next((name for name in (theirs, *others) if name in raw), None):
        return f"{empty} is an empty list" if isinstance(raw[empty], list) else f"{empty} is empty"
    seen = ", ".join(repr(str(key)[:40]) for key in list(raw)[:8])
    mapped = f" (from seeds.map.prompt = {theirs!r})" if theirs != "prompt" else "; see seeds.map"
    return f"there is no column {theirs!r} or 'messages', only {seen}{mapped}"


Turns = tuple[dict[str, Any], ...]


def _read_prompt(ours: Mapping[str, Any], chat: str) -> tuple[str, Turns, Turns, list[dict[str, Any]]]:
    """The request, the turns that it ends, the turn that answers it, if there is any, and what messages say besides."""
    prompt = ours.get("prompt")
    if prompt is not None and not isinstance(prompt, str):
        raise RowProblem(f"prompt is {kind_of(prompt)}, not text: {show(prompt, 60)}")
    if "messages" not in ours:
        if not (prompt or "").strip():
            raise RowProblem("prompt is empty")
        return prompt or "", (), (), []
    messages, answers, beside = _messages(ours["messages"], chat)
    last = messages[-1]["content"]
    if prompt is not None and prompt != last:
        raise RowProblem(f"the row has both prompt and {chat}, and prompt is not the last user turn")
    return last, messages, answers, beside


def _messages(value: Any, chat: str) -> tuple[Turns, Turns, list[dict[str, Any]]]:
    """The turns up to the last one that is answered, the answer, and what messages say beside all that, if anything."""
    turns = _json_list(value, chat)
    if not turns:
        raise RowProblem(f"{chat} is an empty list")
    read = tuple(_message(turn, f"{chat}[{index}]") for index, turn in enumerate(turns))
    if read[-1].get("tool_calls"):
        raise RowProblem(
            "the last message calls tools; a seed ends with a user turn, a tool's, or with one answer in words"
        )
    end = len(read) - (read[-1]["role"] == "assistant")
    if not end:
        raise RowProblem(f"{chat} has nothing but an answer; a seed has a user turn")
    if read[end - 1]["role"] not in ("user", "tool"):
        last = "last message" if end == len(read) else "message before the answer"
        role = read[end - 1]["role"]
        raise RowProblem(
            f"the {last} is from {role!r}; a seed ends with a user turn, or with one answer to it"
        )
    beside = [
        say_beside(turn, {first_of(turn, ROLE_KEYS), first_of(turn, TEXT_KEYS), *own})
        for turn, own in zip(turns, read, strict=True)
    ]
    return read[:end], read[end:], beside if any(beside) else []


def _message(turn: Any, where: str) -> dict[str, Any]:
    """One turn, written as `{role, content}`, as `{from, value}` or with other usual names, with what it says of
    tools."""
    if not isinstance(turn, dict):
        raise RowProblem(f"{where} is {kind_of(turn)}, not an object with role and content")
    who, what = first_of(turn, ROLE_KEYS) or "role", first_of(turn, TEXT_KEYS) or "content"
    speaker = turn.get(who)
    role = ROLES.get(speaker.strip().lower()) if isinstance(speaker, str) else None
    if role is None:
        raise RowProblem(f"{where}.{who} is {show(speaker, 40)}; it must be one of {', '.join(ROLES)}")
    if role == "system" and not where.endswith("[0]"):
        raise RowProblem(f"{where}.{who} is {show(speaker, 40)}; only the first message may be")
    of_tools = _of_tools(turn, role, where)
    content = turn.get(what)
    if content is None and "tool_calls" in of_tools:
        content = ""
    if isinstance(content, list):
        content = "".join(_part(part, where) for part in content)
    if not isinstance(content, str):
        raise RowProblem(f"{where}.{what} is {kind_of(content)}, not text")
    if not content.strip() and "tool_calls" not in of_tools:
        raise RowProblem(f"{where}.{what} is empty")
    return {"role": role, "content": content, **of_tools}


def _of_tools(turn: Mapping[str, Any], role: str, where: str) -> dict[str, Any]:
    """What a turn says of tools, as it was given: the assistant's calls, and which call a tool's turn answers."""
    found = {name: turn[name] for name in OF_TOOLS[role] if turn.get(name)} if role in OF_TOOLS else {}
    if "tool_calls" in found:
        calls = found["tool_calls"] = _json_list(found["tool_calls"], f"{where}.tool_calls")
        if not all(isinstance(call, dict) for call in calls):
            raise RowProblem(f"{where}.tool_calls is {show(calls, 60)}, no list of objects")
    if turn.get("tool_calls") and role != "assistant":
        raise RowProblem(f"{where} is from {role!r} and has tool calls, which the assistant makes")
    for name in ("tool_call_id", "name"):
        if not isinstance(found.get(name, ""), str):
            raise RowProblem(f"{where}.{name} is {kind_of(found[name])}, not text")
    return found


def _part(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = str(part.get("type", "")) if isinstance(part, dict) else kind_of(part)
    if any(medium in kind for medium in ("image", "audio", "video", "file")):
        raise RowProblem(f"{where} has an image, audio, video or file part ({kind:.40}); seeds are text only")
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        raise RowProblem(f"{where}.content has a part without text ({kind:.40})")
    return str(part["text"])


def _join_answers(answers: Turns, ours: Mapping[str, Any]) -> tuple[SeedResponse, ...]:
    """The answer that ends the conversation, and after it the responses of the row."""
    given = _responses(ours["responses"]) if "responses" in ours else ()
    seen: dict[str, int] = {}
    for place, one in enumerate(given):
        if (first_place := seen.setdefault(one.text.strip(), place)) != place:
            raise RowProblem(
                f"responses[{first_place}] and responses[{place}] are the same text; give it once"
            )
    first = tuple(SeedResponse(turn["content"]) for turn in answers)
    if not first or not given:
        return first or given
    if first[0].text.strip() == given[0].text.strip():
        return given
    if "verdicts" in ours:
        raise RowProblem(
            "messages end with an answer that is not the first of responses; which of them verdicts mean is unclear"
        )
    return first + given


def _responses(value: Any) -> tuple[SeedResponse, ...]:
    items = _json_list(value, "responses")
    if not items:
        raise RowProblem("responses is an empty list; leave the column empty to have responses drafted")
    return tuple(_response(item, index) for index, item in enumerate(items))


def _response(item: Any, index: int) -> SeedResponse:
    where = f"responses[{index}]"
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, dict):
        raise RowProblem(f"{where} is {kind_of(item)}, not an object with text")
    text = item.get("text")
    if not isinstance(text, str):
        raise RowProblem(f"{where}.text is {kind_of(text)}, not text")
    if not text.strip():
        raise RowProblem(f"{where}.text is empty")
    named = {key: item.get(key) or "" for key in ("source", "model")}
    for key, name in named.items():
        if not isinstance(name, str):
            raise RowProblem(f"{where}.{key} is {kind_of(name)}, not text")
    rest = {key: item[key] for key in item if key not in ("text", "source", "model")}
    return SeedResponse(text, named["source"], named["model"], rest)


def _verdicts(value: Any) -> tuple[SeedVerdict, ...]:
    return tuple(_verdict(item, index) for index, item in enumerate(_json_list(value, "verdicts")))


def _verdict(item: Any, index: int) -> SeedVerdict:
    where = f"verdicts[{index}]"
    if not isinstance(item, dict):
        raise RowProblem(f"{where} is {kind_of(item)}, not an object with judge and verdict")
    judge, verdict, order = item.get("judge"), item.get("verdict"), item.get("order") or ""
    if not isinstance(judge, str) or not judge.strip():
        raise RowProblem(f"{where}.judge is {show(judge, 40)}; it must name the judge")
    if not isinstance(verdict, str) or not verdict.isprintable() or not 1 <= len(verdict) <= MAX_ID:
        told = "it must be an outcome, such as A, accept or a label, tie or abstain"
        raise RowProblem(f"{where}.verdict is {show(verdict, 40)}; {told}")
    if order not in ("", "AB", "BA"):
        raise RowProblem(f"{where}.order is {show(order, 40)}; it must be AB or BA")
    sample = item.get("sample") or 0
    if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
        raise RowProblem(f"{where}.sample is {show(sample, 40)}; it must be a number from 0")
    seat = item.get("seat") or judge
    if not isinstance(seat, str):
        raise RowProblem(f"{where}.seat is {kind_of(seat)}, not text")
    return SeedVerdict(
        judge=judge.strip()[:MAX_ID],
        seat=(seat.strip() or judge.strip())[:MAX_ID],
        verdict=verdict,
        order=order,
        sample=sample,
        p=_share(item.get("p"), f"{where}.p"),
        confidence=_share(item.get("confidence"), f"{where}.confidence"),
        shares=_shares(item.get("shares"), f"{where}.shares"),
    )


def _shares(value: Any, where: str) -> dict[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise RowProblem(f"{where} is {kind_of(value)}, not an object with a probability for each outcome")
    shares = {str(name): _share(share, f"{where}.{name}") or 0.0 for name, share in value.items()}
    if abs(sum(shares.values()) - 1.0) > ROUNDED:
        raise RowProblem(f"{where}: the probabilities sum to {sum(shares.values()):.4g}, not to 1")
    return shares


def _share(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise RowProblem(f"{where} is {show(value, 40)}; it must be between 0 and 1")
    return float(value)


def read_cell(value: Any, column: str) -> Any:
    """The value of a cell of CSV, or of a column of Parquet, that holds JSON as text; what is no text is as it was.

    Raises:
        RowProblem: the text is no JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        decoded = read_value(value)
    except (ValueError, RecursionError) as error:
        raise RowProblem(
            f"{column} is text that is not JSON: {show(value, 60)} ({why_not_json(error)})"
        ) from None
    _refuse_unusable_text(decoded, len(value))
    return _plain(decoded, column, MAX_DEPTH)


def _json_list(value: Any, column: str) -> list[Any]:
    value = read_cell(value, column)
    if not isinstance(value, list):
        raise RowProblem(f"{column} is {kind_of(value)}, not a list")
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = _json_list(value, "tags") if value.lstrip().startswith("[") else value.split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise RowProblem(f"tags is not a list of texts: {show(value, 60)}")
    return tuple(dict.fromkeys(tag.strip() for tag in value if tag.strip()))


def _text(ours: Mapping[str, Any], name: str) -> str | None:
    """A text column; numbers and booleans are written out (ids and groups are often numbers)."""
    value = ours.get(name)
    if value is None or isinstance(value, str):
        return (value if name in ("input", "reference") else value.strip() or None) if value else None
    if isinstance(value, bool) and name != "id":
        return "true" if value else "false"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # a table with gaps turns whole numbers into floats: 12.0 is the id 12
        return str(int(value)) if value == int(value) else repr(value)
    raise RowProblem(f"{name} is {kind_of(value)}, not text: {show(value, 60)}")


def _check_id(row_id: str) -> None:
    if len(row_id) > MAX_ID:
        raise RowProblem(f"id is longer than {MAX_ID} characters: {row_id[:60]!r}...")
    if not row_id.isprintable():
        raise RowProblem(f"id has control characters: {row_id!r:.80}")
