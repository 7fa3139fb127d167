"""Plan a project before it begins: calls, tokens, money, hours, and the share of items that the experts can see.
Must never import the other operations.

Every figure is a range. At first it comes from word counts and reading speed, and says so; once the store has finished
items under the same panel, from what they took.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.config import Config
from solon.consensus.strata import drawn_beyond, plan_strata
from solon.consensus.target import read_target
from solon.display.notebook import card, passage, table
from solon.errors import ConfigError, UsageError
from solon.formats.seed_groups import SeedGroup, count_groups
from solon.formats.seed_rows import SeedRow
from solon.law.seed_rubrics import seed_rubric_of
from solon.operations.planning.answers import answers_a_question, known_time
from solon.operations.planning.assumed import WORDS_PER_MINUTE, Assumed
from solon.operations.planning.promise import spell_promise
from solon.operations.planning.ranges import Range, add_up, multiply, range_of
from solon.operations.planning.shortfall import Team, WayOut, find_ways_out, spell_shortfall
from solon.plugins import Plugin, bind, references
from solon.recipes.makers import Given
from solon.recipes.preference import PREFERENCE
from solon.recipes.registry import Recipes
from solon.store.runs.throughput import AnswerTime
from solon.workspace.seeds import Seeds, check_strata, read_rows
from solon.workspace.workspace import Workspace

if TYPE_CHECKING:
    from solon.recipes.recipe import Recipe
    from solon.store.database.store import Store
    from solon.store.runs.throughput import MeasuredRates, Rate

__all__ = [
    "WORDS_PER_MINUTE",
    "GroupPlan",
    "Plan",
    "Range",
    "WayOut",
    "groups_of_config",
    "make_plan",
    "measure",
    "plan_home",
]

UNSURE = (0.1, 0.3, 0.6)
"""Share of items on which a panel is not confident, before anything is measured: it may be anything."""
CALL_SECONDS = (1.0, 4.0, 15.0)
NONE = Range(0.0, 0.0, 0.0, "measured")
RUBRICS = (
    "up to {0:,} of the reviews wanted ask for a rubric, one for each seed that brings none, whatever the policy; a "
    "model drafts each before that, in one call or up to three"
)
CARRIED = "what people answered in earlier runs is carried over to the same questions, and not taken off these figures"
BROUGHT = (
    "{0} of {1} seeds bring verdicts: no model writes or judges anything of these, and no call is planned for them; "
    "where their verdicts are split the resolver is asked, in one call"
)
BAD_ROWS = "{0} rows cannot be used as seeds and are in no figure; `solon run` names them by line and reason"
SHAPING = ("models", "generator", "critic", "judges", "resolver", "consensus", "plugins")
"""Sections of a configuration on which the calls of an item depend."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What experts can do for one specialty and language.

    Attributes:
        specialty: in small letters; empty where the seeds name none.
        lang: code of the language; empty where the seeds name none.
        items: seeds of this group.
        review_seconds: for one answer.
        wanted_reviews: that the policy would ask for.
        expert_hours: of the experts' time that fall to this group.
        affordable_reviews: that those hours allow.
        seen: share of these items that experts can see, 0 to 1.
        enough: is the whole demand affordable: yes, no, cannot tell.
    """

    specialty: str
    lang: str
    items: int
    review_seconds: Range
    wanted_reviews: Range
    expert_hours: float
    affordable_reviews: Range
    seen: Range
    enough: str

    def spell_enough(self) -> str:
        """The same in words that say which is more likely where it cannot be told."""
        if self.enough != "cannot tell":
            return self.enough
        return "likely" if self.affordable_reviews.likely >= self.wanted_reviews.likely else "likely not"


@dataclass(frozen=True, slots=True)
class Plan:
    """What `items` take of machines and people.

    Attributes:
        recipe: that would be run.
        policy: of routing, as configured.
        items: seeds to be worked on.
        expert_hours: that all experts give together.
        calls: model calls, all items together.
        tokens: input and output, all items together.
        cost: None where a price is unknown.
        currency: of the prices; empty where it is unknown or mixed.
        machine_hours: with as many calls in flight as configured.
        review_seconds: for one answer.
        wanted_reviews: that the policy would ask for.
        affordable_reviews: that the experts' time allows.
        seen: share of all items that experts can see, 0 to 1.
        enough: is the whole demand affordable: yes, no, cannot tell.
        sentence: the answer in one sentence.
        ways_out: where the time is likely short, what would make it enough.
        measured_items: how many finished items stand behind the measured figures.
        groups: the same for each specialty and language, the largest first.
        promise: what certificate can be expected, and which setting would give the strictest one; empty where the
            policy draws no pilot.
        notes: what to know of the models, such as that one of them is the built-in one, and of the figures.
    """

    recipe: str
    policy: str
    items: int
    expert_hours: float
    calls: Range
    tokens: Range
    cost: Range | None
    currency: str
    machine_hours: Range
    review_seconds: Range
    wanted_reviews: Range
    affordable_reviews: Range
    seen: Range
    enough: str
    measured_items: int
    sentence: str = ""
    ways_out: tuple[WayOut, ...] = ()
    promise: str = ""
    groups: tuple[GroupPlan, ...] = ()
    notes: tuple[str, ...] = ()

    def within(self, most: float) -> str:
        """Does the cost stay within `most`: yes, no, cannot tell.

        Raises:
            UsageError: a price is unknown, and so is the cost.
        """
        if self.cost is None:
            raise UsageError(
                "a limit on cost needs the price of every model, and one has none",
                next_step="add [models.NAME.price] with input and output per million tokens",
            )
        return "yes" if self.cost.high <= most else "no" if self.cost.low > most else "cannot tell"

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def rows(self) -> list[tuple[str, Range | None, int]]:
        """The figures as a person reads them: name, range (None where a price is unknown) and digits."""
        return [
            ("model calls", self.calls, 0),
            ("tokens", self.tokens, 0),
            (f"cost {self.currency}".strip(), self.cost, 2),
            ("machine hours", self.machine_hours, 1),
            ("seconds a review", self.review_seconds, 0),
            ("reviews wanted", self.wanted_reviews, 0),
            (f"reviews in {self.expert_hours:.0f} expert hours", self.affordable_reviews, 0),
            ("% of items seen", self.seen.times(100), 1),
        ]

    def __repr__(self) -> str:
        return f"Plan({self.items} items, {self.recipe!r}, {self.sentence!r})"

    def _repr_html_(self) -> str:
        figures = [
            (name, *found.spell(digits), found.source) if found else (name, "unknown: a model has no price")
            for name, found, digits in self.rows()
        ]
        parts = [table(("", "low", "likely", "high", "source"), figures)]
        if self.groups:
            columns = ("specialty", "lang", "seeds", "reviews wanted", "hours", "enough")
            rows = [
                (
                    g.specialty,
                    g.lang,
                    g.items,
                    " / ".join(g.wanted_reviews.spell(0)),
                    f"{g.expert_hours:.1f}",
                    g.spell_enough(),
                )
                for g in self.groups
            ]
            parts.append(table(columns, rows))
        parts += [passage(way.what, way.paste) for way in self.ways_out]
        facts = {
            "answer": self.sentence,
            "promise": self.promise,
            "policy": self.policy,
            "note": "; ".join(self.notes),
        }
        return card(f"plan of {self.items} items, recipe {self.recipe}", facts, *parts)


def make_plan(
    config: Config,
    *,
    items: int,
    experts: int,
    minutes: float,
    days: int,
    recipe: Recipe = PREFERENCE,
    words: float | None = None,
    store: Store | None = None,
    groups: Sequence[SeedGroup] = (),
    strata: Mapping[str, int] | None = None,
    plugins: Mapping[str, Plugin] | None = None,
    file: str = "seeds.jsonl",
    rows: int | None = None,
    rubrics: int = 0,
) -> Plan:
    """Plan `items` with `experts` people who give `minutes` a day on `days` days.

    Args:
        items: seeds to be worked on; a recipe may make several items of each.
        words: mean words of a seed, where it is known.
        store: where earlier runs of the same recipe and panel were measured.
        groups: of the seeds, see `solon.formats.seed_groups`; default: `[plan]` of the configuration.
        strata: stratum of `[routing] strata` -> its part of the items, where the seeds tell.
        file: of the seeds, named where fewer of them would do.
        rows: seeds that it has; None where that is not known.
        rubrics: seeds that bring a rubric of their own, for which none is drafted.
        plugins: functions of a project that cannot be imported by their names, such as a notebook's.

    Raises:
        UsageError: a number below what makes sense; a recipe without a panel.
    """
    _check(items, experts, minutes, days, recipe)
    config, notes = _bound(config, plugins or {})
    seeds, items = items, items * recipe.source.expand
    groups = [replace(group, items=group.items * recipe.source.expand) for group in groups]
    found = measure(store, recipe.name, config) if store is not None else None
    if not found and references(config):
        notes += (
            "the time and money that functions of your own take are in no figure: they were not measured",
        )
    model = Assumed(config, recipe, words)
    calls, tokens, cost, seconds = _model_rates(found, model)
    known = known_time(store, config, recipe)
    review = model.review_seconds(known)
    unsure = range_of(found.unsure, most=1.0) if found and found.unsure else Range(*UNSURE)
    shares = {name: n / items for name, n in (strata or {}).items()}
    # For each seed that brings no rubric, whatever the policy.
    drafted = Range(0.0, 1.0, 1.0).times(1 - rubrics / seeds) if recipe.drafts_rubrics else NONE

    def asked(seeds: int) -> Range:
        by_policy = _wanted(config, seeds * recipe.source.expand, unsure, shares)
        return add_up(by_policy, drafted.times(float(seeds)))

    wanted, left = asked(seeds), drafted.likely * seeds
    if drafted.high:
        notes += (RUBRICS.format(round(left)),)
    if store is not None and _has_decisions(store):
        notes += (CARRIED,)
    team = Team(experts, minutes, days)
    affordable = _answers_within(team.seconds, review)
    enough = _is_enough(affordable, wanted)
    return Plan(
        recipe=recipe.name,
        policy=config.routing.policy,
        items=items,
        expert_hours=team.seconds / 3600,
        calls=calls.times(items),
        tokens=tokens.times(items),
        cost=cost.times(items) if cost else None,
        currency=model.currency() if cost else "",
        machine_hours=seconds.times(items / 3600 / model.in_flight()),
        review_seconds=review,
        wanted_reviews=wanted,
        affordable_reviews=affordable,
        seen=_share(affordable, items, left),
        enough=enough,
        sentence=spell_shortfall(wanted, affordable, enough),
        ways_out=find_ways_out(
            recipe.name,
            seeds,
            team,
            affordable.likely,
            lambda n: asked(n).likely,
            beside=left,
            file=file,
            rows=rows,
        ),
        promise=spell_promise(config.routing, items, max(0.0, affordable.likely - left)),
        measured_items=found.items if found else 0,
        notes=(*config.notes(recipe.roles), *notes),
        groups=_plan_groups(
            config,
            recipe,
            groups or groups_of_config(config, items),
            team,
            review,
            wanted,
            _group_seconds(store, recipe.name) if store is not None else {},
            known,
        ),
    )


def plan_home(
    home: Workspace | Config,
    *,
    experts: int,
    minutes: float,
    days: int,
    items: int | None = None,
    seeds: Seeds | None = None,
    recipe: str = "preference",
    words: float | None = None,
) -> Plan:
    """Plan the work of a workspace, or of a configuration that has no store yet; see `make_plan`.

    Args:
        items: seeds to be worked on; default: as many as `seeds` has.
        seeds: what specialties, languages and word counts are read from.

    Raises:
        UsageError: neither `items` nor `seeds` is given, no row can be used, a number below what makes sense, or an
            unknown recipe.
    """
    if items is None and seeds is None:
        raise UsageError("how many seeds?", next_step="give --items N, or --seeds FILE")
    config, recipes = (home.config, home.recipes) if isinstance(home, Workspace) else (home, Recipes(home))
    found, bad, own, judged = (
        _read_seeds(seeds, config, recipes.get(recipe)) if seeds is not None else ([], 0, 0, 0)
    )
    rows = sum(group.items for group in found)
    strata = check_strata(seeds, config, recipes.get(recipe), None) if seeds is not None else {}
    scale = 1 if items is None or not rows else items / rows
    groups = [replace(group, items=round(group.items * scale)) for group in found]
    made = make_plan(
        config,
        items=items or rows,
        experts=experts,
        minutes=minutes,
        days=days,
        recipe=recipes.get(recipe),
        words=words,
        store=home.store if isinstance(home, Workspace) else None,
        groups=groups,
        strata={name: round(n * scale * recipes.get(recipe).source.expand) for name, n in strata.items()},
        plugins=home.plugins if isinstance(home, Workspace) else None,
        file=str(seeds) if isinstance(seeds, str | Path) else "seeds.jsonl",
        rows=rows if found else None,
        rubrics=round(own * scale),
    )
    if judged and not made.measured_items:
        made = _without_calls(made, judged, rows, config.notes(recipes.get(recipe).roles))
    notes = [BAD_ROWS.format(bad)] if bad else []
    promised = plan_strata(strata, config.routing.alpha, config.routing.delta).promised
    if few := [f"{name} ({n})" for name, n in sorted(strata.items()) if name not in promised]:
        notes.append(f"strata with too few items for a promise of their own: {', '.join(few)}")
    return replace(made, notes=(*made.notes, *notes))


def _without_calls(made: Plan, judged: int, rows: int, models: Collection[str]) -> Plan:
    """The plan without the calls for so many of the rows, whose verdicts came with them. `models`: what is said of
    models where any is asked."""
    left = 1 - judged / rows
    return replace(
        made,
        calls=made.calls.times(left),
        tokens=made.tokens.times(left),
        cost=made.cost and made.cost.times(left),
        machine_hours=made.machine_hours.times(left),
        notes=(*(n for n in made.notes if left or n not in models), BROUGHT.format(judged, rows)),
    )


def _read_seeds(seeds: Seeds, config: Config, recipe: Recipe) -> tuple[list[SeedGroup], int, int, int]:
    """Specialties and languages of the seeds; how many rows cannot be used, how many bring a rubric, and how many are
    judged by the verdicts that they bring."""
    bad = own = judged = 0
    shown = recipe.question.asked(config).shown

    def usable() -> Iterator[SeedRow]:
        nonlocal bad, own, judged
        for row in read_rows(seeds, config, recipe):
            if isinstance(row, SeedRow):
                own += seed_rubric_of(row.metadata) is not None
                given = len(row.responses) >= shown or isinstance(recipe.maker, Given)
                judged += row.verdicts is not None and given
                yield row
            else:
                bad += 1

    groups = count_groups(usable())
    if not groups:
        name = seeds if isinstance(seeds, str | Path) else "the seeds"
        raise UsageError(
            f"{name}: no row can be used as a seed", next_step="`solon run` names what is wrong with them"
        )
    return groups, bad, own, judged


def _bound(config: Config, plugins: Mapping[str, Plugin]) -> tuple[Config, tuple[str, ...]]:
    """The configuration as a run of it is pinned: only so are runs with the same functions found again."""
    try:
        return bind(config, plugins), ()
    except ConfigError as error:
        return config, (f"no run can be the same and measure this: {error.cause}",)


def _check(items: int, experts: int, minutes: float, days: int, recipe: Recipe) -> None:
    if items < 1 or experts < 0 or minutes < 0 or days < 0:
        raise UsageError(
            "a plan needs at least one item, and no negative numbers of experts, minutes or days"
        )
    if not recipe.has_panel:
        raise UsageError(f"the records of {recipe.name} are given by people alone: there is no panel to plan")


def groups_of_config(config: Config, items: int) -> list[SeedGroup]:
    """The shares of `[plan]` as numbers of seeds; none where it names no share."""
    plan = config.plan
    if not plan.specialties and not plan.languages:
        return []
    kinds, langs = plan.specialties or {"": 1.0}, plan.languages or {"": 1.0}
    total = sum(kinds.values()) * sum(langs.values())
    found = [
        SeedGroup(kind.lower(), lang.lower(), round(items * a * b / total))
        for kind, a in kinds.items()
        for lang, b in langs.items()
    ]
    return sorted(found, key=lambda group: (-group.items, group.specialty, group.lang))


def _plan_groups(
    config: Config,
    recipe: Recipe,
    groups: Sequence[SeedGroup],
    team: Team,
    review: Range,
    wanted: Range,
    measured: Mapping[tuple[str, str], Rate],
    known: AnswerTime,
) -> tuple[GroupPlan, ...]:
    """Experts of a specialty answer that one; the others share the rest as it asks for time."""
    total = max(1, sum(group.items for group in groups))
    words = sum(group.items * (group.words or 0.0) for group in groups) / total
    typical = Assumed(config, recipe, words).review_seconds(AnswerTime()).likely
    seconds = [
        range_of(measured[group.specialty, group.lang])
        if (group.specialty, group.lang) in measured
        else review
        if group.words is None or known.measured
        else Assumed(config, recipe, group.words).review_seconds(known)
        if known.seconds is None
        else review.times(Assumed(config, recipe, group.words).review_seconds(AnswerTime()).likely / typical)
        for group in groups
    ]
    asked = [wanted.times(group.items / total) for group in groups]
    demand = [want.likely * each.likely for want, each in zip(asked, seconds, strict=True)]
    own = {name.lower(): number for name, number in config.plan.experts.items()}
    per_expert = team.seconds / team.experts if team.experts else 0.0
    free = max(0.0, team.experts - sum(own.values())) * per_expert
    made = []
    for group, each, want, need in zip(groups, seconds, asked, demand, strict=True):
        same = [group.specialty in own and other.specialty == group.specialty for other in groups]
        others = [name.specialty not in own for name in groups]
        shared = same if group.specialty in own else others
        mine = own[group.specialty] * per_expert if group.specialty in own else free
        pool = sum(value for value, counted in zip(demand, shared, strict=True) if counted)
        given = mine * need / pool if pool else 0.0
        can = _answers_within(given, each)
        made.append(
            GroupPlan(
                group.specialty,
                group.lang,
                group.items,
                each,
                want,
                given / 3600,
                can,
                _share(can, group.items),
                _is_enough(can, want),
            )
        )
    return tuple(made)


def _has_decisions(store: Store) -> bool:
    from solon.store.reviewing.reuse import has_decisions

    with store.connect() as connection:
        return has_decisions(connection, "")


def _group_seconds(store: Store, recipe: str) -> dict[tuple[str, str], Rate]:
    from solon.store.runs.throughput import review_seconds_by_group

    with store.connect() as connection:
        return review_seconds_by_group(connection, recipe)


def _model_rates(found: MeasuredRates | None, model: Assumed) -> tuple[Range, Range, Range | None, Range]:
    """Calls, tokens, cost (None where a price is unknown) and seconds of models that an item takes: as measured, or as
    assumed before that."""
    if found is None:
        calls = model.calls()
        return calls, model.tokens(), model.cost(), multiply(calls, Range(*CALL_SECONDS))
    tokens = add_up(range_of(found.input_tokens), range_of(found.output_tokens))
    cost = range_of(found.cost) if found.cost else None
    return range_of(found.calls), tokens, cost, range_of(found.model_seconds)


def _answers_within(seconds: float, each: Range) -> Range:
    """How many answers fit into so many seconds, where one takes `each`."""
    return Range(seconds / each.high, seconds / each.likely, seconds / each.low, each.source)


def _share(found: Range, items: int, beside: float = 0.0) -> Range:
    """The share of items that so many reviews are enough for, after those `beside` them."""
    low, likely, high = (min(1.0, max(0.0, value - beside) / max(1, items)) for value in found.bounds)
    return Range(low, likely, high, found.source)


def _is_enough(affordable: Range, wanted: Range) -> str:
    return "yes" if affordable.low >= wanted.high else "no" if affordable.high < wanted.low else "cannot tell"


def measure(store: Store, recipe: str, config: Config) -> MeasuredRates | None:
    """Rates of earlier runs whose items take the same calls as they would under `config`."""
    from solon.store.runs.runs import all_runs, config_payload
    from solon.store.runs.throughput import measured_rates

    wanted = config.effective()
    with store.connect() as connection:
        ids = {run.config_id for run in all_runs(connection) if run.recipe == recipe}
        same = [name for name in sorted(ids) if _same_calls(config_payload(connection, name), wanted)]
        return measured_rates(connection, recipe, same)


def _same_calls(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(old.get(name) == new.get(name) for name in SHAPING) and _drafts(old) == _drafts(new)


def _drafts(config: Mapping[str, Any]) -> bool:
    return (config.get("law") or {}).get("seed_rubrics") == "drafted"


def _wanted(config: Config, items: int, unsure: Range, strata: Mapping[str, float]) -> Range:
    """Reviews that the policy asks for: the pilot and what strata draw beyond it, by as many people as the target of a
    certificate takes (where it takes one, a quarter of the pilot by a second); what is not confident; audits."""
    routing = config.routing
    if routing.policy == "always":
        return Range(items, items, items)
    if routing.policy == "certified":  # without a certificate it asks about everything
        most = items + routing.pilot_of(items) * (answers_a_question(routing.target) - 1)
        return Range(most, most, most)
    if routing.policy == "budget":
        most = min(items, routing.review_budget)
        return Range(most, most, most)
    pilot = float(routing.pilot_of(items)) if routing.policy == "pilot" else 0.0
    sizes = {name: round(share * items) for name, share in strata.items()}
    pilot += drawn_beyond(sizes, items, round(pilot), routing.alpha, routing.delta)
    rest = items - pilot
    doubted = NONE if routing.policy == "never" else unsure
    target = read_target(routing.target)
    asked = answers_a_question(routing.target)
    audits = routing.audit_share * target.audited_by
    low, likely, high = (
        pilot * asked + rest * share + rest * (1 - share) * audits for share in doubted.bounds
    )
    return Range(low, likely, high, doubted.source)
