"""Read a chat completion that came as a stream of events, as one that came whole. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def is_stream(raw: bytes) -> bool:
    """Whether a body is a stream of events, rather than one JSON value."""
    head = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith((b"data:", b"event:", b"id:", b"retry:", b"error:", b":"))


def read_stream(raw: bytes) -> dict[str, Any]:
    """The chat completion that the events of a stream make up; `error` holds what the server said went wrong.

    Raises:
        ValueError: an event is no JSON object, or there is none.
    """
    return join_events(_events(raw.decode("utf-8-sig", "replace")))


def join_events(events: Iterator[Mapping[str, Any]]) -> dict[str, Any]:
    """One chat completion of many chunks: texts one after the other, of all else the last that says something."""
    whole: dict[str, Any] = {}
    choices: dict[Any, dict[str, Any]] = {}
    for event in events:
        for key, value in event.items():
            if key != "choices" and value not in (None, ""):
                whole[key] = value
        listed = event.get("choices")
        for chunk in listed if isinstance(listed, list) else ():
            if isinstance(chunk, Mapping):
                _add(choices.setdefault(chunk.get("index") or 0, {"message": {}}), chunk)
    if not whole and not choices:
        raise ValueError("the stream holds no event")
    return {**whole, "choices": list(choices.values())} if choices else whole


def _events(text: str) -> Iterator[dict[str, Any]]:
    name, data = "", list[str]()
    for line in [*text.splitlines(), ""]:
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.strip())
        elif field == "event":
            name = value.strip()
        elif field == "error":
            yield {"error": json.loads(value)}
        elif not line.strip():
            yield from _read(name, data)
            name, data = "", []


def _read(name: str, data: list[str]) -> Iterator[dict[str, Any]]:
    """The objects of one event; servers leave out the empty lines between events, and cut events into lines."""
    data = [line for line in data if line and line != "[DONE]"]
    if not data:
        return
    try:
        found = [json.loads("\n".join(data))]
    except ValueError:
        found = [json.loads(line) for line in data]
    for event in found:
        if name == "error" and not (isinstance(event, dict) and "error" in event):
            yield {"error": event}
        elif isinstance(event, dict):
            yield event
        else:
            raise ValueError(f"an event is {type(event).__name__}, not an object")


def _add(choice: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    for key, value in chunk.items():
        if key in ("delta", "message") and isinstance(value, Mapping):
            _join(choice["message"], value)
        elif key == "logprobs" and isinstance(value, Mapping):
            _join(choice.setdefault("logprobs", {}), value)
        elif value is not None:
            choice[key] = value


def _join(whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        before = whole.get(key)
        if value is None:
            continue
        if key == "tool_calls" and isinstance(value, list):
            _join_calls(whole.setdefault(key, []), value)
        elif isinstance(value, str | list) and type(value) is type(before):
            whole[key] = value if key in ("role", "id", "type") else whole[key] + value
        elif isinstance(value, Mapping) and isinstance(before, dict):
            _join(before, value)
        else:
            whole[key] = dict(value) if isinstance(value, Mapping) else value


def _join_calls(calls: list[dict[str, Any]], pieces: list[Any]) -> None:
    """Pieces of tool calls, put together by their `index`."""
    for piece in pieces:
        if not isinstance(piece, Mapping):
            continue
        place = piece.get("index", len(calls))
        known = next((call for call in calls if call.get("index") == place), None)
        if known is None:
            known = {"index": place}
            calls.append(known)
        _join(known, piece)
