"""Recipe `label`: a person says which of a closed set of labels a text gets, or fills in a form of one's own."""

from __future__ import annotations

from typing import Any

from solon.agents.case import Case
from solon.agents.generator import Draft
from solon.agents.judge import Verdict
from solon.config import Config
from solon.errors import ConfigError, InternalError
from solon.graphs.context import ItemContext
from solon.graphs.recipe import Recipe, machine_route
from solon.graphs.state import ItemState
from solon.responses import LABEL, label_schema, model_of


class Label(Recipe):
    """The recipe of labels by people: no model drafts, criticises or votes, so nothing is accepted without a
    decision."""

    name = "label"
    shown = 1
    outcomes = ("accept", "reject")
    response_schema = LABEL
    has_resolver = False
    has_panel = False
    most_given = 1

    def asks(self, config: Config) -> str:
        """The form that is configured, or the schema of the configured labels.

        Raises:
            ConfigError: neither labels nor a form are configured, or the form cannot be used.
        """
        asked = config.label.form or label_schema(config.label.labels)
        if not config.label.form and not config.label.labels:
            raise ConfigError(
                "the recipe label needs labels", next_step='e.g. [label] labels = ["yes", "no"]'
            )
        model_of(asked)  # what will not do shows before any item waits
        return asked

    def given(self, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The text to label: the seed's first response, its input, or its prompt."""
        return responses[:1] or [{"text": case.input or case.prompt, "source": "seed"}]

    def drafts(self, config: Config) -> int:
        """None: the text to label is given."""
        return 0

    async def generate(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """Never called, since nothing is drafted; raises `InternalError`."""
        raise InternalError("nothing is drafted for a label")

    async def judge(self, context: ItemContext, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
        """No verdicts, since there is no panel."""
        return []

    def accept(self, best: str, state: ItemState, rule: str) -> dict[str, Any]:
        """The panel's label, where a recipe derived from this one has a panel; else rejected, since nobody gave one."""
        if self.has_panel:
            return {"outcome": "accepted", "reason": f"consensus by {rule}", "route": machine_route(state)}
        return {"outcome": "rejected", "reason": "nobody gave a label", "route": machine_route(state)}

    def choose(self, state: ItemState, decision: dict[str, Any] | None) -> tuple[str | None, str | None, str]:
        """The labelled text, and nothing rejected."""
        return state["shown"][0], None, "label"


RECIPE = Label()
