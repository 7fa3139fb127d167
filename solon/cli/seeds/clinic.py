"""A clinic's questions with the answers of a script: what the tour of `solon demo` shows. Imports nothing of Solon.

No model wrote or judged any of it, and none of it is medical advice.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

Row = dict[str, Any]
RULE = {
    "action": "add",
    "id": "what-to-note",
    "text": "Says what the person should measure or write down until the next contact, so that whoever sees them can "
    "decide with it.",
    "priority": 10,
}
"""The rule that the scripted legislator finds in the demo expert's reasons."""
_MOST_CITED = 6


def read_clinic() -> list[Row]:
    """The clinic's questions. Each has a better and a poorer answer, and a `kind`: `clear` (the judges agree),
    `ruled` (they disagree and a principle settles it), `note` (they lean to the poorer one) or `open` (nothing
    settles it)."""
    text = (resources.files(__package__) / "clinic.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def seed_of(row: Row) -> Row:
    """A question as a row of a seed file."""
    return {name: row[name] for name in ("id", "prompt", "specialty")}


def scripts_of(rows: list[Row]) -> dict[str, list[Row]]:
    """The scripts of the fakes by the names of their files, see `solon.agents.models.scripted_rules`."""
    return {
        "writer.json": [*_drafts(rows), *_findings(rows), *_resolutions(rows), *_laws()],
        "judge-1.json": _verdicts(rows, {"ruled": 0.92, "open": 0.85, "note": 0.4}, "for_good"),
        "judge-2.json": _verdicts(rows, {"ruled": 0.15, "open": 0.15, "note": 0.45}, "for_poor"),
    }


def _after(marker: str, text: str) -> str:
    """A pattern that finds `text` where a prompt shows it as the block `marker`."""
    return rf"\[{marker} \w+\]\n{re.escape(text)}"


def _drafts(rows: list[Row]) -> list[Row]:
    """The nurse and the doctor take turns in writing the better answer."""
    found: list[Row] = []
    for place, row in enumerate(rows):
        nurse, doctor = ("good", "poor") if place % 2 else ("poor", "good")
        asked = _after("request", row["prompt"])
        found.append({"role": "generator", "prompt": rf"as a nurse.*{asked}", "answer": row[nurse]})
        found.append({"role": "generator", "prompt": asked, "answer": row[doctor]})
    return found


def _findings(rows: list[Row]) -> list[Row]:
    named = [
        {"role": "critic", "prompt": _after("answer", row["poor"]), "answer": {"findings": [row["finding"]]}}
        for row in rows
        if "finding" in row
    ]
    return [*named, {"role": "critic", "answer": {"findings": []}}]


def _resolutions(rows: list[Row]) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        if row["kind"] == "ruled":
            for shown, side in (("good", "A"), ("poor", "B")):
                answer = {"reason": row["reason"], "cites": [row["rule"]], "verdict": side}
                found.append({"role": "resolver", "prompt": _after("Answer A", row[shown]), "answer": answer})
    handed_over = {
        "reason": "No principle says which of the two goes first.",
        "cites": [],
        "verdict": "hand_over",
    }
    return [*found, {"role": "resolver", "answer": handed_over}]


def _laws() -> list[Row]:
    """One rule for each number of decisions that the legislator may be shown: it cites them all."""
    reason = "The experts prefer the answer that says what to write down until somebody can decide."
    found: list[Row] = []
    for count in range(_MOST_CITED, 0, -1):
        names = [f"case{n}" for n in range(count)]
        pattern = ".*".join(rf"\[(?P<{name}>[0-9a-f]{{12,64}})\] experts decided" for name in names)
        draft = json.dumps({"reason": reason, "cites": [f"${name}" for name in names], "changes": [RULE]})
        found.append({"role": "legislator", "prompt": pattern, "answer": draft})
    return found


def _verdicts(rows: list[Row], belief: dict[str, float], reason: str) -> list[Row]:
    """How one judge finds: `belief` in the better answer by kind, .94 where it names none, and `reason` when asked."""
    found: list[Row] = []
    for row in rows:
        if reason in row:
            why = rf"{_after('request', row['prompt'])}.*Say why"
            found.append({"role": "judge", "prompt": why, "answer": row[reason]})
        for shown in ("good", "poor"):
            place, good_is_a = _after("Answer A", row[shown]), shown == "good"
            if row["kind"] == "note":
                ruled = rf"^\[{RULE['id']}\].*{place}"
                found.append({"role": "judge", "prompt": ruled, "probabilities": _sides(0.93, good_is_a)})
            believed = belief.get(row["kind"], 0.94)
            found.append({"role": "judge", "prompt": place, "probabilities": _sides(believed, good_is_a)})
    return found


def _sides(good: float, good_is_a: bool) -> dict[str, float]:
    a = good if good_is_a else 1 - good
    return {"A": round(a, 4), "B": round(1 - a, 4)}
