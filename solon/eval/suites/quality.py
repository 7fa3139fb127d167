"""The accepted answers as texts: length, readability, refusals, constraints, markdown, personal data, rude words."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.constraints import find_constraints
from solon.eval.material import spell_sample
from solon.eval.result import Figure, SuiteResult, mean, rate
from solon.eval.writing import (
    count_marks,
    find_broken_markdown,
    find_personal,
    find_rude,
    is_refusal,
)
from solon.languages import find_language, primary
from solon.words import find_words, measure_readability

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow

FLAGS = ("refusals", "broken_markdown", "personal", "rude", "other_language", "constraint_not_kept")
"""Findings for which records are named."""
SHOWN = 20
"""Records that are named for a finding."""


class Lengths(BaseModel):
    """Words of the answers.

    Attributes:
        mean: with its interval.
        shortest: words of the shortest answer.
        median: over all answers.
        longest: words of the longest answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: Figure
    shortest: int
    median: float
    longest: int


class Quality(SuiteResult):
    """The accepted answers as texts: chosen ones of pairs, and responses. Shares are of answers.

    Attributes:
        n: answers that were read.
        words: their length; None where there is no answer.
        readability: Flesch reading ease, of texts of ten words or more; made for English.
        length_gap: words of the chosen minus words of the rejected answer, pair by pair.
        refusals: share that begins as a refusal does.
        empty: share without any text.
        with_markdown: share with any mark of Markdown.
        broken_markdown: share that a renderer would stumble over.
        broken_kinds: number of answers by what is broken.
        personal: share with what looks like personal data.
        personal_kinds: number of such places by kind.
        rude: share with words of a short English list.
        languages: number of records by the language that the seed states.
        other_language: answers that read as another language than their seed states, of those with a language
            that can be told both ways.
        other_languages: number of those by what is stated and what it reads as.
        constraints: checkable instructions of the requests (after IFEval) that the accepted answers keep.
        constraints_rejected: those that the rejected answers keep.
        constraints_by_kind: of the accepted answers.
        flagged: ids of the records behind each finding, at most 20 of each.
    """

    words: Lengths | None
    readability: Figure
    length_gap: Figure
    refusals: Figure
    empty: Figure
    with_markdown: Figure
    broken_markdown: Figure
    broken_kinds: dict[str, int]
    personal: Figure
    personal_kinds: dict[str, int]
    rude: Figure
    languages: dict[str, int]
    other_language: Figure
    other_languages: dict[str, int]
    constraints: Figure
    constraints_rejected: Figure
    constraints_by_kind: dict[str, Figure]
    flagged: dict[str, tuple[str, ...]]

    def headline(self) -> dict[str, Figure]:
        """What a reader would mind most."""
        return {
            "refusals": self.refusals,
            "broken markdown": self.broken_markdown,
            "forms of personal data": self.personal,
        }

    def next_step(self) -> str:
        """Look at a record behind a finding."""
        if not self.n:
            return "the records in force hold no answers; `solon status` says where the runs stand"
        if not self.flagged:
            return "nothing was found; how varied they are: `solon eval diversity`"
        finding, ids = next(iter(self.flagged.items()))
        return f"look at what was found, such as {finding.replace('_', ' ')}: `solon show {ids[0]}`"


