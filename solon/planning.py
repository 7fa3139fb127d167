"""Plan a project before it begins: calls, tokens, money, hours, and the share of items that the experts can see.

Every figure is a range. At first it comes from word counts and reading speed, and says so; once the store has finished
items under the same panel, from what they took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from solon.config import Config
from solon.errors import UsageError
from solon.formats.seed_groups import SeedGroup

if TYPE_CHECKING:
    from solon.store import Store
    from solon.store.rates import MeasuredRates, Rate

WORDS_PER_MINUTE = 238
"""Silent reading of English non-fiction by adults; Brysbaert 2019, Journal of Memory and Language 109, 104047."""
TOKENS_PER_WORD = (1.2, 1.35, 2.0)
"""English to other languages in Latin script, as tokenizers of current models cut them; other scripts take more."""
PROMPT_WORDS = (20.0, 60.0, 300.0)
"""Of a seed, where no measurement or `--words` says better."""
ANSWER_SHARE = (0.2, 0.5, 1.0)
"""Of the room for an answer that a model fills."""
UNSURE = (0.1, 0.3, 0.6)
"""Share of items on which a panel is not confident, before anything is measured: it may be anything."""
DECIDING_SECONDS = (5.0, 15.0, 45.0)
"""To decide and say why, besides reading."""
CALL_SECONDS = (1.0, 4.0, 15.0)
SHAPING = ("models", "generator", "critic", "judges", "resolver", "plugins")
"""Sections of a configuration on which the calls of an item depend."""


@dataclass(frozen=True, slots=True)
class Range:
    """`source`: measured, or assumed from word counts."""

    low: float
    likely: float
    high: float
    source: str = "assumed"

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor, self.source)


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What experts can do for one specialty and language; see `Plan` for the figures."""

    specialty: str
    lang: str
    items: int
    review_seconds: Range
    wanted_reviews: Range
    expert_hours: float
    affordable_reviews: Range
    seen: Range
    enough: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What `items` take of machines and people.

    Attributes:
        cost: None where a price is unknown; currency: of the prices, empty where it is unknown or mixed.
        machine_hours: with as many calls in flight as configured; review_seconds: for one answer.
        wanted_reviews: that the policy would ask for; affordable_reviews: that the experts' time allows.
        seen: share of all items that experts can see; enough: is the whole demand affordable?
        measured_items: how many finished items stand behind the measured figures.
        groups: the same for each specialty and language, the largest first.
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
    groups: tuple[GroupPlan, ...] = ()

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
        return asdict(self)


