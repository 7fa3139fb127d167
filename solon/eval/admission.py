"""`solon judges`: which judges are admitted, by experts' labels and by probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.consensus.admission import Standing
from solon.errors import UsageError
from solon.eval.probes import ProbeCost, Probed, ProbeFigure, probe_judges
from solon.eval.result import ASK_EXPERTS
from solon.formats.records import plain_model
from solon.learning.admission import drawn_at_random, speaks_for_all
from solon.store.learning.evidence import counted_decisions, runs_of_scope
from solon.store.runs import runs
from solon.store.runs.certificates import newest_model
from solon.store.runs.verdicts import voters_of, votes_on

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from solon.config import Config
    from solon.consensus.admission import Admission
    from solon.plugins import Plugin
    from solon.questions import Question
    from solon.recipes.recipe import Recipe
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store
    from solon.store.runs.run_row import RunRow

OUTCOME = {"A": "A better", "B": "B better", "all": "all labels"}
"""What an outcome of a pair is called beside the figures."""


class Rate(BaseModel):
    """How often a judge is right where experts gave one outcome.

    Attributes:
        right: votes for that outcome; being undecided is not right.
        n: votes.
        value: their share; None without a vote.
        low: its exact lower 95 % bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    right: int
    n: int
    value: float | None
    low: float


class JudgeStanding(BaseModel):
    """One voter of the panel: all seats of a model are one.

    Attributes:
        judge: the model or function.
        standing: `admitted` where every lower bound reaches the wanted level and no probe found a bias, `refused` where
            it is shown to be no better than chance, else on `probation`.
        rates: outcome that experts gave -> how often it gave that too: for accept or reject the true-positive and the
            true-negative rate; of more than two labels all together.
        n: labels of experts, on items drawn at random, that it voted on.
        skill_at_most: upper 95 % bound of its skill, 0 at chance and 1 where it is always right.
        weightless: it has no weight in the consensus version in force.
        probes: what they found; empty where none were asked.
        why: of the standing, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    judge: str
    standing: Standing
    rates: dict[str, Rate]
    n: int
    skill_at_most: float
    weightless: bool
    probes: tuple[ProbeFigure, ...]
    why: str


class Standings(BaseModel):
    """Every judge of a run's panel, and whether it is admitted.

    Attributes:
        run: id of the run.
        wanted: lower bounds that admit a judge, `routing.admit`.
        labels: decisions of experts on items that were drawn at random, which the rates rest on.
        others: decisions that are left out, since the panel's verdicts brought the items to people.
        judges: one for each voter.
        probed: what probes took; None where none were asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    wanted: float
    labels: int
    others: int
    judges: tuple[JudgeStanding, ...]
    probed: Probed | None

    def next_step(self) -> str:
        """What to do now, in words with the command."""
        if not self.labels:
            return ASK_EXPERTS
        if any(judge.standing == "refused" for judge in self.judges):
            return "take refused judges out of [[judges]]: they are still asked, and paid, without a weight"
        if self.probed is None:
            return "`solon judges --probe 40` looks for biases; it says first what that costs"
        return "`solon eval judges`, for what each judge leans to on the project's own pairs"


