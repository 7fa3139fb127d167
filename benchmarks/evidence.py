"""A whole project on recorded people and a real model: pilot, certificate, release with its promise, and what was true.

    python -m benchmarks.evidence --model gguf:/path/model.gguf --store sqlite:///evidence.db -o evidence.json
    python -m benchmarks.evidence --recorded --pairs 880

Pairs of PandaLM's test set (SOLON_DATA, default ../shared/data), drawn once, are judged in both orders by one seat; or
(`--recorded`) the verdicts of the two judges that the set records are brought along, and no model is asked. The expert
of every review is the majority of the three recorded people. What is told: how often the panel agrees with them on the
pilot, what the certificate says, how many records it covers and how many of those agree with the people, the panel's
agreement on everything that people answered, and the release with its promise. A project of one's own cannot measure
what it did not ask. Where a refusal names a number of questions that would do, they are asked. A run that was broken
off goes on where it was: the store keeps the calls.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from solon import Project, critic
from solon.consensus.binomial import clopper_pearson
from solon.eval.releases.promises import PromiseRefused
from solon.formats.records import ExportRow
from solon.store.records.exporting import export_rows
from solon.store.records.releasing import find_release
from solon.store.reviewing.experts import ExpertRow, add_expert
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs import certificates
from solon.store.runs.runs import find_run

DATA = Path(os.environ.get("SOLON_DATA", "../shared/data"))
SEED = 29
NOBODY = "scripted:default"
"""Of a run whose verdicts are all brought along: it is never asked."""
MINUTES = 1.0
"""Of an expert's time for one review: assumed, not measured."""


@critic("silent", "1")
def silent(answer: str) -> list[dict[str, str]]:
    """Finds nothing: the trial is about judges."""
    return []


def draw_pairs(number: int) -> list[dict[str, Any]]:
    """Rows whose two answers are texts and differ, and of which most people say the same; drawn once."""
    with (DATA / "pandalm.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    usable = [row for row in rows if row["gold"] and _differ(row["response_a"], row["response_b"])]
    apart = {_texts(row["prompt"], row["response_a"], row["response_b"]): row for row in usable}
    return random.Random(SEED).sample(list(apart.values()), min(number, len(apart)))


def _differ(a: Any, b: Any) -> bool:
    return (
        isinstance(a, str) and isinstance(b, str) and a.strip() != b.strip() and bool(a.strip() and b.strip())
    )


def seeds_of(rows: list[dict[str, Any]], *, recorded: bool = False) -> list[dict[str, Any]]:
    """The pairs as seeds, with the recorded judges' verdicts where they are wanted."""
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            **({"input": row["input"]} if row["input"] else {}),
            "responses": [{"text": row["response_a"]}, {"text": row["response_b"]}],
            **({"verdicts": _verdicts(row)} if recorded else {}),
        }
        for row in rows
    ]


def _verdicts(row: dict[str, Any]) -> list[dict[str, Any]]:
    said = {"A": "A", "B": "B", "tie": "tie"}
    return [
        {"judge": name, "verdict": said.get(given["verdict"], "abstain"), "order": given["order"]}
        for name, given in row["judges"].items()
    ]


