"""The data set by a rubric: originality, diversity, quality control, documentation, each by figures that cost little
however large the set is; `look` names the suite that measures more. No grade is given: what is enough depends on what
the set is for.

Source: Winata et al. 2025, "Datasheets Aren't Enough: DataRubrics for Automated Quality Metrics and Accountability"
(arXiv 2506.01789), which asks these four things of data sets that people or models made.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.eval.result import Figure, rate, spell_interval, spell_share
from solon.eval.suites import agreement, diversity, quality

if TYPE_CHECKING:
    from solon.eval.material import Material
    from solon.formats.records import ExportRow

READ = 100
"""Texts that are drawn to say how varied all are: the work on more grows with them, a hundred times."""
STATED = {"language": "lang", "licence": "licence", "source": "source", "consent": "consent"}
"""What seeds may state of themselves -> the field of a record that has it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measure(_Part):
    """One figure of a criterion.

    Attributes:
        name: what it is of.
        figure: with its n and interval.
        percent: it is a share.
        counted: every record was counted, so that no interval is told: the figure is of this set, and no sample.
    """

    name: str
    figure: Figure
    percent: bool = True
    counted: bool = False

    def spell(self) -> str:
        """The figure with n and interval in words, or why it is not known."""
        if not self.figure.known:
            return f"not known ({self.figure.why_unknown})"
        value = spell_share(self.figure) if self.percent else f"{self.figure.value:.2f}"
        if self.counted:
            return f"{value} (of all {self.figure.n})"
        return f"{value} ({spell_interval(self.figure, self.percent)})"


class Criterion(_Part):
    """One thing that is asked of the set.

    Attributes:
        name: of the criterion.
        question: what is asked.
        measures: what is known of it.
        look: the command that tells more.
    """

    name: str
    question: str
    measures: tuple[Measure, ...]
    look: str


class SetRubric(_Part):
    """The data set by a rubric.

    Attributes:
        records: in force, over which it was measured.
        criteria: what is asked of it, in order.
    """

    records: int
    criteria: tuple[Criterion, ...]

    def spell(self) -> tuple[str, ...]:
        """A sentence for each criterion, with its figures."""
        return tuple(
            f"{one.name.capitalize()}: {'; '.join(f'{m.name} {m.spell()}' for m in one.measures)}."
            for one in self.criteria
        )


def judge_set(
    material: Material,
    *,
    agreed: agreement.Agreement | None = None,
    read: quality.Quality | None = None,
) -> SetRubric:
    """Return the records in force by the rubric.

    Args:
        agreed, read: what those suites found of the same material; None: they are run.
    """
    facts, sample = _Facts(material.seed), material.sample()
    for row in sample:
        facts.add(row)
    facts.whole = sample.seen == sample.shown
    return SetRubric(
        records=facts.counts["records"],
        criteria=(
            _originality(facts),
            _diversity(facts, material.seed),
            _quality_control(
                facts, agreed or agreement.evaluate(material), read or quality.evaluate(material)
            ),
            _documentation(facts),
        ),
    )


class _Texts:
    """Texts of records, of which `READ` are kept at random (Vitter 1985, algorithm R) and a hash of each."""

    def __init__(self, seed: int) -> None:
        self.drawn: list[str] = []
        self.times = Counter[bytes]()
        self._draw, self._n = random.Random(seed), 0

    def add(self, text: str, *, once: bool = False) -> None:
        """Read a text; `once`: one that was read before is not drawn."""
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.times[name] += 1
        if once and self.times[name] > 1:
            return
        self._n += 1
        if len(self.drawn) < READ:
            self.drawn.append(text)
        elif (place := self._draw.randrange(self._n)) < READ:
            self.drawn[place] = text

    def repeated(self) -> Figure:
        """How many of them another is word for word."""
        return rate(sum(n for n in self.times.values() if n > 1), self.times.total())


class _Facts:
    """What the criteria ask of the records read so far; `whole`: they are all that there are, and no sample."""

    def __init__(self, seed: int) -> None:
        self.whole = True
        self.counts = Counter[str]()
        self.prompts, self.answers = _Texts(seed), _Texts(seed)

    def add(self, row: ExportRow) -> None:
        """Read a record."""
        stated = {name: bool(getattr(row, field)) for name, field in STATED.items()}
        self.counts.update(records=1, decided=row.route == "decided", provisional=row.provisional, **stated)
        self.prompts.add(row.prompt, once=True)
        if row.answer:
            self.answers.add(row.answer)


def _originality(facts: _Facts) -> Criterion:
    return Criterion(
        name="originality",
        question="Is it new, or does it repeat itself?",
        measures=(
            Measure(
                name="records whose request another has word for word",
                figure=facts.prompts.repeated(),
                counted=facts.whole,
            ),
            Measure(
                name="answers that another has word for word",
                figure=facts.answers.repeated(),
                counted=facts.whole,
            ),
        ),
        look="`solon eval duplicates` looks for near repeats, `solon eval contamination --against FILE` for the texts "
        "of other sets",
    )


def _diversity(facts: _Facts, seed: int) -> Criterion:
    prompts, answers = (diversity.measure_variety(of.drawn, seed) for of in (facts.prompts, facts.answers))
    return Criterion(
        name="diversity",
        question="How varied are its requests and answers?",
        measures=(
            Measure(name="different word pairs among those of the requests", figure=prompts.distinct_2),
            Measure(name="different word pairs among those of the answers", figure=answers.distinct_2),
            Measure(name="answers that open alike", figure=answers.same_opening),
            Measure(name="self-BLEU of the answers", figure=answers.self_bleu, percent=False),
        ),
        look="`solon eval diversity` tells spread, clusters and coverage",
    )


def _quality_control(facts: _Facts, agreed: agreement.Agreement, read: quality.Quality) -> Criterion:
    counts, n, whole = facts.counts, facts.counts["records"], facts.whole
    return Criterion(
        name="quality control",
        question="Who checked it, and how often were they of one mind?",
        measures=(
            Measure(name="records that a person decided", figure=rate(counts["decided"], n), counted=whole),
            Measure(
                name="records that nothing certifies", figure=rate(counts["provisional"], n), counted=whole
            ),
            Measure(name="panel and experts agree, drawn at random", figure=agreed.random),
            Measure(name="panel and experts agree, in audits of accepted records", figure=agreed.audited),
            Measure(name="answers that decline", figure=read.refusals, counted=whole),
        ),
        look="`solon eval audit` and `solon eval agreement` tell more",
    )


def _documentation(facts: _Facts) -> Criterion:
    counts = facts.counts
    return Criterion(
        name="documentation",
        question="Does it say where it comes from, and how it may be used?",
        measures=tuple(
            Measure(
                name=f"records whose seed states its {name}",
                figure=rate(counts[name], counts["records"]),
                counted=facts.whole,
            )
            for name in STATED
        ),
        look="`lang`, `licence`, `source` and `consent` are columns of seed files",
    )