async def list_standings(
    store: Store,
    config: Config,
    run: RunRow,
    recipe: Recipe,
    *,
    probe: int = 0,
    models: Mapping[str, BaseChatModel] | None = None,
    recipes: Recipes | None = None,
    plugins: Mapping[str, Plugin] | None = None,
    max_calls: int | None = None,
    max_cost: float | None = None,
    on_cost: Callable[[ProbeCost], None] | None = None,
) -> Standings:
    """Return how every judge of a run's panel stands.

    Args:
        probe: items to plant probes on; 0: no model is asked.
        max_calls, max_cost: where probes stop; what was measured until then is told.
        on_cost: told what the probes take, before the first call.

    Raises:
        UsageError: nobody but people answers this recipe, or probes cannot be planted on what it asks.
        ModelError: no model answers.
    """
    if not recipe.has_panel:
        raise UsageError(
            f"people answer all of {run.recipe}: there are no judges",
            next_step="see `solon recipes` for recipes with a panel",
        )
    question = recipe.question.asked(config)
    admissions, labels, others, weightless = _read(store, config, run, question)
    with store.connect() as connection:
        seated = {config.models[seat.model].model for seat in config.judges if not seat.python}
        seated |= voters_of(connection, run.id)
    probed = None
    if probe:
        probed = await _probe(
            store, config, run, question, probe, models, recipes, plugins, max_calls, max_cost, on_cost
        )
    known = {one.voter: one for one in admissions}
    figures = probed.found if probed else {}
    return Standings(
        run=run.id,
        wanted=config.routing.admit,
        labels=labels,
        others=others,
        judges=tuple(
            _standing(name, known.get(name), name in weightless, figures.get(name, ()), config.routing.admit)
            for name in sorted({*known, *figures, *weightless, *seated})
        ),
        probed=probed,
    )


def _read(
    store: Store, config: Config, run: RunRow, question: Question
) -> tuple[list[Admission], int, int, frozenset[str]]:
    with store.connect() as connection:
        decided = [
            one
            for one in counted_decisions(connection, store.key, runs_of_scope(connection, run))
            if one.kind == "interrupt" and question.is_outcome(one.outcome)
        ]
        votes = votes_on(connection, [(one.item_id, one.attempt, one.shown) for one in decided])
        admissions = drawn_at_random(connection, decided, votes, question).admit(config.routing.admit)
        model = newest_model(connection, run.scope)
    drawn = sum(speaks_for_all(one) for one in decided)
    weightless = frozenset(model.refused) if model else frozenset[str]()
    return admissions, drawn, len(decided) - drawn, weightless


async def _probe(
    store: Store,
    config: Config,
    run: RunRow,
    question: Question,
    n: int,
    models: Mapping[str, BaseChatModel] | None,
    recipes: Recipes | None,
    plugins: Mapping[str, Plugin] | None,
    max_calls: int | None,
    max_cost: float | None,
    on_cost: Callable[[ProbeCost], None] | None,
) -> Probed:
    from solon.graphs.bench import Bench

    with store.connect() as connection:
        families = runs.told_families(connection, [run])
    bench = Bench(store, config, models, recipes, max_calls=max_calls, max_cost=max_cost, plugins=plugins)
    try:
        return await probe_judges(bench, run, question, n, families=families, on_cost=on_cost)
    finally:
        await bench.aclose()


def _standing(
    voter: str, known: Admission | None, weightless: bool, probes: tuple[ProbeFigure, ...], wanted: float
) -> JudgeStanding:
    biases = [figure.probe for figure in probes if figure.found]
    rates = {
        OUTCOME.get(name, name): Rate(
            right=tally.right,
            n=tally.n,
            value=None if tally.rate is None else round(tally.rate, 6),
            low=round(tally.low, 6),
        )
        for name, tally in (known.rates if known else {}).items()
    }
    standing: Standing = known.standing if known else "probation"
    if standing == "admitted" and biases:
        standing = "probation"
    return JudgeStanding(
        judge=plain_model(voter),
        standing=standing,
        rates=rates,
        n=known.n if known else 0,
        skill_at_most=round(known.skill_at_most, 6) if known else 1.0,
        weightless=weightless,
        probes=probes,
        why=_why(known, biases, wanted),
    )


def _why(known: Admission | None, biases: list[str], wanted: float) -> str:
    if known is None or not known.n:
        told = "no expert decided what it judged, of items drawn at random"
    elif known.standing == "refused":
        told = (
            f"no better than chance: at most {max(0.0, known.skill_at_most):.0%} of the way to always right"
        )
    else:
        low = min(tally.low for tally in known.rates.values())
        told = f"right at least {low:.0%} of the time, {wanted:.0%} wanted"
    return "; ".join([told, *(f"biased: {name}" for name in biases)])