def make_plan(
    config: Config,
    *,
    items: int,
    experts: int,
    minutes: float,
    days: int,
    recipe: str = "preference",
    words: float | None = None,
    store: Store | None = None,
    groups: Sequence[SeedGroup] = (),
) -> Plan:
    """Plan `items` with `experts` people who give `minutes` a day on `days` days.

    Args:
        words: mean words of a seed, where it is known.
        store: where earlier runs of the same recipe and panel were measured.
        groups: of the seeds, see `solon.formats.seed_groups`; default: `[plan]` of the configuration.

    Raises:
        UsageError: a number below what makes sense; an unknown recipe.
    """
    if items < 1 or experts < 0 or minutes < 0 or days < 0:
        raise UsageError(
            "a plan needs at least one item, and no negative numbers of experts, minutes or days"
        )
    if recipe not in ("preference", "instruction"):
        raise UsageError(f"there is no recipe {recipe!r}", next_step="recipes: preference, instruction")
    found = measure(store, recipe, config) if store is not None else None
    model = _Assumed(config, recipe, words)
    per_item = _measured(found.calls) if found else model.calls()
    tokens = _sum(_measured(found.input_tokens), _measured(found.output_tokens)) if found else model.tokens()
    cost = (_measured(found.cost) if found and found.cost else None) if found else model.cost()
    seconds = _measured(found.model_seconds) if found else _product(per_item, Range(*CALL_SECONDS))
    review = _measured(found.review_seconds) if found and found.review_seconds else model.review_seconds()
    unsure = _measured(found.unsure, most=1.0) if found and found.unsure else Range(*UNSURE)
    wanted = _wanted(config, items, unsure)
    available = experts * minutes * days * 60
    affordable = Range(
        available / review.high, available / review.likely, available / review.low, review.source
    )
    seen = _share(affordable, items)
    return Plan(
        recipe=recipe,
        policy=config.routing.policy,
        items=items,
        expert_hours=available / 3600,
        calls=per_item.times(items),
        tokens=tokens.times(items),
        cost=cost.times(items) if cost else None,
        currency=model.currency() if cost else "",
        machine_hours=seconds.times(items / 3600 / model.in_flight()),
        review_seconds=review,
        wanted_reviews=wanted,
        affordable_reviews=affordable,
        seen=seen,
        enough=_is_enough(affordable, wanted),
        measured_items=found.items if found else 0,
        groups=_plan_groups(
            config,
            groups or groups_of_config(config, items),
            recipe,
            review,
            wanted,
            store,
            experts,
            available,
        ),
    )


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
    groups: Sequence[SeedGroup],
    recipe: str,
    review: Range,
    wanted: Range,
    store: Store | None,
    experts: int,
    available: float,
) -> tuple[GroupPlan, ...]:
    """Experts of a specialty answer that one; the others share the rest as it asks for time."""
    measured = _group_seconds(store, recipe) if store is not None else {}
    total = max(1, sum(group.items for group in groups))
    seconds = [
        _measured(measured[group.specialty, group.lang])
        if (group.specialty, group.lang) in measured
        else review
        if review.source == "measured" or group.words is None
        else _Assumed(config, recipe, group.words).review_seconds()
        for group in groups
    ]
    asked = [wanted.times(group.items / total) for group in groups]
    demand = [want.likely * each.likely for want, each in zip(asked, seconds, strict=True)]
    own = {name.lower(): number for name, number in config.plan.experts.items()}
    per_expert = available / experts if experts else 0.0
    free = max(0.0, experts - sum(own.values())) * per_expert
    made = []
    for group, each, want, need in zip(groups, seconds, asked, demand, strict=True):
        same = [group.specialty in own and other.specialty == group.specialty for other in groups]
        others = [name.specialty not in own for name in groups]
        shared = same if group.specialty in own else others
        mine = own[group.specialty] * per_expert if group.specialty in own else free
        pool = sum(value for value, counted in zip(demand, shared, strict=True) if counted)
        given = mine * need / pool if pool else 0.0
        can = Range(given / each.high, given / each.likely, given / each.low, each.source)
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


def _group_seconds(store: Store, recipe: str) -> dict[tuple[str, str], Rate]:
    from solon.store.rates import review_seconds_by_group

    with store.connect() as connection:
        return review_seconds_by_group(connection, recipe)


def _share(found: Range, items: int) -> Range:
    low, likely, high = (min(1.0, value / max(1, items)) for value in (found.low, found.likely, found.high))
    return Range(low, likely, high, found.source)


def _is_enough(affordable: Range, wanted: Range) -> str:
    return "yes" if affordable.low >= wanted.high else "no" if affordable.high < wanted.low else "cannot tell"


def measure(store: Store, recipe: str, config: Config) -> MeasuredRates | None:
    """Rates of earlier runs whose items take the same calls as they would under `config`."""
    from solon.store.rates import measured_rates
    from solon.store.runs import all_runs, config_payload

    wanted = config.effective()
    with store.connect() as connection:
        ids = {run.config_id for run in all_runs(connection) if run.recipe == recipe}
        same = [name for name in sorted(ids) if _same_calls(config_payload(connection, name), wanted)]
        return measured_rates(connection, recipe, same)


