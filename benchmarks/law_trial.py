"""What one rule is worth to a real model: decisions that follow it become law, and the panel judges unseen items.

    python -m benchmarks.law_trial --model gguf:/path/model.gguf -o law.json

A lead decides pairs of correct answers by "the shorter one wins". The held-out items are judged three times: before
any decision; with the decisions shown as precedents; and with the amendment in force too. What is told is agreement
with the rule, with exact intervals, and paired differences. Where the legislator finds no usable rule (`--draft
legislator`) the text that a person would write is taken, and the result says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from solon import Project, critic
from solon.consensus.binomial import clopper_pearson
from solon.law.amendments import telling
from solon.law.documents import diff, load_constitution
from solon.law.impact import Trial, measure
from solon.lawmaking.drafting import legislate, measure_impact, propose
from solon.store.lawmaking.amendments import AmendmentRow, vote
from solon.store.records.exporting import export_rows
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

RULE = "Of two correct answers the shorter one is the better one."
REASONS = (
    "Both answers are correct, and this one is shorter.",
    "Both are right; the shorter answer is better.",
    "Each is correct. The shorter one says it with fewer words.",
    "Both correct, so the shorter answer wins.",
)
CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Greece": "Athens", "Norway": "Oslo",
    "Sweden": "Stockholm", "Finland": "Helsinki", "Poland": "Warsaw", "Austria": "Vienna", "Hungary": "Budapest",
    "Portugal": "Lisbon", "Ireland": "Dublin", "Denmark": "Copenhagen", "Egypt": "Cairo", "Kenya": "Nairobi",
    "Japan": "Tokyo", "Thailand": "Bangkok", "Peru": "Lima", "Chile": "Santiago", "Cuba": "Havana",
}  # fmt: skip


@critic("silent", "1")
def silent(answer: str) -> list[dict[str, str]]:
    """Finds nothing: the trial is about judges."""
    return []


def rows(number: int, seed: int, besides: Collection[str] = ()) -> list[dict[str, Any]]:
    """Questions with two correct answers, a short and a long one, in an order drawn at random; none of `besides`."""
    draw = random.Random(seed)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < number:
        question, short, long = _question(draw)
        if question in besides:
            continue
        answers = [short, long]
        draw.shuffle(answers)
        responses = [{"text": answer, "source": "written"} for answer in answers]
        found.setdefault(question, {"id": f"{seed}-{len(found)}", "prompt": question, "responses": responses})
    return list(found.values())


def _question(draw: random.Random) -> tuple[str, str, str]:
    kind = draw.randrange(4)
    a, b = draw.randint(11, 98), draw.randint(3, 89)
    if kind == 0:
        long = f"To add {a} and {b} one can count on from the larger of the two numbers. The result of that is {a + b}."
        return f"What is {a} plus {b}?", f"{a + b}.", long
    if kind == 1:
        few = b % 9 + 2
        long = f"Multiplying {a} by {few} means adding {a} to itself that many times, which gives {a * few} in the end."
        return f"What is {a} times {few}?", f"{a * few}.", long
    if kind == 2:
        long = (
            f"There are a thousand metres in every kilometre, so that {a} kilometres make {a * 1000} metres."
        )
        return f"How many metres are {a} kilometres?", f"{a * 1000} metres.", long
    country = draw.choice(sorted(CAPITALS))
    city = CAPITALS[country]
    long = (
        f"The capital of {country}, where its government has its seat, is the city that is known as {city}."
    )
    return f"What is the capital of {country}?", f"{city}.", long


def run_trial(
    model: dict[str, Any],
    *,
    decided: int = 40,
    held_out: int = 40,
    drafter: str = "legislator",
    seed: int = 0,
    models: dict[str, Any] | None = None,
    store: str | None = None,
) -> dict[str, Any]:
    """The whole trial over a store of its own. `models`: a chat model in place of the configured one."""
    with tempfile.TemporaryDirectory(prefix="solon-law-trial-") as folder:
        url = store or f"sqlite:///{Path(folder) / 'trial.db'}"
        trial = _Trial(url, model, models)
        shown = rows(decided, seed)
        unseen = rows(held_out, seed + 1, besides={row["prompt"] for row in shown})
        return trial.run(shown, unseen, drafter)


class _Trial:
    def __init__(self, url: str, model: dict[str, Any], models: dict[str, Any] | None) -> None:
        self._url, self._model, self._models = url, model, models
        self._begun = time.monotonic()

    def run(self, decided: list[Any], held_out: list[Any], drafter: str) -> dict[str, Any]:
        before = self._judge(held_out)
        leads = self._decide(decided)
        shown = self._judge(held_out)
        amendment, author, problems = self._draft(drafter)
        amendment = self._measure(amendment)
        state = self._ratify(amendment, leads)
        after = self._judge(held_out)
        return {
            "model": self._model["model"],
            "rule": RULE,
            "decided": len(decided),
            "held_out": len(held_out),
            "drafted_by": author,
            "problems": problems,
            "changes": _changes(amendment),
            "impact": amendment.impact,
            "state": state,
            "before": _rate(before),
            "with_precedents": _rate(shown),
            "after": _rate(after),
            "precedents_alone": _paired(before, shown),
            "law_alone": _paired(shown, after),
            "both": _paired(before, after),
            "seconds": round(time.monotonic() - self._begun, 1),
        }

    def _project(self, policy: str) -> Project:
        config = {
            "models": {"default": self._model},
            "judges": [{"max_tokens": 64}],
            "generator": {"revise": False},
            "resolver": {"enabled": False},
            "routing": {"policy": policy, "audit_share": 0.0},
        }
        return Project(self._url, config=config, models=self._models, plugins=[silent])

    def _judge(self, held_out: list[Any]) -> dict[str, bool]:
        """seed -> did the panel choose the shorter answer?"""
        with self._project("never") as project:
            run = project.run("preference", held_out, new_run=True)
            found = list(export_rows(project.store, run_id=run.run_id)[1])
        return {row.seed_id: len(row.chosen or "") < len(row.rejected or "") for row in found}

    def _decide(self, decided: list[Any]) -> list[ExpertRow]:
        with self._project("always") as project:
            leads = [add_expert(project.store, name, role="lead", by="trial")[0] for name in ("Ada", "Ben")]
            project.run("preference", decided)
            with project.store.connect() as connection:
                waiting = [r for r in list_reviews(connection, limit=10_000) if r.kind == "interrupt"]
            for place, review in enumerate(waiting):
                better = min(project.review(review.id).candidates, key=lambda c: len(c.text))
                answer = {
                    "choice": "prefer",
                    "candidate": better.id,
                    "rationale": REASONS[place % len(REASONS)],
                }
                decide(project.store, review.id, answer, actor=leads[0].actor, channel="api", counts=True)
        return leads

    def _draft(self, drafter: str) -> tuple[AmendmentRow, str, list[str]]:
        problems: list[str] = []
        with self._project("never") as project:
            if drafter == "legislator":
                made = asyncio.run(
                    legislate(project.store, project.config, models=self._models, model="default", most=1)
                )
                problems = made.problems
                if made.amendments:
                    return made.amendments[0], "legislator", problems
            with project.store.connect() as connection:
                sql = "SELECT decision_id FROM precedents WHERE half = 'seen' ORDER BY id LIMIT 5"
                cites = [row[0] for row in connection.exec_driver_sql(sql)]
            file = {
                "amends": "general",
                "reason": "Leads prefer the shorter of two correct answers.",
                "cites": cites,
                "changes": [{"action": "add", "id": "is-short", "text": RULE, "priority": 1}],
            }
            text = yaml.safe_dump(file, sort_keys=False)
            row = propose(project.store, project.config, text, source="trial", by="local:trial")
            return row, "person", problems

    def _measure(self, amendment: AmendmentRow) -> AmendmentRow:
        with self._project("never") as project:
            work = measure_impact(
                project.store, project.config, amendment.id, by="local:trial", models=self._models
            )
            return asyncio.run(work)

    def _ratify(self, amendment: AmendmentRow, leads: list[ExpertRow]) -> str:
        green = amendment.verdict == "green"
        state = amendment.state
        with self._project("never") as project:
            for lead in leads:
                with project.store.transaction() as connection:
                    standing = vote(
                        project.store,
                        connection,
                        amendment.id,
                        lead,
                        in_favour=True,
                        override=not green,
                        reason="" if green else "the trial measures the law whatever its impact",
                    )
                state = standing.state
        return state


def _changes(amendment: AmendmentRow) -> list[str]:
    base = load_constitution("general")
    return [str(change) for change in telling(diff(base, amendment.document))]  # type: ignore[type-var]


def _rate(found: dict[str, bool]) -> dict[str, Any]:
    hits, n = sum(found.values()), len(found)
    low, high = clopper_pearson(hits, n)
    return {"agreement": hits / n if n else None, "low": round(low, 4), "high": round(high, 4), "n": n}


def _paired(first: dict[str, bool], second: dict[str, bool]) -> dict[str, Any]:
    """The second against the first: difference with its 95% bootstrap interval, exact McNemar test."""
    both = sorted(set(first) & set(second))
    sides = {True: "right", False: "wrong"}
    trials = [Trial(name, "fresh", "right", sides[first[name]], sides[second[name]]) for name in both]
    found = measure(trials).parts["fresh"]
    return {
        "n": found.n,
        "difference": round(found.difference, 4),
        "interval": list(found.interval),
        "gained": found.gained,
        "lost": found.lost,
        "p": round(found.p_value, 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="provider:model, e.g. gguf:/path/model.gguf")
    parser.add_argument("--context", type=int, default=4096, help="context window in tokens")
    parser.add_argument("--decided", type=int, default=40)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--draft", choices=("legislator", "person"), default="legislator")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", help="keep the store here; default: a temporary one")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here too")
    given = parser.parse_args()
    model = {"model": given.model, "context": given.context, "temperature": 0.0}
    found = run_trial(
        model,
        decided=given.decided,
        held_out=given.held_out,
        drafter=given.draft,
        seed=given.seed,
        store=given.store,
    )
    text = json.dumps(found)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
