"""How tasks change from generation to generation: what becomes of drafts, how varied they are, what they were made of.

Where models write what models learn from, what is rare is lost (model collapse: Shumailov et al. 2024, doi
10.1038/s41586-024-07566-y).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from solon.eval.embedding import Embedder, load_embedder
from solon.eval.result import NO_RECORDS, Figure, SuiteResult, nothing, rate
from solon.eval.suites.diversity import measure_distinct, resample_halves
from solon.formats.facts import spell_collapse
from solon.store.records import generations as stored
from solon.words import find_words

if TYPE_CHECKING:
    from solon.eval.material import Material

LEAST_TEXTS = 4
"""So many texts have a figure of variety."""
LEAST_COMPARED = 20
"""Generations of fewer texts are not compared with each other."""
_NOTHING = Embedder("nothing", lambda texts: np.zeros((len(texts), 1)))


class Generation(BaseModel):
    """The tasks of one generation.

    Attributes:
        items: that were to make one.
        drafts: tasks that were drafted for them, dropped ones too.
        accepted: share of the items with an accepted task (yield).
        duplicates: share of the drafts that nearly repeat a task that is there.
        dropped: why drafts were dropped -> how many; near-duplicates among them.
        distinct_2: different word pairs by all, of as many accepted requests as the smallest generation has.
        spread: 1 less the mean cosine of two accepted requests.
        seeds: share of the texts that drafts were made of and shown that are seeds, so people's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: int
    drafts: int
    accepted: Figure
    duplicates: Figure
    dropped: dict[str, int]
    distinct_2: Figure
    spread: Figure
    seeds: Figure


class Generations(SuiteResult):
    """Tasks that were drafted beside examples, by generation.

    Attributes:
        generations: 1 (made of seeds), 2 (made of these), ... -> its figures.
        embedding: what the spread was measured with.
        coverage: attribute -> value -> accepted tasks that were asked to have it.
        operators: operator -> share of its accepted tasks among the items that have one.
        warnings: what speaks for model collapse, a sentence each.
    """

    generations: dict[int, Generation]
    embedding: str
    coverage: dict[str, dict[str, int]]
    operators: dict[str, Figure]
    warnings: tuple[str, ...]

    def headline(self) -> dict[str, Figure]:
        """Yield, near-duplicates and people's share of the last generation."""
        if not self.generations:
            return {}
        number, last = list(self.generations.items())[-1]
        return {
            f"yield of generation {number}": last.accepted,
            "near-duplicates among its drafts": last.duplicates,
            "share of seeds among what it was made of": last.seeds,
        }

    def spell(self) -> tuple[str, ...]:
        """The figures of each generation, and the warnings, as a sentence each."""
        lines = [
            f"Generation {number}: yield {_spell(one.accepted)}, near-duplicates among the drafts "
            f"{_spell(one.duplicates)}, distinct-2 {_spell(one.distinct_2)}, spread {_spell(one.spread)} "
            f"({self.embedding}), seeds among what they were made of {_spell(one.seeds)}."
            for number, one in self.generations.items()
        ]
        return (*lines, *(f"Warning: {why}." for why in self.warnings))

    def next_step(self) -> str:
        """Look at how varied the records are, once there are some."""
        return "how varied they are altogether: `solon eval diversity`" if self.n else NO_RECORDS


def evaluate(material: Material) -> Generations:
    """Return the figures of tasks that were drafted beside examples, by generation."""
    with material.store.connect() as connection:
        drafted = stored.drafted_tasks(connection, material.run_ids)
        accepted = stored.accepted_tasks(connection, material.run_ids)
        items = {task.item_id for task in drafted} | {task.item_id for task in accepted}
        descents = stored.descents(connection, items)
        drawn = stored.drawn_for(connection, [task.candidate_id for task in (*drafted, *accepted)])
    embedder = load_embedder() if accepted else _NOTHING
    measured = _by_generation(drafted, accepted, descents, embedder, material.seed)
    return Generations(
        suite="generations",
        n=len(accepted),
        generations=measured,
        embedding=embedder.name,
        coverage=stored.count_values([drawn[t.candidate_id] for t in accepted if t.candidate_id in drawn]),
        operators=_by_operator(drafted, accepted, drawn),
        warnings=tuple(_warn(measured)),
        notes=embedder.notes,
    )


