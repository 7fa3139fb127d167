"""Requests with a good and a poor answer each, and a store in which a panel has left them to experts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solon.project import Project

CONFIG = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}

CASES = [
    (
        "A patient on warfarin asks whether she may take ibuprofen for a sprained ankle. What do you tell her?",
        "**Better not.** Ibuprofen and warfarin together raise the risk of bleeding, above all from the stomach.\n\n"
        "- Paracetamol is the usual first choice for a sprain.\n- Rest, ice, compression and elevation help too.\n\n"
        "If she has taken some already, she should watch for black stools or bruises and ring her clinic.",
        "Ibuprofen is fine for a few days if she takes it with food. Warfarin works on vitamin K and ibuprofen on "
        "prostaglandins, so the two do not interact. She should drink enough water.",
    ),
    (
        "Our tenant has not paid for two months. May we change the locks?",
        "No. Changing the locks without a court order is unlawful in most places, even when rent is owed. Send a "
        "written demand first, then give notice as your law requires, and ask the court for possession.",
        "Yes, once two months' rent is owed the contract is broken and you may take the flat back. Give the tenant "
        "24 hours to fetch their things.",
    ),
    (
        "How much fluid should an adult with a mild fever drink?",
        "Enough that the urine stays pale: for most adults 1.5 to 2 litres a day, and somewhat more with a fever. "
        "People with heart or kidney failure should ask first.",
        "At least 5 litres a day. The more the better, as water washes the infection out.",
    ),
    (
        "Explain the statute of limitations to a client in two sentences.",
        "It is the time within which a claim must be brought to court; after it, the other side can refuse to answer. "
        "How long it is depends on the kind of claim and the place, so the dates should be checked at once.",
        "It is a law that says when crimes expire. After seven years everything is forgiven.",
    ),
]


def seeds(n: int, **extra: Any) -> list[dict[str, Any]]:
    """Seeds that bring their two answers along."""
    rows = []
    for i in range(n):
        prompt, good, poor = CASES[i % len(CASES)]
        round_ = f" (case {i + 1})" if i >= len(CASES) else ""
        responses = [{"text": good, "source": "a"}, {"text": poor, "source": "b"}]
        rows.append({"id": f"case-{i}", "prompt": prompt + round_, "responses": responses, **extra})
    return rows


def build(folder: Path, rows: list[dict[str, Any]], recipe: str = "preference", **config: Any) -> str:
    """Run a recipe over rows until every item waits; the URL of its store."""
    url = f"sqlite:///{folder}/solon.db"
    with Project(url, config={**CONFIG, **config}) as project:
        project.run(recipe, rows)
    return url
