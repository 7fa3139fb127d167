"""Recipe `preference`: a seed's request becomes a pair of answers, one chosen and one rejected."""

from __future__ import annotations

from typing import Any

from solon.agents import generator
from solon.agents.case import Case
from solon.agents.generator import Draft
from solon.agents.judge import Verdict
from solon.config import Config
from solon.graphs.context import ItemContext
from solon.graphs.nodes.judge import judge_pair
from solon.graphs.recipe import Recipe, machine_route
from solon.graphs.state import ItemState


class Preference(Recipe):
    """The recipe of pairs, judged in both orders."""

    name = "preference"
    shown = 2
    outcomes = ("A", "B")
    response_schema = "pair@1"
    has_resolver = True

    def drafts(self, config: Config) -> int:
        """As many candidates as `generator.n` says."""
        return config.generator.n

    async def generate(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """One answer to the seed's request."""
        return await generator.draft(case, index, round=round, guidance=guidance, findings=findings)

    async def judge(self, context: ItemContext, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
        """The panel's verdicts on the pair, in both orders."""
        return await judge_pair(context, shown, round=round, pair=pair)

    def accept(self, best: str, state: ItemState, rule: str) -> dict[str, Any]:
        """Accepted by the rule that called the panel confident."""
        return {"outcome": "accepted", "reason": f"consensus by {rule}", "route": machine_route(state)}

    def choose(self, state: ItemState, decision: dict[str, Any] | None) -> tuple[str | None, str | None, str]:
        """The preferred candidate and the other one, by the expert's decision or else by the panel; an edit and
        the unedited text; of a tie none."""
        a, b = state["shown"]
        if decision is None:
            chosen, rejected = (a, b) if state["consensus"]["best"] == "A" else (b, a)
            return chosen, rejected, "prefer"
        if decision["choice"] == "tie":
            return None, None, "tie"
        if decision["choice"] == "edit":
            return state["candidates"][-1], decision["candidate"], "edit"
        return decision["candidate"], b if decision["candidate"] == a else a, "prefer"


RECIPE = Preference()