def _by_generation(
    drafted: Sequence[stored.DraftedTask],
    accepted: Sequence[stored.DraftedTask],
    descents: Mapping[str, stored.Descent],
    embedder: Embedder,
    seed: int,
) -> dict[int, Generation]:
    texts: dict[int, list[str]] = {one.generation: [] for one in descents.values()}
    for task in accepted:
        texts[descents[task.item_id].generation].append(task.prompt)
    size = min((len(own) for own in texts.values() if len(own) >= LEAST_TEXTS), default=0)
    found = {}
    for number, own_texts in sorted(texts.items()):
        own = {name: one for name, one in descents.items() if one.generation == number}
        kinds = Counter(task.kind for task in drafted if task.item_id in own)
        seeds = sum(one.seeds for one in own.values())
        found[number] = Generation(
            items=len(own),
            drafts=kinds.total(),
            accepted=rate(len(own_texts), len(own)),
            duplicates=rate(kinds["duplicate"], kinds.total()),
            dropped={kind: n for kind, n in kinds.most_common() if kind != "draft"},
            distinct_2=_distinct(own_texts, size, seed),
            spread=measure_distance(own_texts, embedder, seed),
            seeds=rate(seeds, seeds + sum(one.records for one in own.values())),
        )
    return found


def _by_operator(
    drafted: Sequence[stored.DraftedTask], accepted: Sequence[stored.DraftedTask], drawn: Mapping[str, Any]
) -> dict[str, Figure]:
    """Of the drafts by each operator the share that was accepted."""
    by = Counter(drawn[task.candidate_id]["operator"] for task in drafted if task.candidate_id in drawn)
    good = Counter(drawn[task.candidate_id]["operator"] for task in accepted if task.candidate_id in drawn)
    return {name: rate(good[name], n) for name, n in sorted(by.items())}


def _distinct(texts: Sequence[str], size: int, seed: int) -> Figure:
    if len(texts) < max(size, LEAST_TEXTS):
        return nothing(f"fewer than {LEAST_TEXTS} texts", len(texts))
    words = [find_words(text) for text in random.Random(seed).sample(texts, size)]
    return resample_halves(words, lambda part: measure_distinct(part, 2), seed)


def measure_distance(texts: Sequence[str], embedder: Embedder, seed: int = 0) -> Figure:
    """Return 1 less the mean cosine of two different texts, with an interval by halves of them."""
    if len(texts) < LEAST_TEXTS:
        return nothing(f"fewer than {LEAST_TEXTS} texts", len(texts))
    vectors = list(embedder.embed(texts))

    def distance(part: Sequence[Any]) -> float | None:
        rows = np.asarray(part)
        n, alike = len(rows), float((rows * rows).sum())
        if n < 2:
            return None
        return 1.0 - (float((rows.sum(axis=0) ** 2).sum()) - alike) / (n * (n - 1))

    return resample_halves(vectors, distance, seed)


def _spell(figure: Figure) -> str:
    if figure.value is None:
        return f"not known ({figure.why})"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f}, n = {figure.n})"


def _warn(found: Mapping[int, Generation]) -> Iterator[str]:
    """What speaks for collapse: people's texts that are few, and a last generation that is surely worse than the
    first."""
    if not found:
        return
    first, last = (found[number] for number in (min(found), max(found)))
    number = max(found)
    for seeds in spell_collapse(round((last.seeds.value or 0.0) * last.seeds.n), last.seeds.n):
        yield f"generation {number}: {seeds}"
    falls = {"distinct-2": (first.distinct_2, last.distinct_2), "spread": (first.spread, last.spread)}
    for name, (before, after) in falls.items():
        if after.value is not None and min(before.n, after.n) >= LEAST_COMPARED and after.high < before.low:
            yield (
                f"generation {number} is less varied than the first: {name} {after.value:.2f} ({after.low:.2f} to "
                f"{after.high:.2f}) after {before.value:.2f} ({before.low:.2f} to {before.high:.2f})"
            )
    if last.duplicates.low > first.duplicates.high:
        yield (
            f"generation {number} repeats what is there more often than the first: {last.duplicates.value:.0%} of its "
            f"drafts (n = {last.duplicates.n}) after {first.duplicates.value:.0%} (n = {first.duplicates.n})"
        )
