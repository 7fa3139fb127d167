"""The accepted answers as texts: length, readability, refusals, constraints, markdown, personal data, rude words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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


def evaluate(material: Material) -> Quality:
    """Return what the answers of the records in force are like as texts, by pure measures. A text that was labelled is
    no answer."""
    records, seen = material.records()
    rows = [row for row in records if row.outcome != "label"]
    answered = [(row, row.answer) for row in rows if row.answer is not None]
    texts = [text for _, text in answered]
    n = len(texts)
    broken = {row.id: problems for row, text in answered if (problems := find_broken_markdown(text))}
    personal = {row.id: kinds for row, text in answered if (kinds := find_personal(text))}
    refusing = [row.id for row, text in answered if is_refusal(text)]
    rude = [row.id for row, text in answered if find_rude(text)]
    languages_of = _told_languages(answered)
    foreign = {name: pair for name, pair in languages_of.items() if pair[0] not in pair[1]}
    readable = [value for text in texts if (value := measure_readability(text)) is not None]
    kept = _kept(rows, lambda row: row.answer)
    flagged: dict[str, Iterable[str]] = {
        "refusals": refusing,
        "broken_markdown": broken,
        "personal": personal,
        "rude": rude,
        "other_language": foreign,
        "constraint_not_kept": dict.fromkeys(name for name, _, held in kept if not held),
    }
    return Quality(
        suite="quality",
        n=n,
        words=_lengths([len(find_words(text)) for text in texts], material.seed),
        readability=mean(readable, material.seed, "no English text of ten words or more"),
        length_gap=mean(_length_gaps(rows), material.seed, "no pair"),
        refusals=rate(len(refusing), n),
        empty=rate(sum(not text.strip() for text in texts), n),
        with_markdown=rate(sum(count_marks(text) > 0 for text in texts), n),
        broken_markdown=rate(len(broken), n),
        broken_kinds=dict(Counter(kind for kinds in broken.values() for kind in kinds)),
        personal=rate(len(personal), n),
        personal_kinds=dict(sum((Counter(kinds) for kinds in personal.values()), Counter[str]())),
        rude=rate(len(rude), n),
        languages=dict(Counter(row.lang or "not stated" for row in rows)),
        other_language=rate(
            len(foreign), len(languages_of), "no seed states a language that its answer tells too"
        ),
        other_languages=dict(
            Counter(f"{stated}, reads as {' or '.join(sorted(read))}" for stated, read in foreign.values())
        ),
        constraints=_share_kept(kept, "no request states a checkable constraint"),
        constraints_rejected=_share_kept(
            _kept(rows, lambda row: row.rejected), "no rejected answer has one to keep"
        ),
        constraints_by_kind={
            kind: _share_kept([one for one in kept if one[1] == kind])
            for kind in sorted({kind for _, kind, _ in kept})
        },
        flagged={name: tuple(ids)[:20] for name, ids in flagged.items() if ids},
        notes=(*spell_sample(len(records), seen), *_notes(rows, bool(foreign), bool(personal))),
    )


def _notes(rows: Sequence[ExportRow], foreign: bool, personal: bool) -> Iterable[str]:
    if any(row.lang not in (None, "en") for row in rows):
        yield "readability, refusals and rude words are made for English: read them for that part only"
    if foreign:
        yield (
            "languages are told by script and common words; where a request asks for another language, as "
            "translations do, its answer counts as one in another language"
        )
    if personal:
        yield "patterns find forms of personal data, not people: neither finding them nor finding none is proof"


def _length_gaps(rows: Sequence[ExportRow]) -> list[float]:
    """Words of the chosen answer minus those of the rejected one, pair by pair."""
    return [
        float(len(find_words(row.chosen)) - len(find_words(row.rejected)))
        for row in rows
        if row.chosen is not None and row.rejected is not None
    ]


def _share_kept(kept: Sequence[tuple[str, str, bool]], why: str = "nothing to measure") -> Figure:
    return rate(sum(held for *_, held in kept), len(kept), why)


def _told_languages(answered: Sequence[tuple[ExportRow, str]]) -> dict[str, tuple[str, frozenset[str]]]:
    """Record -> the language that its seed states, and those that its answer may be in; only where both are told."""
    return {
        row.id: (stated, read)
        for row, text in answered
        if (stated := primary(row.lang)) is not None and (read := find_language(text))
    }


def _kept(
    rows: Sequence[ExportRow], text_of: Callable[[ExportRow], str | None]
) -> list[tuple[str, str, bool]]:
    """Record, kind and whether it was kept, of every checkable constraint of its request."""
    kept = []
    for row in rows:
        text = text_of(row)
        if text is not None:
            kept += [
                (row.id, one.kind, one.check(text)) for one in find_constraints(row.prompt, row.metadata)
            ]
    return kept


def _lengths(words: list[int], seed: int) -> Lengths | None:
    if not words:
        return None
    return Lengths(
        mean=mean([float(w) for w in words], seed),
        shortest=min(words),
        median=median(words),
        longest=max(words),
    )