class _Findings:
    """What was found of the texts read so far: numbers, and the ids of the first records behind each finding."""

    def __init__(self) -> None:
        self.counts, self.languages = Counter[str](), Counter[str]()
        self.kinds: dict[str, Counter[str]] = {
            "broken": Counter(),
            "personal": Counter(),
            "foreign": Counter(),
        }
        self.words, self.readable, self.gaps = array("L"), array("d"), array("d")
        self.kept: dict[str, Counter[bool]] = {}
        self.kept_by_rejected = Counter[bool]()
        self.flagged: dict[str, list[str]] = {name: [] for name in FLAGS}
        self.other_than_english = False

    def add(self, row: ExportRow) -> None:
        """Read a record."""
        self.languages[row.lang or "not stated"] += 1
        self.other_than_english |= row.lang not in (None, "en")
        if row.chosen is not None and row.rejected is not None:
            self.gaps.append(len(find_words(row.chosen)) - len(find_words(row.rejected)))
        constraints = find_constraints(row.prompt, row.metadata)
        if row.rejected is not None:
            self.kept_by_rejected.update(one.check(row.rejected) for one in constraints)
        if row.answer is not None:
            held = [(one.kind, one.check(row.answer)) for one in constraints]
            for kind, holds in held:
                self.kept.setdefault(kind, Counter())[holds] += 1
            self._flag(row, "constraint_not_kept", not all(holds for _, holds in held))
            self._read(row, row.answer)

    def _read(self, row: ExportRow, text: str) -> None:
        self.words.append(len(find_words(text)))
        if (readable := measure_readability(text)) is not None:
            self.readable.append(readable)
        broken, personal = find_broken_markdown(text), find_personal(text)
        self.kinds["broken"].update(broken)
        self.kinds["personal"].update(personal)
        self.counts["empty"] += not text.strip()
        self.counts["marked"] += count_marks(text) > 0
        self._flag(row, "refusals", is_refusal(text))
        self._flag(row, "broken_markdown", bool(broken))
        self._flag(row, "personal", bool(personal))
        self._flag(row, "rude", bool(find_rude(text)))
        stated = primary(row.lang)
        if stated is not None and (read := find_language(text)):
            self.counts["told"] += 1
            if stated not in read:
                self.kinds["foreign"][f"{stated}, reads as {' or '.join(sorted(read))}"] += 1
            self._flag(row, "other_language", stated not in read)

    def _flag(self, row: ExportRow, finding: str, found: bool) -> None:
        self.counts[finding] += found
        if found and len(self.flagged[finding]) < SHOWN:
            self.flagged[finding].append(row.id)


def evaluate(material: Material) -> Quality:
    """Return what the answers of the records in force are like as texts, by pure measures. A text that was labelled is
    no answer."""
    sample, found = material.sample(), _Findings()
    for row in sample:
        if row.outcome != "label":
            found.add(row)
    n, of, kept = len(found.words), found.counts, found.kept
    foreign, personal = of["other_language"], of["personal"]
    return Quality(
        suite="quality",
        n=n,
        words=_lengths(found.words, material.seed),
        readability=mean(found.readable, material.seed, "no English text of ten words or more"),
        length_gap=mean(found.gaps, material.seed, "no pair"),
        refusals=rate(of["refusals"], n),
        empty=rate(of["empty"], n),
        with_markdown=rate(of["marked"], n),
        broken_markdown=rate(of["broken_markdown"], n),
        broken_kinds=dict(found.kinds["broken"]),
        personal=rate(personal, n),
        personal_kinds=dict(found.kinds["personal"]),
        rude=rate(of["rude"], n),
        languages=dict(found.languages),
        other_language=rate(foreign, of["told"], "no seed states a language that its answer tells too"),
        other_languages=dict(found.kinds["foreign"]),
        constraints=_share_kept(sum(kept.values(), Counter()), "no request states a checkable constraint"),
        constraints_rejected=_share_kept(found.kept_by_rejected, "no rejected answer has one to keep"),
        constraints_by_kind={kind: _share_kept(kept[kind]) for kind in sorted(kept)},
        flagged={name: tuple(ids) for name, ids in found.flagged.items() if ids},
        notes=(
            *spell_sample(sample.shown, sample.seen),
            *_notes(found.other_than_english, foreign > 0, personal > 0),
        ),
    )


def _notes(other_than_english: bool, foreign: bool, personal: bool) -> Iterable[str]:
    if other_than_english:
        yield "readability, refusals and rude words are made for English: read them for that part only"
    if foreign:
        yield (
            "languages are told by script and common words; where a request asks for another language, as "
            "translations do, its answer counts as one in another language"
        )
    if personal:
        yield "patterns find forms of personal data, not people: neither finding them nor finding none is proof"


def _share_kept(kept: Counter[bool], why: str = "nothing to measure") -> Figure:
    return rate(kept[True], kept.total(), why)


def _lengths(words: array[int], seed: int) -> Lengths | None:
    if not words:
        return None
    return Lengths(
        mean=mean(words, seed),
        shortest=min(words),
        median=median(words),
        longest=max(words),
    )
