"""The contract of a recipe: what it drafts, how it is judged, which answers an expert may give.

Where a method takes a `context`, it is the `ItemContext` of the item, which knows its recipe and so stands above this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from solon.config import Config

if TYPE_CHECKING:
    from solon.agents.case import Case
    from solon.agents.generator import Draft
    from solon.agents.judge import Verdict
    from solon.agents.outputs import Finding
    from solon.graphs.state import ItemState


class Recipe(ABC):
    """A state graph that turns seeds into one kind of record.

    Attributes:
        name: what the recipe is called on the command line and in the store.
        shown: how many candidates the panel and the expert see at once (a pair: 2, a single: 1).
        outcomes: what a verdict may say.
        response_schema: the closed set of an expert's answers, see `solon.responses`.
        has_resolver: whether a split panel may ask the resolver.
        has_panel: whether there are models that draft, criticise and vote. Without, every item goes to a
            person.
        most_given: how many responses of a seed it has a use for; None: however many there are.
        shows_reference: whether the expert may see the seed's reference answer.
    """

    name: ClassVar[str]
    shown: ClassVar[int]
    outcomes: ClassVar[tuple[str, str]]
    response_schema: ClassVar[str]
    has_resolver: ClassVar[bool]
    has_panel: ClassVar[bool] = True
    most_given: ClassVar[int | None] = None
    shows_reference: ClassVar[bool] = True

    def asks(self, config: Config) -> str:
        """The response schema that a review is opened under."""
        return self.response_schema

    def given(self, case: Case, responses: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The candidates that are there before anything is drafted: the seed's own responses."""
        return responses

    @abstractmethod
    def drafts(self, config: Config) -> int:
        """How many candidates a round has; as many are drafted as the seed did not bring."""

    @abstractmethod
    async def generate(self, case: Case, index: int, *, round: int, guidance: str, findings: str) -> Draft:
        """Draft number `index` of a round; the arguments are those of `generator.draft`."""

    async def refuse(self, context: Any, candidate_id: str, draft: Draft) -> str:
        """Why a usable draft may not become a candidate; empty where it may."""
        return ""

    def notice(self, context: Any, candidate_id: str) -> list[Finding]:
        """What is wrong with a candidate that can be seen without a critic; it goes before the critic's findings."""
        return []

    @abstractmethod
    async def judge(self, context: Any, shown: list[str], *, round: int, pair: int) -> list[Verdict]:
        """The panel's verdicts on the candidates shown."""

    @abstractmethod
    def accept(self, best: str, state: ItemState, rule: str) -> dict[str, Any]:
        """The outcome, reason and route of an item on which the consensus for `best` is confident, by the named
        rule."""

    @abstractmethod
    def choose(self, state: ItemState, decision: dict[str, Any] | None) -> tuple[str | None, str | None, str]:
        """The chosen and the rejected candidate (None where there is none), and the kind of an accepted item's
        record."""


def machine_route(state: ItemState) -> str:
    """The route of an item that no person decided: `resolved`, `redrafted` or `consensus`. Figures are kept
    apart by it."""
    if (state.get("resolved") or {}).get("favours"):
        return "resolved"
    return "redrafted" if state.get("round", 0) > 0 else "consensus"
