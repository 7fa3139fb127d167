"""Trees of messages, as OpenAssistant has them: a request, its ranked replies, and what was said to these. Touches
no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from solon.formats.imported import Imported, Lines, Row, Skipped, as_list, pair_up, split_columns
from solon.formats.outcomes import YES, number_of
from solon.formats.paths import at, steps_of, without
from solon.formats.seed_files import BadRow
from solon.formats.seed_rows import RowProblem
from solon.formats.turns import ROLE_KEYS, TEXT_KEYS, Turn, first_of, read_turns


def is_tree(value: Any) -> bool:
    """Tell whether a value is a message with replies."""
    return isinstance(value, Mapping) and isinstance(value.get("replies"), (list, tuple))


def read_tree(path: str, row: Row) -> Iterator[Imported | Skipped]:
    """Yield a pair for each request of the tree at `path`, and each of its replies but the best one.

    A lower rank is better. Skipped are messages that were deleted or are empty, with what was said to them, requests
    without a reply, and replies that stand alone and were never answered.

    Raises:
        RowProblem: a message cannot be read, or the tree does not begin with a request; nothing was yielded then.
    """
    root = at(row, path)
    ours, metadata = split_columns(without(row, steps_of(path)) or {})
    ours.setdefault("group", row.get("message_tree_id") or root.get("message_id"))
    pieces: list[Imported | Skipped] = []
    open_nodes: list[tuple[Mapping[str, Any], list[Turn]]] = [(root, [])] if _is_fit(root, pieces) else []
    while open_nodes:
        node, before = open_nodes.pop()
        turns = [*before, _read_message(node, path)]
        if turns[0]["role"] == "assistant":
            raise RowProblem(f"{path} begins with a reply; what it replies to is missing")
        said = as_list(node.get("replies"))
        if not all(isinstance(reply, Mapping) for reply in said):
            raise RowProblem(f"{path}: a reply of the tree is no message")
        replies = [reply for reply in said if _is_fit(reply, pieces)]
        open_nodes += [(reply, turns) for reply in reversed(replies)]
        if turns[-1]["role"] != "user":
            continue
        seed = {"lang": node.get("lang"), **ours, "messages": turns}
        pieces += _pairs(Imported("pair", seed, {**metadata, "message": _facts(node)}), replies, path)
        if not said:
            pieces.append(Skipped("no_reply"))
    yield from pieces


def _pairs(shared: Imported, replies: list[Mapping[str, Any]], path: str) -> Iterator[Imported | Skipped]:
    """What the replies to one request become."""
    answers = [_answer(reply, path) for reply in replies]
    merits = [None if rank is None else -rank for rank in (number_of(one.get("rank")) for one in replies)]
    if len({answer["text"].strip() for answer in answers}) == 1 < len(answers):
        yield Skipped("same_text")
    elif len(answers) > 1:
        yield from pair_up(shared, answers, "", merits)
    elif answers and not replies[0].get("replies"):
        yield Skipped("lone_reply")


def _is_fit(node: Mapping[str, Any], pieces: list[Imported | Skipped]) -> bool:
    """Whether a message is to be shown to people; what is skipped for it is told in `pieces`."""
    deleted = str(node.get("deleted") or "").lower() in YES
    empty = first_of(_filled(node), TEXT_KEYS) is None
    if deleted or empty:
        pieces.append(Skipped("deleted_message" if deleted else "empty_message"))
    return not (deleted or empty)


def _filled(node: Mapping[str, Any]) -> dict[str, Any]:
    """A message without texts that are empty."""
    return {name: value for name, value in node.items() if name not in TEXT_KEYS or str(value or "").strip()}


def gather_trees(lines: Lines) -> Lines:
    """Yield the trees of a file that holds one message a line, each with its `parent_id`; other lines as they are."""
    nodes: dict[Any, tuple[int, dict[str, Any]]] = {}
    for line in lines:
        if isinstance(line, BadRow) or "replies" in line[1] or "text" not in line[1]:
            yield line
        else:
            name = str(line[1].get("message_id") or f"line {line[0]}")
            nodes[name] = (line[0], {**line[1], "replies": []})
    for _, node in nodes.values():
        parent = nodes.get(str(node.get("parent_id")))
        if parent is not None:
            parent[1]["replies"].append(node)
    for number, node in nodes.values():
        if str(node.get("parent_id")) not in nodes:
            yield number, {"message_tree_id": node.get("message_tree_id"), "prompt": node}


def _read_message(node: Mapping[str, Any], path: str) -> Turn:
    try:
        [turn] = read_turns({**_filled(node), "replies": None})
    except ValueError as problem:
        raise RowProblem(f"{path}: a message of the tree: {str(problem).removeprefix('[0] ')}") from None
    return turn


def _answer(reply: Mapping[str, Any], path: str) -> dict[str, Any]:
    text, rank = _read_message(reply, path)["content"], number_of(reply.get("rank"))
    facts = _facts(reply)
    model = facts.pop("model_name", None)
    found = {
        "model": model and str(model),
        "scores": None if rank is None else {"rank": rank},
        "facts": facts,
    }
    if rank is not None:
        facts.pop("rank")
    return {"text": text, **{name: fact for name, fact in found.items() if fact}}


def _facts(node: Mapping[str, Any]) -> dict[str, Any]:
    said = _filled(node)
    spoken = (first_of(said, ROLE_KEYS), first_of(said, TEXT_KEYS), "replies")
    return {name: value for name, value in said.items() if name not in spoken and value is not None}
