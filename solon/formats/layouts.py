"""Rows of any layout read under a map that says where their parts stand: the one mechanism behind every set that
`solon import` knows. Imports `config.sections` and `formats` only, and touches no file.

What a map does not name is not lost: columns with a seed's names are that, all others are metadata, and what stands
beside an answer in a list stays with the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from solon.config.sections import ImportMap
from solon.formats.headers import fold
from solon.formats.imported import Imported, Pieces, Row, Said, Skipped, pair_up, split_columns
from solon.formats.json_values import Verbatim, show
from solon.formats.message_trees import is_tree, read_tree
from solon.formats.outcomes import UNKNOWN, number_of, read_outcome, yes_or_no
from solon.formats.paths import EACH, at, is_absent, steps_of, without
from solon.formats.seed_rows import CHAT_COLUMNS, RowProblem
from solon.formats.turns import Turn, find_turns, list_extras, read_transcript, read_turns

SYSTEM = ("system", "system_prompt", "system_message", "system_instruction")
HISTORY = ("history", "chat_history", "conversation_history", "dialogue_history", "dialog_history")
ASKED = (
    "prompt", "messages", "conversations", "conversation", "instruction", "question", "query", "problem",
    "user_prompt", "task", "context", "passage", "document", "input",
)  # fmt: skip
"""Columns of a request, in the order in which their texts are put together; `task` beside others is a name."""
REFERENCE = (
    "reference",
    "reference_answer",
    "reference_response",
    "solution",
    "gold",
    "gold_answer",
    "ground_truth",
)
_BELONGS: Mapping[str, str] = {
    **dict.fromkeys(SYSTEM, "the first turn of `messages`"),
    **dict.fromkeys(HISTORY, "turns of `messages`"),
    **dict.fromkeys(("messages", *CHAT_COLUMNS), "`messages`"),
    **dict.fromkeys(("instruction", "question", "query", "problem", "user_prompt"), "`prompt`"),
    **dict.fromkeys(("context", "passage", "document"), "`input`"),
    **dict.fromkeys(REFERENCE[1:], "`reference`"),
    **dict.fromkeys(("response", "answer", "answers", "output", "completion", "completions"), "`responses`"),
    **dict.fromkeys(("chosen", "rejected"), "`responses`, or a file for `solon import`"),
}
"""Columns that a seed does not have and that look like content -> where their texts belong."""
_WHOLE = 16
"""Characters from which a text that stands within another is no text of its own."""


def read_mapped(maps: Sequence[ImportMap], row: Row) -> Pieces:
    """Yield what a row becomes under the first map that it fits, or whose answers it has: a single answer, or a pair
    for the best answer and each of the others.

    Raises:
        RowProblem: a part is missing, of another kind, or contradicts another.
    """
    chosen = next((one for test in (fits, has_answers) for one in maps if test(one, row)), None)
    named = [one for one in maps if _names_winner(one, row)]
    partly = [one for one in named if any(not is_absent(at(row, path)) for path in one.sides)]
    if chosen is None or (chosen.winner and partly and not _are_there(row, chosen.winner)):
        raise RowProblem(_no_answers((partly or named)[:1] or maps, row))
    yield from read_tree(chosen.tree, row) if chosen.tree is not None else _Reading(chosen, row).pieces()


def maps_in_use(maps: Sequence[ImportMap], rows: Sequence[Row]) -> tuple[ImportMap, ...]:
    """Return the maps by which the rows of one file are read, of which these are the first.

    Of maps that say what is better of the same answers one is used in all of the file, so that a hole in its column is
    a row that nobody decided, and another column never decides in its place. Maps that fit none of these rows stay for
    other answers, and maps that decide nothing stay whatever they fit.
    """
    fitting = [{place for place, row in enumerate(rows) if fits(one, row)} for one in maps]
    most = max(map(len, fitting), default=0)
    kept, known, answered, read = list[ImportMap](), set[tuple[str, ...]](), set[int](), set[int]()
    for found, one in sorted(
        zip(fitting, maps, strict=True), key=lambda pair: _decides(pair[1]) and 2 * len(pair[0]) < most
    ):
        named = one.sides in known or any(_names_winner(one, rows[place]) for place in read)
        if _decides(one) and (found <= answered if found else named):
            continue
        kept.append(one)
        if _decides(one) and found:
            known.add(one.sides)
            read |= found
            answered |= {place for place, row in enumerate(rows) if has_answers(one, row)}
    return tuple(kept)


def _decides(one: ImportMap) -> bool:
    return bool(one.winner or one.index or one.strength or one.label or one.scores or one.ranks)


def _names_winner(one: ImportMap, row: Row) -> bool:
    return bool(one.winner) and _are_there(row, one.winner)


def tell_aside(names: Iterable[str]) -> str:
    """Return which of the columns that seeds keep as metadata look like content, and where their texts belong; empty
    where none does."""
    of_place: dict[str, list[str]] = {}
    for name in names:
        if place := _BELONGS.get(fold(name)):
            of_place.setdefault(place, []).append(name)
    told = "; ".join(f"{', '.join(columns)} (its place: {place})" for place, columns in of_place.items())
    return f"columns kept as metadata, which no model or person is shown: {told}" if told else ""


def columns_of(one: ImportMap) -> Iterator[str]:
    """Yield the columns that a map names."""
    for path in (*one.sides, *one.prompt, *one.winner, *one.scores, *one.ranks, *one.models):
        yield str(steps_of(path)[0])
    for named in (one.index, one.strength, one.label, one.history, one.system, one.reference, one.tree):
        if named:
            yield str(steps_of(named)[0])


def has_answers(one: ImportMap, row: Row) -> bool:
    """Tell whether a row has something at the place of every answer of a map."""
    if one.tree is not None:
        return is_tree(at(row, one.tree))
    return all(not is_absent(at(row, path)) for path in one.sides)


def fits(one: ImportMap, row: Row) -> bool:
    """Tell whether a row looks as a map says: answers, request and whatever tells the better one are there."""
    wanted = [*one.prompt, *one.winner, *one.scores, *one.ranks]
    wanted += filter(None, (one.index, one.strength, one.label))
    return has_answers(one, row) and _are_there(row, wanted)


def _are_there(row: Row, paths: Sequence[str]) -> bool:
    return all(not is_absent(at(row, path)) for path in paths)


class _Reading:
    """One row under one map, part by part.

    Attributes:
        rest: what of the row has not been used.
        extras: what messages of a column say beside role and content.
        reference: a good answer that the row names.
    """

    def __init__(self, one: ImportMap, row: Row) -> None:
        self.map, self.row = one, row
        self.rest: dict[str, Any] = dict(row)
        self.extras: dict[str, Any] = {}
        self.reference: Any = None
        self._listed = len(one.sides) == 1 and EACH in one.sides[0]
        self._taken = {str(steps_of(path)[0]) for path in (*one.sides, *one.prompt)}

    def pieces(self) -> Iterator[Imported | Skipped]:
        """What the row becomes, and before it what would have decided it and is missing, if anything."""
        found = list(self._read_pieces())
        answers = [len(one.seed["responses"]) for one in found if isinstance(one, Imported) and not one.said]
        yield from (Skipped(f"without_{name}") for name in self._holes(max(answers, default=0))[:1])
        yield from found

    def _read_pieces(self) -> Iterator[Imported | Skipped]:
        one = self.map
        conversation, texts = self._conversation()
        answers = self._answers(texts)
        ours, metadata = split_columns(self.rest)
        metadata |= self.extras
        shared = {**ours, "messages": conversation, "reference": self.reference}
        if len(answers) == 1:
            if self._listed:
                raise RowProblem("there is one answer only; a pair takes two")
            yield Imported("single", {**shared, "responses": answers}, metadata, self._said_of_one())
            return
        outcome = read_outcome(one, self.row, self._parallel(one.models, len(answers)), len(answers))
        yield from pair_up(Imported("pair", shared, metadata), answers, outcome, self._merits(len(answers)))

    def _holes(self, answers: int) -> list[str]:
        """What would tell the better of so many answers that nobody decided, and is missing."""
        one = self.map
        if not answers:
            return []
        telling = [*one.winner, *filter(None, (one.index, one.strength))]
        if not telling and (answers > 1 or one.accept_from is not None):
            telling = [*(one.ranks or one.scores)][: 1 if self._listed or answers == 1 else None]
        values = [(path, at(self.row, path)) for path in telling]
        return [
            _name_of(path)
            for path, value in values
            if is_absent(value) or (isinstance(value, list) and any(map(is_absent, value)))
        ]

    def _take(self, *paths: str) -> None:
        """Strike from the rest of the row what stands at the paths."""
        for path in paths:
            self.rest = without(self.rest, (path,) if path in self.rest else steps_of(path)) or {}

    # Answers ------------------------------------------------------------------------------------------------------

    def _conversation(self) -> tuple[list[Turn], list[tuple[str, str]]]:
        """The turns that are answered, and name and text of each answer."""
        sides = self._sides()
        self._take(*self.map.sides)
        prompts = [path for path in self.map.prompt if EACH in path]
        asked = [] if prompts and not self._listed else self._asked()
        whole = [(name, self._turns_of(name, value, asked, prompts)) for name, value in sides]
        self._take(*prompts)
        for name, turns in whole:
            if not turns or turns[-1]["role"] != "assistant":
                raise RowProblem(f"{name} does not end with an assistant's turn")
            if not turns[-1]["content"].strip():
                raise RowProblem(f"{name} is empty")
        texts = [(name, turns[-1]["content"]) for name, turns in whole]
        if asked and asked[-1]["role"] == "assistant" and asked[-1]["content"] in (text for _, text in texts):
            asked = asked[:-1]
        heads = [_joined(asked, turns[:-1]) for _, turns in whole]
        names = " and ".join((texts[0][0], texts[-1][0]) if len(texts) > 1 else (texts[0][0],))
        if not all(heads) and not asked:
            raise RowProblem(self._why_no_request(names))
        if any(not head or _spoken(head) != _spoken(heads[0]) for head in heads):
            raise RowProblem(f"{names} answer different conversations, or another one than the prompt")
        if heads[0][-1]["role"] not in ("user", "tool"):
            told = (
                f"{names} follow another turn of the assistant's"
                if whole[0][1][:-1]
                else "the prompt ends with an answer"
            )
            raise RowProblem(f"{told}; an answer follows a user's turn, or a tool's")
        return heads[0], _without_request(asked, texts)

    def _why_no_request(self, answers: str) -> str:
        for path in self.map.prompt or ASKED:
            value = at(self.row, path)
            if not is_absent(value) and not _holds_text(value):
                return _no_request(path, value)
        wanted = " and no ".join(self.map.prompt) or "prompt"
        return f"there is no {wanted}, and {answers} do not begin with the same user turn"

    def _sides(self) -> list[tuple[str, Any]]:
        """Name and value of each answer, as the row has it."""
        paths = self.map.sides
        if not self._listed:
            return [(path, at(self.row, path)) for path in paths]
        head = paths[0].partition(EACH)[0]
        return [(f"{head}[{place}]", value) for place, value in enumerate(at(self.row, paths[0]))]

    def _turns_of(self, name: str, value: Any, asked: list[Turn], prompts: Sequence[str]) -> list[Turn]:
        if prompts and not self._listed:
            return _interleave([text for path in prompts for text in at(self.row, path)], value, name)
        if isinstance(value, str) and find_turns(value) is None:
            turns = read_transcript(value)
            if turns is not None and (not asked or _covers(turns[:-1], asked)):
                return turns
            return [{"role": "assistant", "content": value}]
        if asked and (self._listed or isinstance(value, Verbatim)) and not _goes_on(asked, value):
            return [{"role": "assistant", "content": str(value)}]
        return self._read(name, value)

    def _read(self, name: str, value: Any) -> list[Turn]:
        """Turns of a list of messages; what these say beside role and content is kept."""
        try:
            turns = read_turns(value)
        except ValueError as problem:
            raise RowProblem(f"{name}{'' if str(problem).startswith('[') else ': '}{problem}") from None
        if extras := list_extras(value):
            self.extras[name] = extras
        return turns

    def _answers(self, texts: list[tuple[str, str]]) -> list[dict[str, Any]]:
        """The answers as responses of a seed: their texts, and what stands beside each."""
        one, number = self.map, len(texts)
        models = self._parallel(one.models, number)
        scores, ranks = self._numbers(one.scores, "score", number), self._numbers(one.ranks, "rank", number)
        self._take(*one.models, *one.scores, *one.ranks, *filter(None, (one.label,)))
        beside: Sequence[Any] = [None] * number
        if self._listed:
            head = one.sides[0].partition(EACH)[0]
            beside = at(self.rest, head) or beside
            self._take(head)
        answers = []
        for place, (_, text) in enumerate(texts):
            model = None if is_absent(models[place]) else str(models[place])
            facts = {"model": model, "scores": {**scores[place], **ranks[place]}, "facts": beside[place]}
            answers.append(
                {"text": text, **{name: fact for name, fact in facts.items() if not is_absent(fact)}}
            )
        return answers

    def _parallel(self, paths: Sequence[str], number: int) -> Sequence[Any]:
        """What stands at the paths for each answer; None where nothing does."""
        if not paths:
            return [None] * number
        values = at(self.row, paths[0]) if EACH in paths[0] else [at(self.row, path) for path in paths]
        if len(values) != number:
            raise RowProblem(f"{paths[0]} has {len(values)} values for {number} answers")
        return list(values)

    def _numbers(self, paths: Sequence[str], kind: str, number: int) -> list[dict[str, float]]:
        """The scores of each answer by name: what stands behind `[*]`, the column of a single answer, else `kind`."""
        pairwise = bool(paths) and EACH not in paths[0] and number > 1
        groups = [(kind, paths)] if pairwise else [(_name_of(path), (path,)) for path in paths]
        found: list[dict[str, float]] = [{} for _ in range(number)]
        for name, group in groups:
            for place, value in enumerate(self._parallel(group, number)):
                if (score := number_of(value)) is not None:
                    found[place][name] = score
        return found

    def _said_of_one(self) -> tuple[Said, ...]:
        one = self.map
        if one.label is not None:
            return (Said("accept" if yes_or_no(at(self.row, one.label), one.label) else "reject", 0),)
        value = at(self.row, one.scores[0]) if one.scores else None
        score = number_of(value)
        if score is None and one.accept_from is not None and not is_absent(value) and value not in UNKNOWN:
            raise RowProblem(f"{one.scores[0]} is {show(value, 40)}; it must be a number")
        accepted = score is not None and one.accept_from is not None and score >= one.accept_from
        return (Said("accept", 0),) if accepted else ()

    def _merits(self, number: int) -> list[float | None]:
        """By what the answers are ordered, the more the better: the first of the ranks, or of the scores."""
        one = self.map
        paths, sign = (one.ranks, -1.0) if one.ranks else (one.scores, 1.0)
        found = [number_of(value) for value in self._parallel(paths[: 1 if self._listed else None], number)]
        return [None if value is None else sign * value for value in found]

    # The request --------------------------------------------------------------------------------------------------

    def _asked(self) -> list[Turn]:
        """The turns that are answered, from the columns of the map or those with usual names; perhaps none."""
        turns: list[Turn] = []
        texts: list[str] = []
        for path in self.map.prompt or [name for name in ASKED if name not in self._taken]:
            value = at(self.row, path)
            wanted = bool(self.map.prompt) or _holds_text(value)  # a number under a usual name is no request
            spoken = self._spoken(path, value) if wanted and not is_absent(value) else None
            if path == "task" and not self.map.prompt and (texts or turns):
                continue
            if isinstance(spoken, str):
                texts.append(spoken)
            elif spoken is None or turns:
                continue  # a second conversation stays a column
            else:
                turns = spoken
            self._take(path)
        earlier = self._usual(self.map.history, HISTORY)
        for path in [path for path in earlier if self.map.history or _holds_text(at(self.row, path))][:1]:
            turns = [*self._earlier(path), *turns]
            self._take(path)
        found = self._usual(self.map.reference, REFERENCE)
        for path in [path for path in found if isinstance(at(self.row, path), (str, int, float))][:1]:
            self.reference = at(self.row, path)
            self._take(path)
        return self._with_system(_with_texts(turns, texts))

    def _earlier(self, path: str) -> list[Turn]:
        """Earlier turns: pairs, messages, a transcript, or texts in turn."""
        value = at(self.row, path)
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            if len(value) % 2:
                raise RowProblem(
                    f"{path} has {len(value)} texts, and is no list of pairs of request and answer"
                )
            return _interleave(value[::2], value[1::2], path)
        spoken = self._spoken(path, value)
        return [{"role": "user", "content": spoken}] if isinstance(spoken, str) else spoken

    def _spoken(self, path: str, value: Any) -> list[Turn] | str:
        if isinstance(value, str) and find_turns(value) is None:
            return read_transcript(value) or value
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return "\n".join(value)
        if isinstance(value, (str, list, tuple, Mapping)):
            return self._read(path, value)
        raise RowProblem(_no_request(path, value))

    def _with_system(self, turns: list[Turn]) -> list[Turn]:
        for path in self._usual(self.map.system, SYSTEM):
            value = at(self.row, path)
            known = turns[0]["content"].strip() if turns and turns[0]["role"] == "system" else None
            if isinstance(value, str) and known in (None, value.strip()):
                self._take(path)
                return turns if known is not None else [{"role": "system", "content": value}, *turns]
        return turns

    def _usual(self, named: str | None, usual: Sequence[str]) -> list[str]:
        """The path that a map names, or the columns with a usual name, where something stands there."""
        paths = [named] if named else [name for name in usual if name not in self._taken]
        return [path for path in paths if not is_absent(at(self.row, path))]


def _name_of(path: str) -> str:
    """What a score is called: the path behind `[*]`, where there is one."""
    return path.rpartition("].")[2].replace(EACH, "")


def _no_request(path: str, value: Any) -> str:
    return f"{path} is neither a text nor a list of messages: {show(value, 60)}"


def _holds_text(value: Any) -> bool:
    """Tell whether there is a text in a value, however deep."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and any(map(_holds_text, value)))


