"""Recipe `instruction`: a seed becomes a new instruction with its response, scored on the rubric."""

from __future__ import annotations

from typing import Any

from solon.agents import generator
from solon.agents.case import Case
from solon.agents.generator import Draft
from solon.agents.judge import Verdict
from solon.agents.outputs import Finding
from solon.agents.tasks import find_refusal, why_unfit
from solon.config import Config
from solon.graphs.context import ItemContext
from solon.graphs.nodes.judge import judge_single
from solon.graphs.recipe import Recipe, machine_route
from solon.graphs.state import ItemState
from solon.store.runs.duplicates import register, signature, similarity

STANDS = "stands-alone"
"""The principle of the starters about tasks; one's own constitution need not have it."""


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
        """`dangling_reference` or `template_echo` where the new task does not stand by itself, `duplicate` where its
        instruction nearly repeats the seed's or one that is there already; empty otherwise."""
        case, template = context.case, _template(context.case)
        unfit = template and why_unfit(
            draft.prompt, draft.input, template=template, principles=case.constitution.ids()
        )
        if unfit:
            return unfit
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

    def notice(self, context: ItemContext, candidate_id: str) -> list[Finding]:
        """An answer that declines the task with which it was written, or speaks of being a model."""
        drafted = context.own_task(candidate_id)["prompt"] and _template(context.case)
        words = drafted and find_refusal(context.answer(candidate_id))
        told = "Do what the task asks, without declining it and without speaking of being a model."
        return [Finding(principle=STANDS, quote=words, severity="major", suggestion=told)] if words else []

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


def _template(case: Case) -> str:
    """The source of the template that tasks are drafted by; empty where it asks for no input. Items that are pinned to
    such a one are replayed as they were drafted: nothing of them is refused."""
    source = case.prompts["generator.instruction"].source
    return source if '"input"' in source else ""


RECIPE = Instruction()
