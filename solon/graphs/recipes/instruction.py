"""Recipe `instruction`: a seed becomes a new instruction with its response, scored on the rubric."""

from __future__ import annotations

from typing import Any

from solon.agents import generator
from solon.agents.case import Case
from solon.agents.generator import Draft
from solon.agents.judge import Verdict
from solon.config import Config
from solon.graphs.context import ItemContext
from solon.graphs.nodes.judge import judge_single
from solon.graphs.recipe import Recipe, machine_route
from solon.graphs.state import ItemState
from solon.store.runs.duplicates import register, signature, similarity


class Instruction(Recipe):
    """The recipe of single records; a confident low score is a rejection."""

    name = "instruction"
    shown = 1
    outcomes = ("accept", "reject")
    response_schema = "single@1"
    has_resolver = False
    most_given = 1

    def drafts(self, config: Config) -> int:
        """One candidate a round."""
        return 1

    async def generate(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """A new instruction with its response."""
        return await generator.write_instruction(
            case, index, round=round, guidance=guidance, findings=findings
        )

    async def refuse(self, context: ItemContext, candidate_id: str, draft: Draft) -> str:
        """`duplicate` where the new instruction nearly repeats the seed or one that is there already; empty
        otherwise."""
        threshold = context.case.config.instruction.similarity
        if similarity(signature(draft.prompt), signature(context.case.prompt)) >= threshold:
            return "duplicate"
        repeats = await context.store.writer.run(
            lambda connection: register(
                connection, context.recipe.name, candidate_id, context.item.id, draft.prompt, threshold
            ),
            claim=context.item.claim,
        )
        return "duplicate" if repeats else ""

    async def judge(self, context: ItemContext, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
        """The panel's scores of the candidate on the rubric."""
        return await judge_single(context, shown, round=round, pair=pair)

    def accept(self, best: str, state: ItemState, rule: str) -> dict[str, Any]:
        """Accepted or rejected, by the side that the rubric scores take."""
        outcome = "accepted" if best == "accept" else "rejected"
        return {"outcome": outcome, "reason": f"rubric score, by {rule}", "route": machine_route(state)}

    def choose(self, state: ItemState, decision: dict[str, Any] | None) -> tuple[str | None, str | None, str]:
        """The candidate shown; or the expert's edit as chosen and the unedited candidate as rejected."""
        if decision is not None and decision["choice"] == "edit":
            return state["candidates"][-1], decision["candidate"], "edit"
        return state["shown"][0], None, "accept"


RECIPE = Instruction()
