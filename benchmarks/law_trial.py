"""What law is worth to a real model: decisions become precedents and an amendment, and the panel judges unseen items.

    python -m benchmarks.law_trial --model gguf:/path/model.gguf -o law.json
    python -m benchmarks.law_trial --model gguf:/path/model.gguf --recorded 10,20,40 -o recorded.json

A lead decides pairs of correct answers by "the shorter one wins". The held-out items are judged four times: before
any decision; with the decisions shown as precedents; with precedents and the amendment in force; and with the amended
constitution alone, in a store without precedents. What is told is agreement with the lead, with exact intervals, and
paired differences. Where the legislator finds no usable rule (`--draft legislator`) the text that a person would write
is taken, and the result says so.

`--recorded` takes LLMBar's adversarial pairs (SOLON_DATA, default ../shared/data) in place of the rule: the lead
decides as the recorded experts did, and gives the reason that GPT-4 wrote where it agreed with them. So many decisions
are made, each number in a store of its own, and the same pairs are held out every time; before any decision they are
judged once for all numbers. With `--folder` a trial that was broken off goes on with what was finished.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from solon import Project, critic
from solon.consensus.binomial import clopper_pearson
from solon.formats.records import ExportRow
from solon.law.amendments import telling
from solon.law.documents import diff, dump_yaml, load_constitution
from solon.law.impact import Trial, measure
from solon.lawmaking.drafting import legislate, measure_impact, propose
from solon.store.lawmaking.amendments import AmendmentRow, find_amendment, vote
from solon.store.records.exporting import export_rows
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
RULE = "Of two correct answers the shorter one is the better one."
INSTRUCTION = (
    "The better answer does what the request asks, exactly and nothing else; an answer to another request is worse, "
    "however well it is written."
)
"""What a person would write who has seen the pairs that LLMBar's experts decided."""
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


@dataclass(frozen=True, slots=True)
class Cases:
    """Pairs to be decided, pairs that are held out, and what the lead says of any of them.

    Attributes:
        decided: seeds with two responses each.
        held_out: the same; none of them is decided.
        better: (request, its texts) -> the text that the lead finds better.
        reason: (request, how many were decided before) -> why.
        rule: the amendment that a person would write.
    """

    decided: list[dict[str, Any]]
    held_out: list[dict[str, Any]]
    better: Callable[[str, Sequence[str]], str]
    reason: Callable[[str, int], str]
    rule: str


def made_cases(decided: int = 40, held_out: int = 40, seed: int = 0) -> Cases:
    """Pairs of correct answers, of which the shorter one is better."""
    shown = rows(decided, seed)
    unseen = rows(held_out, seed + 1, besides={row["prompt"] for row in shown})
    return Cases(
        shown,
        unseen,
        lambda _, texts: min(texts, key=len),
        lambda _, place: REASONS[place % len(REASONS)],
        RULE,
    )


def recorded_cases(decided: int, seed: int = 0) -> Cases:
    """LLMBar's adversarial pairs: half is held out, whatever `decided`; of the other half so many with a reason."""
    pairs = [row for row in _read("llmbar.jsonl") if "GPTInst" in row["subset"]]
    said = {row["id"]: row["rationales"] for row in _read("llmbar_rationales.jsonl")}
    random.Random(seed).shuffle(pairs)
    half = len(pairs) // 2
    reasons = {row["prompt"]: _reason(row, said[row["id"]]) for row in pairs[half:]}
    teaching = [row for row in pairs[half:] if reasons[row["prompt"]]]
    if decided > len(teaching):
        raise SystemExit(
            f"only {len(teaching)} pairs have a reason that agrees with the experts; {decided} were wanted"
        )
    gold = {row["prompt"]: row["response_a" if row["gold"] == "A" else "response_b"] for row in pairs}
    return Cases(
        [_seed(row) for row in teaching[:decided]],
        [_seed(row) for row in pairs[:half]],
        lambda prompt, _: gold[prompt],
        lambda prompt, _: reasons[prompt],
        INSTRUCTION,
    )


