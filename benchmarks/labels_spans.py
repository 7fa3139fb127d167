"""How well a model marks spans, shown nothing or similar texts that people confirmed; span F1 against gold.

`python -m benchmarks.labels_spans --model gguf:PATH`, with SOLON_DATA the folder of recordings (default
../shared/data). Of the 400 sentences of `spans_wnut17_dev` 100 are drawn once for the test, and nothing is learned of
them; the others are confirmed in a drawn order. For each size so many confirmed texts lie in a store, brought with
their gold spans and confirmed, and the test goes through the recipe `label-spans`, one reading a text at temperature
0, in blocks of sentences for all sizes by turns: a run that ends early tells of the sentences read until then. Brackets
are 95 % intervals by a bootstrap over test sentences; differences are paired.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlalchemy import select

from solon import Project
from solon.spans import Match, Matches, Span, match_spans, read_spans
from solon.store.tables import candidates, items, seeds, texts

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
TEST, SEED = 100, 17
GUIDE = {
    "person": "names of people, real or invented",
    "location": "names of places: cities, countries, rivers, buildings",
    "corporation": "names of companies and brands",
    "product": "names of things that can be bought or used: devices, games, apps, foods",
    "creative-work": "titles of songs, films, books, shows and games as works",
    "group": "names of bands, teams and organisations that are no companies",
}


def read_sentences() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "spans_wnut17_dev.jsonl").open(encoding="utf-8")]


def split(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The test sentences, and the others in the order in which they are confirmed."""
    drawn = random.Random(SEED).sample(list(rows), len(rows))
    return drawn[:TEST], drawn[TEST:]


def gold_of(row: dict[str, Any]) -> tuple[Span, ...]:
    return tuple(Span(one["start"], one["end"], one["label"]) for one in row["gold"])


def configure(model: str, examples: int, parallel: int, similarity: str) -> dict[str, Any]:
    return {
        "models": {"default": {"model": model, "context": 4096, "max_tokens": 400}},
        "generator": {"temperatures": [0.0]},
        "spans": {"kinds": list(GUIDE), "guide": GUIDE, "examples": examples, "readings": 1},
        "law": {"similarity": similarity},
        "routing": {"policy": "never", "max_redrafts": 0},
        "run": {"concurrency": parallel},
    }


def mark_block(
    folder: Path, config: dict[str, Any], confirmed: Sequence[dict[str, Any]], block: Sequence[dict[str, Any]]
) -> tuple[dict[str, tuple[Span, ...]], Counter[str]]:
    """What the model marks in a block of test sentences with so many confirmed texts in the store, by id; and how many
    spans stood as told, were repaired and dropped. What it marks there is confirmed by nobody, so no example."""
    place = folder / f"{len(confirmed)}.db"
    if confirmed and not place.exists():
        asks = {**config, "routing": {"policy": "always"}}
        with Project(f"sqlite:///{place}", config=asks) as project:
            rows = [{"id": row["id"], "prompt": row["text"], "spans": row["gold"]} for row in confirmed]
            project.run("label-spans", rows)
            for review in project.reviews(limit=len(rows)):
                project.decide(review, "stands")
            project.resume()
    with Project(f"sqlite:///{place}", config=config) as project:
        project.run("label-spans", [{"id": row["id"], "prompt": row["text"]} for row in block])
        return read_marks(project, [row["id"] for row in block])


def read_marks(project: Project, wanted: Sequence[str]) -> tuple[dict[str, tuple[Span, ...]], Counter[str]]:
    query = (
        select(seeds.c.external_id, texts.c.body)
        .select_from(candidates.join(items, items.c.id == candidates.c.item_id))
        .join(seeds, seeds.c.id == items.c.seed_id)
        .join(texts, texts.c.id == candidates.c.text_id)
        .where(candidates.c.kind == "draft", seeds.c.external_id.in_(wanted))
    )
    marks: dict[str, tuple[Span, ...]] = {}
    counts: Counter[str] = Counter()
    with project.store.connect() as connection:
        for row in connection.execute(query):
            told = json.loads(row.body)
            marks[row.external_id] = read_spans(row.body) or ()
            counts += Counter(
                stood=len(told["spans"]) - told["repaired"],
                repaired=told["repaired"],
                dropped=told["dropped"],
            )
    return marks, counts


def matches(
    test: Sequence[dict[str, Any]], marks: dict[str, tuple[Span, ...]], how: Match, kind: str = ""
) -> list[Matches]:
    """Of each test sentence, how what was marked and the gold go together; of one kind, or of all."""

    def of_kind(spans: Sequence[Span]) -> list[Span]:
        return [span for span in spans if not kind or span.label == kind]

    return [match_spans(of_kind(marks.get(row["id"], ())), of_kind(gold_of(row)), how) for row in test]


def f1(rows: np.ndarray) -> np.ndarray:
    """F1 of sums of (both, first, second) in the last axis."""
    total = rows[..., 1] + rows[..., 2]
    return np.where(total > 0, 2 * rows[..., 0] / np.maximum(total, 1), np.nan)


def resampled(found: Sequence[Matches], draws: int = 2000) -> tuple[float, np.ndarray]:
    """F1, and F1 of resamples of the sentences; the same sentences for every list of the same length."""
    table = np.array([[one.both, one.first, one.second] for one in found])
    drawn = np.random.default_rng(SEED).integers(0, len(table), (draws, len(table)))
    return float(f1(table.sum(0))), f1(table[drawn].sum(1))


def tell(value: float, draws: np.ndarray) -> str:
    low, high = np.nanquantile(draws, (0.025, 0.975))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def tell_all(
    test: Sequence[dict[str, Any]],
    marked: dict[int, dict[str, tuple[Span, ...]]],
    counts: dict[int, Counter[str]],
) -> None:
    first: dict[Match, Any] = {}
    hows: tuple[Match, ...] = ("strict", "overlap")
    gold = sum(len(row["gold"]) for row in test)
    print(f"\n{len(test)} test sentences, {gold} gold spans")
    for size, marks in marked.items():
        print(f"{size} confirmed: {len(marks)} sentences read; spans {dict(counts[size])}")
        for how in hows:
            value, draws = resampled(matches(test, marks, how))
            base = first.setdefault(how, (value, draws))
            more = tell(value - base[0], draws - base[1])
            print(f"  {how} F1 {tell(value, draws)}; more than with {next(iter(marked))}: {more}")
        for kind in GUIDE:
            found = matches(test, marks, "strict", kind)
            if n := sum(one.second for one in found):
                print(f"    {kind}: strict F1 {tell(*resampled(found))}, n = {n} gold spans")
    print(end="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="provider:model")
    parser.add_argument("--sizes", type=int, nargs="*", default=[0, 25, 50, 100])
    parser.add_argument("--examples", type=int, default=4)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--similarity", choices=("words", "meaning"), default="words")
    parser.add_argument("--block", type=int, default=10, help="sentences after which what is known is told")
    given = parser.parse_args()
    test, others = split(read_sentences())
    config = configure(given.model, given.examples, given.parallel, given.similarity)
    marked: dict[int, dict[str, tuple[Span, ...]]] = {size: {} for size in given.sizes}
    counts: dict[int, Counter[str]] = {size: Counter() for size in given.sizes}
    with TemporaryDirectory() as folder:
        for start in range(0, len(test), given.block):
            block = test[start : start + given.block]
            for size in given.sizes:
                marks, told = mark_block(Path(folder), config, others[:size], block)
                marked[size] |= marks
                counts[size] += told
            tell_all(test[: start + given.block], marked, counts)


if __name__ == "__main__":
    main()
