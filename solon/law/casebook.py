"""Precedents as case law: which earlier decisions a new case is shown, and as what text. Pure.

Similarity is lexical (TF-IDF cosine over words and word pairs), and of meaning where vectors are given; cases
decided by a principle that critics cited here go before equally similar ones. Everything chosen is a function
of the cases and the principles given, so that an item replayed from its journal is shown the same again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[Any]]

MOST = 3
"""Precedents shown with a case."""
TOKENS = 600
"""Room for all of them, at four characters a token."""
CHARS_PER_TOKEN = 4
BUCKETS = 4096
ALIKE = 0.1
"""Less similar cases are not shown: they would be noise."""
ALIKE_IN_MEANING = 0.22
"""The same for vectors of the small static model: unrelated requests stay under it, paraphrases reach about .26."""
SHARED = 1.5
"""A case that cites a principle at issue counts as so many times as similar."""
LIMITS = (0.25, 0.2, 0.15, 0.12, 0.1, 0.08)
"""Mean similarity to a group from which a text joins it; see `cluster`."""
SAME = 0.8
"""From this overlap of word triples (Jaccard) two requests are the same question, and one would give away the other."""

SAME_IN_MEANING = 0.9
"""The same for vectors, where cases are compared by them: what a paraphrase was decided would be given away, too."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A decided case, as it may be shown with a new one.

    Attributes:
        id: by which it may be cited.
        item_id: the item that was decided.
        seed_id: the seed of that item.
        group: joins items that belong together, such as those of one patient; None where there is none.
        request: what was asked for.
        chosen: text of the better answer.
        rejected: text of the worse answer; empty where there is none.
        choice: what was decided, in words.
        rationale: why; empty where the expert gave no reason.
        principles: ids of the principles that the decision cites.
    """

    id: str
    item_id: str
    seed_id: str
    group: str | None
    request: str
    chosen: str
    rejected: str
    choice: str
    rationale: str
    principles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a new case is shown of earlier ones; empty where none fits.

    Attributes:
        text: for the prompt.
        ids: of the cases in it, which may be cited.
    """

    text: str = ""
    ids: frozenset[str] = frozenset()