def _read(name: str) -> list[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _seed(row: dict[str, Any]) -> dict[str, Any]:
    answers = [{"text": row["response_a"]}, {"text": row["response_b"]}]
    return {"id": row["id"], "prompt": row["prompt"], "responses": answers}


def _reason(row: dict[str, Any], rationales: dict[str, str]) -> str:
    """The last two sentences of what GPT-4 wrote where it agreed with the experts, without letters; empty: nowhere."""
    for order in ("AB", "BA"):
        name = f"GPT-4/CoT#{order}"
        if row["judges"].get(name, {}).get("verdict") != row["gold"] or not rationales.get(name):
            continue
        good, bad = "ab" if row["gold"] == order[0] else "ba"
        text = re.sub(rf"[Oo]utput \({good}\)", "the better answer", rationales[name])
        text = re.sub(rf"[Oo]utput \({bad}\)", "the other answer", text)
        sentences = [
            one for one in re.split(r"(?<=[.!?])\s+", text.strip()) if not one.startswith("Therefore")
        ]
        return " ".join(sentences[-2:])[:400]
    return ""


def run_trial(
    model: dict[str, Any],
    cases: Cases,
    folder: Path,
    *,
    drafter: str = "legislator",
    models: dict[str, Any] | None = None,
    before: dict[str, bool] | None = None,
) -> dict[str, Any]:
    """The whole trial, or the rest of one, over stores in this folder.

    Args:
        models: a chat model in place of the configured one.
        before: which of the held-out items are judged right before any decision, where that is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return _Trial(model, models, cases, folder).run(drafter, before)


class _Trial:
    def __init__(
        self, model: dict[str, Any], models: dict[str, Any] | None, cases: Cases, folder: Path
    ) -> None:
        self._url = f"sqlite:///{folder / 'trial.db'}"
        self._model, self._models = model, models
        self._cases, self._folder = cases, folder

    def run(self, drafter: str, before: dict[str, bool] | None) -> dict[str, Any]:
        before = before or self._once("before", self._judge)
        self._once("decided", self._decide)
        shown = self._once("shown", self._judge)
        drafted = self._once("drafted", lambda: self._draft(drafter))
        impact = self._once("impact", lambda: self._measure(drafted["amendment"]))
        state = self._once("ratified", lambda: self._ratify(drafted["amendment"]))
        after = self._once("after", self._judge)
        law = self._once("law", lambda: self._judge(self._amendment(drafted["amendment"])))
        return {
            "model": self._model["model"],
            "decided": len(self._cases.decided),
            "held_out": len(self._cases.held_out),
            "rule": self._cases.rule,
            **drafted,
            "impact": impact,
            "state": state,
            "before": _rate(before),
            "with_precedents": _rate(shown),
            "with_both": _rate(after),
            "with_law": _rate(law),
            "precedents_alone": _paired(before, shown),
            "law_alone": _paired(before, law),
            "both": _paired(before, after),
            "law_on_precedents": _paired(shown, after),
        }

    def _once(self, name: str, work: Callable[[], Any]) -> Any:
        """What a finished stage found; a stage that is not finished is done."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(work()), encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))

    def _project(self, policy: str, url: str = "", constitution: str = "general") -> Project:
        config = {
            "models": {"default": self._model},
            "judges": [{"max_tokens": 64}],
            "generator": {"revise": False},
            "resolver": {"enabled": False},
            "routing": {"policy": policy, "audit_share": 0.0},
            "law": {"constitution": constitution},
        }
        return Project(url or self._url, config=config, models=self._models, plugins=[silent])

    def _judge(self, alone: AmendmentRow | None = None) -> dict[str, bool]:
        """seed -> did the panel choose what the lead finds better? `alone`: under this law, without precedents."""
        url, law = "", "general"
        if alone is not None:
            path = self._folder / "amended.yaml"
            path.write_text(dump_yaml(alone.document), encoding="utf-8")
            url, law = f"sqlite:///{self._folder / 'alone.db'}", str(path)
        with self._project("never", url, law) as project:
            run = project.run("preference", self._cases.held_out, new_run=True)
            found = [row for row in export_rows(project.store, run_id=run.run_id)[1] if row.has_pair]
        return {row.seed_id: row.chosen == self._better(row) for row in found}

    def _better(self, row: ExportRow) -> str:
        return self._cases.better(row.prompt, (row.chosen or "", row.rejected or ""))

    def _decide(self) -> int:
        """Decide every pair as the cases say; returns how many."""
        with self._project("always") as project:
            lead = self._leads(project)[0]
            project.run("preference", self._cases.decided)
            with project.store.connect() as connection:
                waiting = [r for r in list_reviews(connection, limit=10_000) if r.kind == "interrupt"]
            for place, review in enumerate(waiting):
                shown = project.review(review.id)
                better = self._cases.better(shown.prompt, [one.text for one in shown.candidates])
                answer = {
                    "choice": "prefer",
                    "candidate": next(one.id for one in shown.candidates if one.text == better),
                    "rationale": self._cases.reason(shown.prompt, place),
                }
                decide(project.store, review.id, answer, actor=lead.actor, channel="api", counts=True)
        return len(waiting)

    def _leads(self, project: Project) -> list[ExpertRow]:
        """Two leads, added where they are not there yet."""
        there = {one.name: one for one in project.experts.list()}
        return [
            there.get(name) or add_expert(project.store, name, role="lead", by="trial")[0]
            for name in ("Ada", "Ben")
        ]

    def _draft(self, drafter: str) -> dict[str, Any]:
        """An amendment by the legislator, or by a person where it finds no usable rule."""
        problems: list[str] = []
        with self._project("never") as project:
            if drafter == "legislator":
                made = asyncio.run(
                    legislate(project.store, project.config, models=self._models, model="default", most=1)
                )
                problems = made.problems
                if made.amendments:
                    return _told(made.amendments[0], "legislator", problems)
            with project.store.connect() as connection:
                sql = "SELECT decision_id FROM precedents WHERE half = 'seen' ORDER BY id LIMIT 5"
                cites = [row[0] for row in connection.exec_driver_sql(sql)]
            file = {
                "amends": "general",
                "reason": "What leads decided.",
                "cites": cites,
                "changes": [{"action": "add", "id": "as-decided", "text": self._cases.rule, "priority": 1}],
            }
            text = yaml.safe_dump(file, sort_keys=False)
            row = propose(project.store, project.config, text, source="trial", by="local:trial")
            return _told(row, "person", problems)

    def _amendment(self, amendment_id: str) -> AmendmentRow:
        with self._project("never") as project, project.store.connect() as connection:
            return find_amendment(connection, amendment_id)

    def _measure(self, amendment_id: str) -> dict[str, Any]:
        """Figures of the amendment's impact."""
        with self._project("never") as project:
            work = measure_impact(
                project.store, project.config, amendment_id, by="local:trial", models=self._models
            )
            return asyncio.run(work).impact or {}

    def _ratify(self, amendment_id: str) -> str:
        """Both leads vote for it, whatever its impact; returns its state."""
        green = (amendment := self._amendment(amendment_id)).verdict == "green"
        state = amendment.state
        with self._project("never") as project:
            for lead in self._leads(project) if state != "ratified" else ():
                with project.store.transaction() as connection:
                    state = vote(
                        project.store,
                        connection,
                        amendment_id,
                        lead,
                        in_favour=True,
                        override=not green,
                        reason="" if green else "the trial measures the law whatever its impact",
                    ).state
        return state


def _told(amendment: AmendmentRow, author: str, problems: list[str]) -> dict[str, Any]:
    return {
        "amendment": amendment.id,
        "drafted_by": author,
        "problems": problems,
        "changes": _changes(amendment),
    }


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
    parser.add_argument("--recorded", help="recorded decisions in place of the rule: how many, as 10,20,40")
    parser.add_argument("--draft", choices=("legislator", "person"), default="legislator")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="keep the stores here, and go on with what is finished there"
    )
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here too, a line a trial")
    given = parser.parse_args()
    model = {"model": given.model, "context": given.context, "temperature": 0.0}
    if given.recorded:
        each = {number: recorded_cases(int(number), given.seed) for number in given.recorded.split(",")}
    else:
        each = {"made": made_cases(given.decided, given.held_out, given.seed)}
    with tempfile.TemporaryDirectory(prefix="solon-law-trial-") as temporary:
        run_all(model, each, given.folder or Path(temporary), given.draft, given.output)


def run_all(
    model: dict[str, Any], each: dict[str, Cases], folder: Path, drafter: str, output: Path | None
) -> None:
    """Every trial in a folder of its own; the items before any decision are judged in the first one."""
    before = None
    for name, cases in each.items():
        text = json.dumps(run_trial(model, cases, folder / name, drafter=drafter, before=before))
        known = folder / next(iter(each)) / "before.json"
        before = json.loads(known.read_text(encoding="utf-8"))
        print(text, flush=True)
        if output is not None:
            with output.open("a", encoding="utf-8") as lines:
                lines.write(text + "\n")


if __name__ == "__main__":
    main()
