"""Whether judges are right more often where they are shown a rubric of the request, or reasons of other judges.

`python -m benchmarks.informed_judges rubrics|debate [--model gguf:PATH]`, with SOLON_DATA the folder of recordings
(default ../shared/data). Brackets are 95 % bootstrap intervals over requests; differences are paired.

rubrics: (1) recorded judges of `llmbar` with and without questions on the request that a model had written before
("Metrics" and "Vanilla"), both orders: agreement with the experts, and of the judges with each other. (2) With a model:
pairs of a `biggen` reference answer and of the model's own draft, of which the reference is held for better, with
`judge.pair` and with the rubric of the request.

debate: (1) the same of judges that reasoned, alone and after those who contradicted themselves had seen their own
reasons in both orders ("CoT", "Swap_CoT"). (2) With a model: pairs of `llmbar` on which recorded judges disagree, in
each order. The model votes, then is shown a recorded reason for each side, in its own order and without names, and
votes again, as `solon.agents.debate` has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from solon.agents import judge
from solon.agents.case import Case
from solon.agents.debate import tell_reasons
from solon.agents.judge import ORDERS
from solon.consensus.resample import mean_interval
from solon.errors import NoAnswer
from solon.law.seed_rubrics import read_seed_rubric

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
SEED = 28
REASONERS = ("GPT-4/CoT", "ChatGPT/CoT", "PaLM2/CoT")
"""Recorded judges with reasons; of those for a side the first speaks."""
Row = dict[str, Any]


def read(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").open(encoding="utf-8")]


def tell(name: str, values: Sequence[float]) -> None:
    low, high = mean_interval(np.array(values, dtype=float))
    print(f"  {name}: {fmean(values):.3f} [{low:.3f}, {high:.3f}], n = {len(values)}", flush=True)


def tell_both(name: str, before: Sequence[float], after: Sequence[float]) -> None:
    tell(f"{name}, without", before)
    tell(f"{name}, with", after)
    tell("more with", [b - a for a, b in zip(before, after, strict=True)])


def right(side: str | None, gold: str) -> float:
    return 0.5 if side in (None, "tie", "none") else float(side == gold)


def compare_recorded(before: str, after: str) -> None:
    """Recorded judges asked in two ways: agreement with the experts, and of the judges with each other."""
    rows = [row for row in read("llmbar") if row["gold"] in ("A", "B")]
    for subset in (*sorted({row["subset"] for row in rows}), ""):
        of = [row for row in rows if subset in ("", row["subset"])]
        named = {name.split("/")[0] for row in of for name in row["judges"]}
        asked = [f"{{}}/{way}#{order}" for way in (before, after) for order in ORDERS]
        models = [
            m for m in sorted(named) if all(form.format(m) in row["judges"] for row in of for form in asked)
        ]
        print(f"{subset or 'all'}, {before} and {after}: {', '.join(models)}")
        sides = {
            (model, way): [
                [row["judges"][f"{model}/{way}#{order}"]["verdict"] for order in ORDERS] for row in of
            ]
            for model in models
            for way in (before, after)
        }
        agreed = {
            key: [
                fmean(right(side, row["gold"]) for side in said) for said, row in zip(both, of, strict=True)
            ]
            for key, both in sides.items()
        }
        for model in models:
            tell_both(f"{model} agrees with the experts", agreed[model, before], agreed[model, after])
        means = [
            [fmean(one) for one in zip(*(agreed[m, way] for m in models), strict=True)]
            for way in (before, after)
        ]
        tell_both("mean of the models", *means)
        gold = [row["gold"] for row in of]
        for name, where in (("judges agree with each other", None), ("the same, on the wrong side", gold)):
            tell_both(
                name, *(with_each_other([sides[m, way] for m in models], where) for way in (before, after))
            )


def with_each_other(said: Sequence[Sequence[Sequence[str]]], gold: Sequence[str] | None) -> list[float]:
    """The share of pairs of judges, by item, that are for the same side in the same order: where `gold` is given, for
    the wrong one.

    Args:
        said: judge, item, order -> side.
    """
    told = []
    for place in range(len(said[0])):
        same = [
            x == y and (gold is None or x not in (gold[place], "tie", "none"))
            for one, other in combinations(said, 2)
            for x, y in zip(one[place], other[place], strict=True)
        ]
        told.append(fmean(same))
    return told


def configure(model: str) -> Row:
    return {
        "models": {"default": {"model": model, "context": 4096, "max_tokens": 120, "timeout": 600.0}},
        "generator": {"temperatures": [0.0]},
        "judges": [{"persona": ""}],
    }


async def vote(case: Case, a: str, b: str) -> dict[str, float]:
    """Order -> the probability that a is better; .5 where the judge gave none."""
    verdicts = await judge.pair(case, a, b)
    return {v.order: 0.5 if v.p is None else v.p for v in verdicts}


def summarise(p: dict[str, float], gold: str) -> tuple[float, float]:
    """Whether the mean over both orders is right, and whether both orders are for the same side."""
    mean = fmean(p.values())
    side = "tie" if mean == 0.5 else "A" if mean > 0.5 else "B"
    return right(side, gold), float(len({value > 0.5 for value in p.values()}) == 1)


async def model_rubrics(model: str, most: int, longest: int) -> None:
    """The model on pairs of a reference and its own draft, with and without the rubric."""
    rows = [
        row
        for row in read("biggen_rubrics")
        if len(row["prompt"]) + len(row["reference"]) + len(json.dumps(row["rubric"])) < longest
    ]
    rows = random.Random(SEED).sample(rows, len(rows))[:most]
    print(f"{len(rows)} requests of biggen_rubrics under {longest} characters, in a drawn order")
    told: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    async with Case.open(configure(model), prompt="") as case:
        for number, row in enumerate(rows, 1):
            of = replace(case, prompt=row["prompt"])
            try:
                draft = (await of.ask("generator.draft", persona="", guidance="", findings="")).strip()
            except NoAnswer as problem:  # mostly cut: the answer is longer than the room for it
                print(f"  left out: {row['id']}: {problem}")
                continue
            gold = "A" if number % 2 else "B"
            a, b = (row["reference"], draft) if gold == "A" else (draft, row["reference"])
            for way in told:
                seen = replace(of, seed_rubric=read_seed_rubric(row["rubric"]) if way == "with" else None)
                told[way].append(summarise(await vote(seen, a, b), gold))
            if number % 3 == 0 or number == len(rows):
                print(f"after {number}")
                for place, name in enumerate(("prefers the reference", "both orders agree")):
                    tell_both(name, *([one[place] for one in told[way]] for way in ("without", "with")))


def reasons_for(row: Row, rationales: dict[str, str], order: str) -> str | None:
    """A recorded reason for each side by judges that saw the pair in this order; None where one side has none."""
    told = {}
    for side in "AB":
        names = [f"{judge}#{order}" for judge in REASONERS]
        why = [rationales[name] for name in names if row["judges"].get(name, {}).get("verdict") == side]
        if not why:
            return None
        place = side if order == "AB" else "BA"["AB".index(side)]
        told[f"Answer {place}"] = [why[0].replace("Output (a)", "Answer A").replace("Output (b)", "Answer B")]
    return tell_reasons(dict(sorted(told.items())))


async def model_debate(model: str, most: int, longest: int) -> None:
    """The model on pairs on which recorded judges disagree, before and after it has seen a reason for each side."""
    rationales = {row["id"]: row["rationales"] for row in read("llmbar_rationales")}
    found = []
    for row in read("llmbar"):
        reasons = {order: reasons_for(row, rationales[row["id"]], order) for order in ORDERS}
        shown = row["prompt"] + row["response_a"] + row["response_b"] + str(reasons["AB"])
        if all(reasons.values()) and len(shown) < longest:
            found.append((row, reasons))
    found = random.Random(SEED).sample(found, len(found))[:most]
    print(
        f"{len(found)} pairs of llmbar on which recorded judges disagree in both orders, under {longest} characters"
    )
    told: list[tuple[tuple[float, float], tuple[float, float]]] = []
    changes: Counter[str] = Counter()
    async with Case.open(configure(model), prompt="") as case:
        for number, (row, reasons) in enumerate(found, 1):
            of = replace(case, prompt=row["prompt"])
            pair = row["response_a"], row["response_b"]
            first = summarise(await vote(of, *pair), row["gold"])
            again = summarise(await vote(replace(of, reasons=reasons), *pair), row["gold"])
            told.append((first, again))
            changes[f"{'right' if first[0] else 'wrong'} -> {'right' if again[0] else 'wrong'}"] += 1
            if number % 3 == 0 or number == len(found):
                print(f"after {number}: {dict(changes)}")
                for place, name in enumerate(("right", "both orders agree")):
                    tell_both(f"{name}, reasons", *([one[k][place] for one in told] for k in range(2)))
                wrongly = [[float(one[k][1] and not one[k][0]) for one in told] for k in range(2)]
                tell_both("both orders agree on the wrong side, reasons", *wrongly)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("rubrics", "debate"))
    parser.add_argument("--model", help="provider:model; without it the recorded judges alone")
    parser.add_argument("--most", type=int, default=100, help="requests that are looked at")
    parser.add_argument(
        "--longest", type=int, default=8_000, help="characters of all that is shown of a request"
    )
    given = parser.parse_args()
    compare_recorded(*(("Vanilla", "Metrics") if given.what == "rubrics" else ("CoT", "Swap_CoT")))
    if given.model:
        asyncio.run(
            (model_rubrics if given.what == "rubrics" else model_debate)(
                given.model, given.most, given.longest
            )
        )


if __name__ == "__main__":
    main()