class Evidence:
    """The project, the people who answer it, and what is true of every pair."""

    def __init__(self, store: str, model: str, alpha: float, rows: list[dict[str, Any]]) -> None:
        """`model`: empty, where the recorded judges' verdicts are brought along."""
        self._store, self._alpha, self._rows = store, alpha, rows
        self._recorded = not model
        self._model = {"model": model, "context": 4096, "temperature": 0.0} if model else {"model": NOBODY}
        self._better = {row["id"]: _better(row) for row in rows}
        self._by_texts = {
            _texts(row["prompt"], row["response_a"], row["response_b"]): row["id"] for row in rows
        }

    def project(self) -> Project:
        config = {
            "models": {"default": self._model},
            "judges": [{"max_tokens": 64}],
            "generator": {"revise": False},
            "resolver": {"enabled": False},
            "routing": {"policy": "certified", "alpha": self._alpha},
        }
        return Project(self._store, config=config, plugins=[silent])

    def run(self, folder: Path) -> dict[str, Any]:
        with self.project() as project:
            run = project.run("preference", seeds_of(self._rows, recorded=self._recorded))
            people = [one for one in project.experts.list() if one.name == "People"]
            expert = (
                people[0] if people else add_expert(project.store, "People", role="expert", by="trial")[0]
            )
            self._certify(project, expert, run.run_id)
            self._answer(project, expert)
            project.resume(run.run_id)
            agreement: Any = project.evaluate("agreement")
            records = [row for row in export_rows(project.store)[1] if row.has_pair]
            by_panel = [row for row in records if row.route != "decided"]
            with project.store.connect() as connection:
                looks = certificates.looks(connection, find_run(connection, run.run_id).scope)
            return {
                "pairs": len(self._rows),
                "items": run.items,
                "pilot": agreement.random.model_dump(),
                "look": looks[-1].figures if looks else None,
                "certified": self._rate(by_panel),
                "minutes_saved": round(len(by_panel) * MINUTES),
                "panel_on_what_people_answered": agreement.panel_expert.model_dump(),
                "all_records": self._rate(records),
                "release": self._release(project, expert, folder),
            }

    def _certify(self, project: Project, expert: ExpertRow, run_id: str) -> None:
        """Answer the pilot, and what a refusal says would do."""
        while True:
            self._answer(project, expert, rule="pilot")
            look = project.learn(run_id).certificate
            project.resume(run_id)
            if look is None or look["status"] == "granted" or "--more" not in look["why"]:
                return
            project.extend_pilot(run_id)
            project.resume(run_id)

    def _answer(self, project: Project, expert: ExpertRow, rule: str | None = None) -> int:
        """Answer what waits as the people did; returns how many."""
        with project.store.connect() as connection:
            waiting = list_reviews(connection, limit=100_000)
        asked = [one for one in waiting if rule is None or one.rule == rule]
        for review in asked:
            shown = project.review(review.id)
            better = self._better[
                self._by_texts[_texts(shown.prompt, *(one.text for one in shown.candidates))]
            ]
            answer: dict[str, Any] = {"choice": "tie"}
            if better is not None:
                named = next(one.id for one in shown.candidates if one.text == better)
                answer = {"choice": "prefer", "candidate": named}
            decide(project.store, review.id, answer, actor=expert.actor, channel="api", counts=True)
        return len(asked)

    def _rate(self, found: list[ExportRow]) -> dict[str, Any]:
        hits, n = sum(row.chosen == self._better[row.seed_id] for row in found), len(found)
        low, high = clopper_pearson(hits, n) if n else (0.0, 1.0)
        return {
            "agree": round(hits / n, 4) if n else None,
            "low": round(low, 4),
            "high": round(high, 4),
            "n": n,
        }

    def _release(self, project: Project, expert: ExpertRow, folder: Path) -> dict[str, Any]:
        """Promise what can be promised of the records, by as many answers as that takes."""
        promise, answered = 1 - self._alpha, 0
        with project.store.connect() as connection:
            free = (name for n in count(1) if not find_release(connection, name := f"trial-{n}"))
            name = next(free)
        while True:
            try:
                made = project.releases.create(name, folder / name, promise=promise)
            except PromiseRefused as refused:
                return {"promise": promise, "answered": answered, "refused": str(refused)}
            if made["promise"].get("state") != "asked":
                break
            answered += self._answer(project, expert)
        checked = project.releases.verify(folder / name)
        return {"answered": answered, "promise": made["promise"], "verified": checked.passed}


def _better(row: dict[str, Any]) -> str | None:
    """The text that most people find better; None where they find neither."""
    named: str | None = {"A": row["response_a"], "B": row["response_b"]}.get(row["gold"])
    return named


def _texts(prompt: str, *answers: str) -> tuple[str, frozenset[str]]:
    return prompt, frozenset(answers)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judges = parser.add_mutually_exclusive_group(required=True)
    judges.add_argument("--model", default="", help="provider:model, e.g. gguf:/path/model.gguf")
    judges.add_argument("--recorded", action="store_true", help="the recorded judges in place of a model")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--alpha", type=float, default=0.2)
    parser.add_argument("--store", help="keep the store here, and go on with it; default: a temporary one")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here too")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="solon-evidence-") as folder:
        store = given.store or f"sqlite:///{Path(folder) / 'trial.db'}"
        found = Evidence(store, given.model, given.alpha, draw_pairs(given.pairs)).run(Path(folder))
    text = json.dumps(found, indent=1)
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
