"""What an item takes as far as word counts and reading speed say: the figures before anything was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solon.config import Config
from solon.operations.planning.ranges import Range, add_up, multiply, range_of
from solon.recipes.rubrics import MAX_TOKENS, TRIES, drafting_model

if TYPE_CHECKING:
    from solon.recipes.recipe import Recipe
    from solon.store.runs.throughput import AnswerTime

WORDS_PER_MINUTE = 238
"""Silent reading of English non-fiction by adults; Brysbaert 2019, Journal of Memory and Language 109, 104047."""
TOKENS_PER_WORD = (1.2, 1.35, 2.0)
"""English to other languages in Latin script, as tokenizers of current models cut them; other scripts take more."""
PROMPT_WORDS = (20.0, 60.0, 300.0)
"""Of a seed, where no measurement or `--words` says better."""
ANSWER_SHARE = (0.2, 0.5, 1.0)
"""Of the room for an answer that a model fills."""
ESCALATED = 0.3
"""Share of items that a tier of judges sends on to the next; it may be none or all."""
DEBATED = Range(0.0, 0.3, 1.0)
"""Share of items whose judges disagree, where these debate."""
DECIDING = (1 / 3, 1.0, 3.0)
"""To decide and say why, besides reading: multiples of what `reading_minutes` takes for it."""

Role = tuple[str, Range, float, float]
"""A model, its calls, words of texts in each prompt as multiples of an answer, and the room for the answer."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """An item's calls from the configuration, its tokens from word counts."""

    config: Config
    recipe: Recipe
    words: float | None

    def _roles(self) -> list[Role]:
        from solon.recipes.makers import count_drafts, count_texts

        config = self.config
        drafts, steps, question = (
            count_drafts(self.recipe.maker, config),
            self.recipe.step_names,
            self.recipe.question,
        )
        texts = count_texts(self.recipe.maker, config)
        shown = float(question.asked(config).shown)
        room = float(config.generator.max_tokens or self._room(config.generator.models))
        again = config.routing.max_redrafts
        rounds = Range(1.0, 1.0 + 0.1 * again, 1.0 + again)
        turns = float(self.recipe.pairing_under(config).turns)
        roles: list[Role] = []
        authors = [*config.generator.models, *("" for _ in config.generator.python)]
        if self.recipe.drafts_rubrics and (model := drafting_model(config)):
            # Of a seed without a rubric: one draft, and up to so many where those before cannot be used.
            roles.append((model, Range(0.0, 1.0, TRIES), 0.0, MAX_TOKENS))
        revises = config.generator.revise and "revise" in steps
        for model in config.generator.models if drafts or (texts and revises) else ():
            share = drafts * self.recipe.maker.calls(config) / len(authors)
            revised = turns * texts / len(config.generator.models) if revises else 0.0
            roles.append((model, rounds.times(share), 0.0, room))
            roles.append((model, Range(0.0, revised * 0.3, revised * rounds.high), 1.5, room))
        if "critique" in steps and not config.critic.python:
            criticised = multiply(rounds, Range(1.0, (1 + turns) / 2, turns)).times(texts)
            roles.append((config.critic.model, criticised, 1.0, config.critic.max_tokens))
        roles += self._seats(rounds, drafts)
        for rule in config.rules if self.recipe.has_panel else ():
            if rule.prompt:
                roles.append((rule.model, multiply(rounds, self._asked(rule.tier)), shown, 256.0))
        if self.recipe.has_resolver and config.resolver.enabled:
            resolver = config.resolver
            # Two judges are asked why, then the resolver hears both: three calls on a split panel.
            roles.append((resolver.model, Range(0.0, 0.6, 3.0 * rounds.high), 2.5, resolver.max_tokens))
        return roles

    def _seats(self, rounds: Range, drafts: int) -> Iterator[Role]:
        """Scores of a shortlist, votes, and where judges debate, the votes after that."""
        from solon.operations.recipes import count_scored

        config, question = self.config, self.recipe.question
        shown = float(question.asked(config).shown)
        ranked = rounds.times(count_scored(self.recipe, config, drafts))
        for seat in config.judges if self.recipe.has_seats else ():
            if seat.python:
                continue
            if seat.tier == 0 and ranked.high:
                yield seat.model, ranked.times(seat.samples), 1.0, seat.max_tokens
            each = seat.samples * question.orders
            asked = multiply(rounds, self._asked(seat.tier))
            yield seat.model, asked.times(each), shown, seat.max_tokens
            if config.consensus.debate and self.recipe.can_debate:
                # Of a panel that disagrees each seat votes again, and on pairs gives up to a reason a vote.
                calls = asked.times(each * question.orders)
                yield seat.model, multiply(calls, DEBATED), shown + 1.0, seat.max_tokens

    def _asked(self, tier: int) -> Range:
        """Share of items that reach a tier of judges: all the first, of the others at least what is for people."""
        routing = self.config.routing
        if tier == 0 or routing.policy in ("always", "certified"):
            return Range(1.0, 1.0, 1.0)
        return Range(0.0, ESCALATED**tier, 1.0)

    def _room(self, models: tuple[str, ...]) -> int:
        return max((self.config.models[name].max_tokens for name in models), default=512)

    def calls(self) -> Range:
        """Model calls for one item, by all roles together."""
        return add_up(*(count for _, count, _, _ in self._roles()))

    def tokens(self) -> Range:
        """Tokens of those calls, input and output."""
        pairs = [self._tokens(*role[1:]) for role in self._roles()]
        return add_up(*(part for pair in pairs for part in pair))

    def cost(self) -> Range | None:
        """What those calls cost, in the currency of the prices; None where a model has none."""
        parts = []
        for model, count, texts, room in self._roles():
            price, batch = self.config.models[model].price, self.config.models[model].batch
            given, made = self._tokens(count, texts, room)
            for tokens, one in ((given, (1, 0)), (made, (0, 1))):
                each = price.cost(*one, batch=batch) if price is not None else None
                if each is None:
                    return None
                parts.append(tokens.times(each))
        return add_up(*parts)

    def currency(self) -> str:
        """The currency of all prices; empty where none is known, or they differ."""
        prices = [self.config.models[name].price for name in self.config.models_in_use()]
        names = {price.currency for price in prices if price is not None}
        return names.pop() if len(names) == 1 else ""

    def _tokens(self, count: Range, texts: float, room: float) -> tuple[Range, Range]:
        answer = Range(*ANSWER_SHARE).times(room)
        prompt = multiply(self._prompt_words(), Range(*TOKENS_PER_WORD))
        own = self._law_words() * TOKENS_PER_WORD[1]
        given = add_up(prompt, answer.times(texts), Range(own, own, own))
        return multiply(count, given), multiply(count, answer)

    def _prompt_words(self) -> Range:
        return Range(*PROMPT_WORDS) if self.words is None else Range(self.words, self.words, self.words)

    def _law_words(self) -> float:
        from solon.law.documents import load_constitution

        template = 120  # words of a template without what is filled in
        return len(load_constitution(self.config.law.constitution).as_prompt().split()) + template

    def review_seconds(self, known: AnswerTime) -> Range:
        """Seconds that a person takes for one answer, reading what is shown and deciding: as `known`, else by the words
        that are awaited."""
        if known.seconds and known.measured:
            return range_of(known.seconds)
        deciding = self.config.routing.review_seconds / 2
        told = Range(*DECIDING).times(deciding)
        if known.seconds:
            mean = known.seconds.mean
            return Range(max(0.0, mean - (deciding - told.low)), mean, mean + told.high - deciding)
        room = self.config.generator.max_tokens or self._room(self.config.generator.models)
        answers = self.recipe.question.asked(self.config).shown
        shown = Range(*ANSWER_SHARE).times(answers * room / TOKENS_PER_WORD[1])
        words = add_up(self._prompt_words(), shown)
        return add_up(words.times(60 / WORDS_PER_MINUTE), told)

    def in_flight(self) -> int:
        """Calls at once, as the configuration says; 8 where it leaves it open."""
        return (
            self.config.run.concurrency
            or max([self.config.models[name].concurrency for name in self.config.models_in_use()] or [0])
            or 8
        )