def _no_answers(maps: Sequence[ImportMap], row: Row) -> str:
    """What is missing, of the map of which the most is there."""
    wanted = [one.sides or (str(one.tree),) for one in maps]
    missing = [[path for path in paths if is_absent(at(row, path))] or [*paths] for paths in wanted]
    nearest = max(range(len(maps)), key=lambda place: len(wanted[place]) - len(missing[place]))
    told = f"there is no {missing[nearest][0]!r}"
    if len(maps) == 1 or len(missing[nearest]) < len(wanted[nearest]):
        return told
    listed = ", ".join(dict.fromkeys(" and ".join(paths) for paths in wanted))
    return f"{told} (looked for {listed}: answers, or conversations that end with the assistant)"


# Turns ------------------------------------------------------------------------------------------------------------


def _with_texts(turns: list[Turn], texts: list[str]) -> list[Turn]:
    """Turns with texts below the last user turn, or as one; a text that stands in another already is no text more."""
    known = [turn["content"] for turn in turns]
    fresh: list[str] = []
    for place, text in enumerate(texts):
        later = [other for other in texts[place + 1 :] if other != text]
        if text.strip() and not any(_stands_in(text.strip(), other) for other in (*known, *fresh, *later)):
            fresh.append(text)
    joined = "\n".join(fresh)
    if not joined:
        return turns
    if turns and turns[-1]["role"] == "user":
        return [*turns[:-1], {"role": "user", "content": f"{turns[-1]['content']}\n{joined}"}]
    return [*turns, {"role": "user", "content": joined}]


