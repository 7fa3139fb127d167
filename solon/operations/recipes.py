"""Which recipes there are, and what each makes of a seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from solon.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from solon.config import Config
    from solon.recipes.recipe import Recipe
    from solon.recipes.registry import Recipes


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """A recipe as it would run under a configuration.

    Attributes:
        name: its name.
        record: which records it makes; empty where it cannot be loaded.
        outcomes: what panel and people may say; empty where they are not configured yet.
        lead: who decides: `panel and people`, or `people` alone.
        steps: what an item goes through.
        origin: `shipped`, `given` (from Python), or `module:OBJECT`.
        identity: what a run of it is pinned to; empty of a shipped one.
        calls: model calls for a row of seeds whose items are neither redrafted nor resolved: the fewest and the most.
        problem: why it cannot be used as it is; empty where it can.
    """

    name: str
    record: str = ""
    outcomes: tuple[str, ...] = ()
    lead: str = ""
    steps: tuple[str, ...] = ()
    origin: str = ""
    identity: str = ""
    calls: tuple[int, int] = (0, 0)
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return asdict(self)


LABELLING = "label-panel"
"""The recipe whose panel gives the labels of `[label]`."""


def configured_roles(recipes: Recipes, config: Config) -> frozenset[str]:
    """The roles that models play in what a configuration is about: where it has labels, giving them, and whatever its
    own recipes do; else all, since any shipped recipe may be run."""
    from solon.config import ROLES

    if not (config.label.labels or config.label.form):
        return ROLES
    return frozenset().union(*(recipes.find(name).recipe.roles for name in (LABELLING, *config.recipes)))


def check_labels(recipes: Recipes, config: Config) -> None:
    """Check that the configured labels can be told apart, and that every rule votes for one of them; nothing where no
    labels are configured.

    Raises:
        ConfigError: naming what is wrong, and the nearest label.
    """
    from solon.agents.voters import check_rule_labels
    from solon.questions import check_told_apart

    if not (config.label.labels or config.label.form):
        return
    outcomes = recipes.find(LABELLING).recipe.question.asked(config).outcomes
    check_told_apart(outcomes)
    own = [recipes.find(name).recipe for name in config.recipes]
    others = [one.question.asked(config) for one in own if one.has_panel]
    check_rule_labels(
        config, (*outcomes, *(name for one in others if one.shown == 1 for name in one.outcomes))
    )


def list_recipes(recipes: Recipes, config: Config) -> list[RecipeFacts]:
    """Every recipe that there is, the shipped ones first. One that cannot be loaded is listed with the reason."""
    return [_describe(recipes, name, config) for name in recipes.names()]


def _describe(recipes: Recipes, name: str, config: Config) -> RecipeFacts:
    from solon.agents.voters import check_voters
    from solon.prompts.library import PromptLibrary
    from solon.recipes.registry import read_settings

    try:
        found = recipes.find(name)
        calls = planned_calls(found.recipe, config)
    except (ConfigError, UsageError) as error:
        named = str(config.recipes.get(name, {}).get("use", ""))
        return RecipeFacts(name, origin=named, problem=f"{error.cause} ({error.next_step})")
    recipe, problem = found.recipe, ""
    least, most = (number * recipe.source.expand for number in calls)
    outcomes: tuple[str, ...] = ()
    try:
        read_settings(recipe, config)
        recipe.pairing_under(config)
        PromptLibrary(config.prompts_dir, recipe=found.templates)
        asked = recipe.question.asked(config)
        outcomes = asked.outcomes
        if recipe.has_panel:
            check_voters(config, asked, name)
    except ConfigError as error:
        problem = f"{error.cause} ({error.next_step})"
    return RecipeFacts(
        name,
        recipe.record,
        outcomes,
        "panel and people" if recipe.has_panel else "people",
        recipe.step_names,
        found.origin,
        found.identity,
        (least, most),
        problem,
    )


def planned_calls(recipe: Recipe, config: Config) -> tuple[int, int]:
    """How many calls one item takes that is neither redrafted nor resolved: drafts, critiques, revisions, scores by
    which drafts are ranked, verdicts.

    The first number is for an item that the first tier of judges settles; without tiers both are the same.

    Raises:
        ConfigError: the recipe's maker does not say how many drafts it wants.
    """
    from solon.agents.outputs import MOST_FINDINGS
    from solon.recipes.makers import count_drafts, count_texts

    writer, steps = config.generator, recipe.step_names
    drafts, texts = count_drafts(recipe.maker, config), count_texts(recipe.maker, config)
    own = len(writer.models) + len(writer.python)
    # Functions make no calls; what they wrote is revised by a model all the same.
    written = recipe.maker.calls(config) * sum(turn % own < len(writer.models) for turn in range(drafts))
    pairing = recipe.pairing_under(config)
    criticised = 0 if config.critic.python or "critique" not in steps else texts * pairing.turns
    revisions = texts * pairing.turns * (MOST_FINDINGS if pairing.edits else 1)
    revised = revisions if writer.revise and writer.models and "revise" in steps else 0
    by_tier = [
        (judge.tier, 0 if judge.python else judge.samples * recipe.question.orders)
        for judge in (config.judges if recipe.has_seats else ())
    ]
    by_tier += [(rule.tier, 1) for rule in (config.rules if recipe.has_panel else ()) if rule.prompt]
    scored = count_scored(recipe, config, drafts)
    ranking = sum(judge.samples for judge in config.judges if judge.tier == 0 and not judge.python)
    rest = written + criticised + revised + scored * ranking
    first = sum(calls for tier, calls in by_tier if tier == 0)
    return rest + first, rest + sum(calls for _, calls in by_tier)


def count_scored(recipe: Recipe, config: Config, drafts: int) -> int:
    """How many of an item's drafts the first tier of judges scores before a pair is chosen: all, where there is a
    choice and the pairing goes by scores."""
    if drafts < 2 or not recipe.has_panel or recipe.maker.merges or not recipe.pairing_under(config).scored:
        return 0
    return drafts if drafts > recipe.question.asked(config).shown else 0


def tell_unscored(recipe: Recipe, config: Config) -> str:
    """That nothing is scored though the configured pairing chooses by scores, in words; empty where it is not so."""
    from solon.recipes.makers import count_drafts
    from solon.recipes.pairings import Configured

    named, usual = config.preference.pairing, type(config.preference).model_fields["pairing"].default
    if named == usual or not (isinstance(recipe.pairing, Configured) and recipe.pairing_under(config).scored):
        return ""
    if count_scored(recipe, config, drafts := count_drafts(recipe.maker, config)):
        return ""
    return (
        f"nothing is scored: pairing {named!r} chooses two answers by their scores, and [generator] n = {drafts} "
        "leaves no choice; with 3 or more they are scored"
    )