class Casebook:
    """A fixed set of decided cases, from which the ones that resemble a request are retrieved.

    The index is built when it is first asked.

    Args:
        cases: the cases.
        embed: turns texts into vectors of length 1, (n, d); default: similarity is of words alone.
    """

    def __init__(self, cases: Sequence[Worked], embed: Embed | None = None) -> None:
        self.cases = sorted(cases, key=lambda case: case.id)
        self._embed = embed

    def __bool__(self) -> bool:
        return bool(self.cases)

    def consult(
        self,
        request: str,
        *,
        item_id: str,
        seed_id: str,
        group: str | None,
        principles: Collection[str] = (),
        most: int = MOST,
        tokens: int = TOKENS,
    ) -> Shown:
        """Return the most similar cases within `tokens`, never one of the item itself, of its near-duplicates
        or of its group.

        Args:
            request: what the new case asks for.
            principles: ids that are at issue here; cases that cite one of them rise.
            most: how many cases at most.
            tokens: room for all of them.
        """
        if not self.cases or not request.strip():
            return Shown()
        import numpy as np

        meant = self._vectors @ self._embed([request])[0] if self._embed is not None else None
        scores = self._score(request, principles, meant)
        own = _triples(request)
        room = tokens * CHARS_PER_TOKEN
        blocks: list[str] = []
        ids: list[str] = []
        for place in np.argsort(-scores, kind="stable"):
            if len(ids) >= most or scores[place] <= 0:
                break
            case = self.cases[int(place)]
            if case.item_id == item_id or case.seed_id == seed_id or (group and case.group == group):
                continue
            if overlap(own, _triples(case.request)) >= SAME:
                continue
            if meant is not None and meant[place] >= SAME_IN_MEANING:
                continue
            block = render(case, room // max(1, most - len(ids)))
            if not block:
                continue
            room -= len(block) + 1
            blocks.append(block)
            ids.append(case.id)
        return Shown("\n".join(blocks), frozenset(ids))

    def _score(self, request: str, principles: Collection[str], meant: NDArray[Any] | None) -> NDArray[Any]:
        """(n,) how much each case has to say here; 0 where it would be noise."""
        import numpy as np

        lexical = self._index.similar(request)
        scores = lexical / ALIKE  # from 1 on a case is similar enough, by words or by meaning
        if meant is not None:
            scores = np.maximum(scores, meant / ALIKE_IN_MEANING)
        shared = np.array([bool(set(case.principles) & set(principles)) for case in self.cases])
        scores = scores * np.where(shared, SHARED, 1.0)
        return np.where(scores >= 1.0, scores, 0.0)

    @cached_property
    def _index(self) -> Index:
        return Index([case.request for case in self.cases])

    @cached_property
    def _vectors(self) -> NDArray[Any]:
        assert self._embed is not None
        return self._embed([case.request for case in self.cases])


class Index:
    """TF-IDF vectors of texts, (n, BUCKETS) with rows of unit length; terms are hashed into buckets."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np

        counted = [_terms(text) for text in texts]
        frequency = np.zeros(BUCKETS, dtype=np.float32)
        for terms in counted:
            frequency[list(terms)] += 1
        self._idf = np.log((1 + len(texts)) / (1 + frequency)) + 1
        self.matrix = np.zeros((len(texts), BUCKETS), dtype=np.float32)
        for row, terms in enumerate(counted):
            self.matrix[row] = self._vector(terms)

    def similar(self, text: str) -> NDArray[Any]:
        """Return the cosine similarity of `text` to every text of the index, (n,)."""
        cosines: NDArray[Any] = self.matrix @ self._vector(_terms(text))
        return cosines

    def _vector(self, terms: Mapping[int, int]) -> NDArray[Any]:
        import numpy as np

        vector: NDArray[Any] = np.zeros(BUCKETS, dtype=np.float32)
        vector[list(terms)] = 1 + np.log(list(terms.values()) or [1])[: len(terms)]
        vector *= self._idf
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector


def render(case: Worked, room: int) -> str:
    """Return one case as text of at most `room` characters; empty where that is too little to say anything."""
    head = f"[{case.id}] experts decided: {case.choice}"
    if case.principles:
        head += f" (by {', '.join(case.principles)})"
    parts = [("request", case.request, 3), ("better", case.chosen, 3), ("worse", case.rejected, 2)]
    parts.append(("because", case.rationale, 4))
    parts = [part for part in parts if part[1].strip()]
    left = room - len(head) - sum(len(name) + 4 for name, _, _ in parts)
    if left < 40:
        return ""
    total = sum(weight for _, _, weight in parts)
    lines = [head]
    for name, text, weight in parts:
        lines.append(f"  {name}: {shorten(text, max(8, left * weight // total))}")
    return "\n".join(lines)


def cases_in(prompt: str) -> set[str]:
    """Return the ids of the cases that a prompt shows, as `render` writes them."""
    return set(re.findall(r"\[([0-9a-f]{12,64})\] experts decided: ", prompt))


def shorten(text: str, width: int) -> str:
    """Return the text as one line of at most `width` characters, so that a rationale cannot look like another
    case.
    """
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(0, width - 3)] + "..."


def cluster(texts: Sequence[str], least: int = 3) -> list[list[int]]:
    """Return groups of similar texts, as places in `texts`, the largest first; a group begins with its first
    text.

    Long texts in many words resemble each other less than short ones. So of `LIMITS` the strictest is taken
    under which a third of the texts are in groups of at least `least`.
    """
    if not texts:
        return []
    index = Index(texts)
    similarity = index.matrix @ index.matrix.T
    groups: list[list[int]] = []
    for alike in LIMITS:
        groups = _group(similarity, alike)
        if 3 * sum(len(group) for group in groups if len(group) >= least) >= len(texts):
            break
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def _group(similarity: NDArray[Any], alike: float) -> list[list[int]]:
    groups: list[list[int]] = []
    for place in range(len(similarity)):
        best = max(groups, key=lambda group: similarity[place][group].mean(), default=None)
        if best is not None and similarity[place][best].mean() >= alike:
            best.append(place)
        else:
            groups.append([place])
    return groups


def own_words(rationale: str, *topic: str) -> str:
    """Return the words of a rationale that its case does not hold: how it judges, not what the case is about.

    Where there are none it is the whole rationale.
    """
    held = {word for text in topic for word in re.findall(r"\w+", text.lower())}
    own = " ".join(word for word in re.findall(r"\w+", rationale.lower()) if word not in held)
    return own or rationale


def overlap(ours: set[str], theirs: set[str]) -> float:
    """Return the Jaccard similarity of two sets; 0 for two empty ones."""
    return len(ours & theirs) / max(1, len(ours | theirs))


def repeats(texts: Sequence[str], among: Sequence[str]) -> list[bool]:
    """Tell of each text whether it is the same question as one of `among`."""
    if not texts or not among:
        return [False] * len(texts)
    index, theirs = Index(among), [_triples(text) for text in among]
    repeated = []
    for text in texts:
        own = _triples(text)
        close = (index.similar(text) >= 0.5).nonzero()[0]
        repeated.append(text in among or any(overlap(own, theirs[int(i)]) >= SAME for i in close))
    return repeated


def _terms(text: str) -> dict[int, int]:
    """Bucket -> how often its words and word pairs occur."""
    words = re.findall(r"\w+", text.lower())[:2000]
    counts: dict[int, int] = {}
    for term in [*words, *(f"{a} {b}" for a, b in pairwise(words))]:
        bucket = crc32(term.encode()) % BUCKETS
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts


def _triples(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())[:2000]
    return {" ".join(words[i : i + 3]) for i in range(len(words) - 2)} or set(words) or {text}