def _stands_in(text: str, other: str) -> bool:
    return text in other if len(text) >= _WHOLE else text in map(str.strip, other.split("\n"))


def _spoken(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    return [(turn["role"], " ".join(turn["content"].split())) for turn in turns]


def _goes_on(asked: Sequence[Turn], value: Any) -> bool:
    """Whether messages answer what is asked; if a text happens to be JSON of others, it is itself the answer."""
    if not isinstance(value, str):
        return True
    try:
        turns = read_turns(value)
    except ValueError:
        return False
    return turns[-1]["role"] == "assistant" and (len(turns) == 1 or _covers(turns[:-1], asked))


def _covers(turns: Sequence[Turn], asked: Sequence[Turn]) -> bool:
    """Whether what is asked stands among the turns; a system prompt may be missing in either."""
    return {one for one in _spoken(asked) if one[0] != "system"} <= set(_spoken(turns))


def _joined(asked: list[Turn], head: list[Turn]) -> list[Turn]:
    """The conversation of a request and of the turns before an answer, which may repeat it; empty: they do not fit."""
    systems = [turn for turn in asked if turn["role"] == "system"]
    if not asked or (head and _covers(head, asked)):
        return head if not systems or head[0]["role"] == "system" else [*systems, *head]
    if _covers(asked, head):
        return asked
    return [*asked, *head] if head[0]["role"] == "assistant" else []


def _interleave(prompts: Sequence[Any], replies: Any, name: str) -> list[Turn]:
    """The turns of a list of requests and a list of replies."""
    if not isinstance(replies, (list, tuple)) or len(replies) != len(prompts):
        raise RowProblem(f"{name} is no list of {len(prompts)} texts, one for each request")
    if not all(isinstance(text, str) for text in (*prompts, *replies)):
        raise RowProblem(f"{name} or its requests hold what is no text")
    pairs = zip(prompts, replies, strict=True)
    return [
        {"role": role, "content": text}
        for asked, replied in pairs
        for role, text in (("user", asked), ("assistant", replied))
    ]


def _without_request(asked: Sequence[Turn], texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The answers less the request, where every one of them repeats it as its first lines."""
    request = asked[-1]["content"].strip() if asked else ""
    cut = [
        text.lstrip()[len(request) :] for _, text in texts if request and text.lstrip().startswith(request)
    ]
    if (
        len(texts) < 2
        or len(cut) < len(texts)
        or not all(rest.startswith(("\n", "\r")) and rest.strip() for rest in cut)
    ):
        return texts
    return [(name, rest.lstrip("\r\n")) for (name, _), rest in zip(texts, cut, strict=True)]