def _same_calls(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return all(old.get(name) == new.get(name) for name in SHAPING)


@dataclass(frozen=True, slots=True)
class _Assumed:
    """An item's calls from the configuration, its tokens from word counts."""

    config: Config
    recipe: str
    words: float | None

    @property
    def _pair(self) -> bool:
        return self.recipe == "preference"

    def _roles(self) -> list[tuple[str, Range, float, float]]:
        """(model, calls, words of texts in each prompt as multiples of an answer, room for the answer)."""
        config = self.config
        drafts = config.generator.n if self._pair else 1
        room = float(config.generator.max_tokens or self._room(config.generator.models))
        again = config.routing.max_redrafts
        rounds = Range(1.0, 1.0 + 0.1 * again, 1.0 + again)
        roles: list[tuple[str, Range, float, float]] = []
        authors = [*config.generator.models, *("" for _ in config.generator.python)]
        for model in config.generator.models:
            share = drafts / len(authors)
            revised = share if config.generator.revise else 0.0
            roles.append((model, rounds.times(share), 0.0, room))
            roles.append((model, Range(0.0, revised * 0.3, revised * rounds.high), 1.5, room))
        if not config.critic.python:
            roles.append((config.critic.model, rounds.times(drafts), 1.0, config.critic.max_tokens))
        for seat in config.judges:
            if not seat.python:
                each = seat.samples * (2 if self._pair else 1)
                shown = 2.0 if self._pair else 1.0
                roles.append((seat.model, rounds.times(each), shown, seat.max_tokens))
        if self._pair and config.resolver.enabled:
            resolver = config.resolver
            # Two judges are asked why, then the resolver hears both: three calls on a split panel.
            roles.append((resolver.model, Range(0.0, 0.6, 3.0 * rounds.high), 2.5, resolver.max_tokens))
        return roles

    def _room(self, models: tuple[str, ...]) -> int:
        return max((self.config.models[name].max_tokens for name in models), default=512)

    def calls(self) -> Range:
        return _sum(*(count for _, count, _, _ in self._roles()))

    def tokens(self) -> Range:
        pairs = [self._tokens(*role[1:]) for role in self._roles()]
        return _sum(*(part for pair in pairs for part in pair))

    def cost(self) -> Range | None:
        parts = []
        for model, count, texts, room in self._roles():
            price = self.config.models[model].price
            if price is None:
                return None
            given, made = self._tokens(count, texts, room)
            parts += [given.times(price.input / 1e6), made.times(price.output / 1e6)]
        return _sum(*parts)

    def currency(self) -> str:
        prices = [self.config.models[name].price for name in self.config.models_in_use()]
        names = {price.currency for price in prices if price is not None}
        return names.pop() if len(names) == 1 else ""

    def _tokens(self, count: Range, texts: float, room: float) -> tuple[Range, Range]:
        answer = Range(*ANSWER_SHARE).times(room)
        prompt = _product(self._prompt_words(), Range(*TOKENS_PER_WORD))
        own = self._law_words() * TOKENS_PER_WORD[1]
        given = _sum(prompt, answer.times(texts), Range(own, own, own))
        return _product(count, given), _product(count, answer)

    def _prompt_words(self) -> Range:
        return Range(*PROMPT_WORDS) if self.words is None else Range(self.words, self.words, self.words)

    def _law_words(self) -> float:
        from solon.law.documents import load_constitution

        template = 120  # words of a template without what is filled in
        return len(load_constitution(self.config.law.constitution).as_prompt().split()) + template

    def review_seconds(self) -> Range:
        room = self.config.generator.max_tokens or self._room(self.config.generator.models)
        answers = 2 if self._pair else 1
        shown = Range(*ANSWER_SHARE).times(answers * room / TOKENS_PER_WORD[1])
        words = _sum(self._prompt_words(), shown)
        return _sum(words.times(60 / WORDS_PER_MINUTE), Range(*DECIDING_SECONDS))

    def in_flight(self) -> int:
        """Calls at once, as the configuration says; 8 where it leaves it open."""
        return (
            self.config.run.concurrency
            or max([self.config.models[name].concurrency for name in self.config.models_in_use()] or [0])
            or 8
        )


def _wanted(config: Config, items: int, unsure: Range) -> Range:
    """Reviews that the policy asks for: the pilot with its quarter seen twice, what is not confident, audits."""
    routing = config.routing
    if routing.policy in ("always", "certified"):  # without a certificate, `certified` asks about everything
        return Range(items, items, items)
    if routing.policy == "budget":
        most = min(items, routing.review_budget)
        return Range(most, most, most)
    pilot = min(routing.pilot, max(1, int(items * routing.pilot_share))) if routing.policy == "pilot" else 0
    rest = items - pilot
    none = Range(0.0, 0.0, 0.0, "measured")
    doubted = none if routing.policy == "never" else unsure
    low, likely, high = (
        pilot * 1.25 + rest * share + rest * (1 - share) * routing.audit_share
        for share in (doubted.low, doubted.likely, doubted.high)
    )
    return Range(low, likely, high, doubted.source)


def _measured(rate: Rate, most: float | None = None) -> Range:
    """Mean and its 95% interval (normal)."""
    low, high = max(0.0, rate.mean - 1.96 * rate.error), rate.mean + 1.96 * rate.error
    return Range(low, rate.mean, high if most is None else min(most, high), "measured")


def _sum(*parts: Range) -> Range:
    source = "measured" if all(part.source == "measured" for part in parts) else "assumed"
    return Range(sum(p.low for p in parts), sum(p.likely for p in parts), sum(p.high for p in parts), source)


def _product(a: Range, b: Range) -> Range:
    source = "measured" if a.source == b.source == "measured" else "assumed"
    return Range(a.low * b.low, a.likely * b.likely, a.high * b.high, source)
