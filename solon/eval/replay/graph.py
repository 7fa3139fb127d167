"""Run the real graph over recorded panels: their verdicts come with the seeds, and all else is as in any run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from solon.consensus.model import ConsensusModel
from solon.consensus.panel import judge_item
from solon.errors import UsageError
from solon.eval.replay.recorded import RecordedItem
from solon.eval.replay.replay import Routed
from solon.questions import PAIR, TIE
from solon.store.records.outcomes import item_outcomes, item_routes
from solon.store.reviewing.review_rows import list_reviews
from solon.store.reviewing.reviews import decide
from solon.store.runs.verdicts import votes_on
from solon.workspace.workspace import Workspace

_POLICY = re.compile(r"^(?P<name>\w+)(?:\((?P<value>[\d.]+)(?:, *(?P<second>[\d.]+))?\))?$")
ROUNDS = 20
"""How often the recorded people are asked at most: what they say may send further items to them."""


def run_graph(items: Sequence[RecordedItem], model: ConsensusModel, policy: str) -> list[Routed]:
    """Send recorded pairs through a run in a scratch store, and return what the graph did with each.

    The recorded people are the experts: they answer what waits, the answers are learned from as in any run,
    and the run goes on until nothing waits for them.

    Args:
        model: the consensus by which the verdicts are judged for the result.
        policy: of routing, as `replay` takes it.

    Raises:
        UsageError: the file does not record pairs.
    """
    if model.outcomes != PAIR.outcomes:
        raise UsageError(
            "the graph replays pairs only; this file records something else",
            next_step="run it without --graph: its verdicts are judged directly",
        )
    seeds = [
        {
            "id": item.id,
            "prompt": f"recorded item {item.id}",
            "responses": [{"text": _text(side, item.id)} for side in PAIR.outcomes],
            "verdicts": recorded_verdicts(item),
        }
        for item in items
    ]
    with tempfile.TemporaryDirectory(prefix="solon-replay-") as folder:
        with Workspace(
            f"sqlite:///{Path(folder) / 'replay.db'}", config=_config(policy, len(items))
        ) as project:
            run_id = project.run("preference", seeds).run_id
            routed = _read(project, model)
            asked = _answer(project, {item.id: item.gold for item in items})
            ended = item_outcomes(project.store, run_id)
    return [
        replace(one, asked=one.item in asked, final=_side(ended[one.item].chosen, one.item)) for one in routed
    ]


def _text(side: str, item: str) -> str:
    return f"answer {side} of {item}"


def _side(text: str | None, item: str) -> str | None:
    return next((side for side in PAIR.outcomes if text == _text(side, item)), None)


def _answer(project: Workspace, gold: Mapping[str, str | None]) -> set[str]:
    """The people's agreed answer to every review; where they agree on neither, a tie. Returns the
    items that were asked of them."""
    asked: set[str] = set()
    for _ in range(ROUNDS):
        with project.store.connect() as connection:
            names = {route.item_id: route.external_id for route in item_routes(connection)}
            waiting = [r for r in list_reviews(connection, limit=1_000_000) if r.kind == "interrupt"]
        if not waiting:
            break
        for review in waiting:
            outcome = gold[names[review.item_id]]
            asked.add(names[review.item_id])
            answer = PAIR.answer(outcome if PAIR.is_outcome(outcome) and outcome else TIE, review.candidates)
            decide(project.store, review.id, answer, actor="expert:recorded", channel="replay", counts=True)
        project.resume()
        if project.learn().moved_items:
            project.resume()
    return asked


def recorded_verdicts(item: RecordedItem) -> list[dict[str, Any]]:
    """Return the verdicts of a recorded item as a seed's column `verdicts`."""
    return [
        {
            "judge": verdict.judge,
            "seat": verdict.seat,
            "verdict": verdict.outcome,
            "order": verdict.order,
            "sample": verdict.sample,
            "p": verdict.p,
            "confidence": verdict.confidence,
        }
        for verdict in item.verdicts
    ]


def _config(policy: str, n: int) -> dict[str, Any]:
    match = _POLICY.match(policy)
    name, value = (match["name"], match["value"]) if match else ("never", None)
    routing: dict[str, Any] = {"policy": name, "audit_share": 0.0}
    if value is not None and name == "certified":
        routing |= {"alpha": float(value), "delta": float((match and match["second"]) or 0.1)}
    if value is not None and name == "threshold":
        routing["threshold"] = float(value)
    if value is not None and name == "pilot":
        routing |= {"pilot": int(float(value)), "pilot_share": 1.0}
    if (
        name == "budget"
    ):  # recorded texts are empty names: neither their length nor their likeness says anything
        share = 0.2 if value is None else float(value)
        most = round(share * n) if share <= 1.0 else round(share)
        routing |= {"budget": max(1, most), "explore": 0.0, "diversity": 0.0}
    return {
        "models": {"default": {"model": "scripted:default"}},
        "generator": {"revise": False},
        "resolver": {"enabled": False},
        "routing": routing,
    }


def _read(project: Workspace, model: ConsensusModel) -> list[Routed]:
    with project.store.connect() as connection:
        routes = item_routes(connection)
        votes = votes_on(connection, [(r.item_id, r.attempt, r.shown) for r in routes])
    return [Routed(r.external_id, judge_item(model, votes[r.item_id]), r.route) for r in routes]
