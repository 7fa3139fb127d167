"""What every agent sees of an item: the request, the law it is judged by, and the way to call a model."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from pydantic import BaseModel

from solon.agents.calls import Ask, Caller, Meter, ModelPool
from solon.agents.drafts import Draft, problem_of
from solon.agents.echoes import cut
from solon.agents.memory import MemoryJournal
from solon.config import Config, load_config, parse_config
from solon.errors import ConfigError, NoAnswer
from solon.law.documents import Constitution, Rubric, load_constitution, load_rubric
from solon.law.seed_rubrics import SeedRubric, read_seed_rubric
from solon.prompts.library import Prompt, PromptLibrary, Rendered
from solon.store.database.ids import hash_id, new_id
from solon.store.runs.examples import Example
from solon.store.runs.journal import DRAWS, CallKey, Outcome
from solon.tracing import OFF

Role = Literal["generator", "critic", "judge", "resolver"]
Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Case:
    """One item as the agents see it. All of it is pinned when the item starts.

    Attributes:
        caller: makes the item's calls.
        config: the configuration of its run.
        prompts: the templates that its run is pinned to.
        constitution: the principles that critics, judges and the resolver apply.
        rubric: the criteria that judges score, unless the seed brought its own.
        seed_rubric: the criteria of this one request; None where the seed brought none, or none are wanted.
        reasons: what judges who disagree gave as reasons, by the order in which answers are shown (empty on a single
            text); empty where there was no debate.
        prompt: the seed's request, with the earlier turns of a conversation.
        input: the seed's material that the request speaks of; empty without any.
        reference: the seed's reference answer; empty without one.
        mark: secret of which the marks around foreign texts are made; derived from the store's key, so that no
            author can know it.
        random_seed: root of the seeds of all calls of the item.
        metadata: further columns of the seed.
        settings: of the recipe, as its own model read them from `[recipes.NAME]`; None where it has none.
        record: the latest record of an earlier item of the same seed, where the recipe's source evolves requests.
        brief: what the recipe says of all its items, below the principles; empty where it says nothing.
        examples: tasks that are there already, where the recipe's source draws such; for whoever drafts alone.
        asking: of the panel's calls those to make now, by seat, order and sample; None: all.
        covered: attribute -> value -> how many records there are of it, where the recipe's source evolves requests.
        place: the round, and the number of the draft (or of the seat) within it, that `ask` asks for.
        answered: the calls that `ask` made here, each with the name of who answered.
    """

    caller: Caller
    config: Config
    prompts: PromptLibrary
    constitution: Constitution
    rubric: Rubric
    prompt: str
    input: str
    reference: str
    mark: str
    random_seed: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    settings: Any = None
    brief: str = ""
    examples: tuple[Example, ...] = ()
    record: Example | None = None
    seed_rubric: SeedRubric | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    asking: Collection[tuple[int, str, int]] | None = None
    covered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    place: tuple[int, int] = (0, 0)
    answered: list[tuple[Outcome, str]] = field(default_factory=list, compare=False, repr=False)

    @cached_property
    def principles(self) -> str:
        """The constitution as text for a prompt, with the recipe's brief below it; rendered once."""
        return "\n\n".join(filter(None, (self.constitution.as_prompt(), self.brief)))

    @property
    def criteria(self) -> Rubric | SeedRubric:
        """What judges score by: the seed's own rubric, else the one in force."""
        return self.seed_rubric or self.rubric

    def draw(self, *parts: str | int) -> int:
        """A seed for one call, the same whenever the item is replayed."""
        text = ":".join(str(part) for part in (self.random_seed, *parts))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") & 0x7FFFFFFF

    @property
    def origin(self) -> Example:
        """What a maker goes on from: the latest record of the seed where the source evolves requests, else the seed."""
        return self.record or Example(self.prompt, self.input)

    def keep(self, name: str, choose: Callable[[], Any], *, given: str = "") -> Any:
        """What was chosen, as a plain value that JSON can hold. It is journalled: an item that is made again gets the
        same, whatever the choice would be by then.

        Args:
            name: tells apart several choices for the same draft.
            choose: is called where nothing was chosen before.
            given: what the choice depends on in the recipe's settings; where it is another, it is chosen anew.
        """
        key = self._key_of(name, given)
        found = self.caller.journal.find(key)
        return json.loads(found.text) if found else self._write_kept(key, choose())

    async def keep_measured(self, name: str, measure: Callable[[], Any], *, given: str = "") -> Any:
        """As `keep`, for what takes its time: it is measured in a thread of its own."""
        key = self._key_of(name, given)
        found = self.caller.journal.find(key)
        return json.loads(found.text) if found else self._write_kept(key, await asyncio.to_thread(measure))

    def _key_of(self, name: str, given: str) -> CallKey:
        round, index = self.place
        return CallKey(
            role=DRAWS,
            seat=name,
            sample=index,
            round=round,
            model="code",
            parameters={},
            template="code",
            prompt=given,
            schema="",
        )

    def _write_kept(self, key: CallKey, value: Any) -> Any:
        journal = self.caller.journal
        written = json.dumps(value, ensure_ascii=False)
        journal.write(key, Outcome.of_code(journal.call_id(key), written))
        return json.loads(written)

    @classmethod
    def open(
        cls,
        config: Config | Mapping[str, Any] | str | Path | None = None,
        *,
        prompt: str,
        input: str = "",
        reference: str = "",
        rubric: Any = None,
    ) -> Case:
        """A case for agents that are asked alone, without a store: `async with Case.open(...) as case`. Calls go to a
        journal in memory, under the limits of the configuration.

        Args:
            config: a file, plain values, or a configuration; default: `solon.toml` if it is there.
            prompt: the request.
            input: the material that the request speaks of; empty without any.
            reference: a reference answer; empty without one.
            rubric: criteria of this one request, as `read_seed_rubric` takes them; None: judges score by the rubric of
                the configuration.

        Raises:
            ConfigError: naming the key, the value seen and what would be right.
            ValueError: the same of the rubric.
        """
        if isinstance(config, Mapping):
            config = parse_config(config)
        elif not isinstance(config, Config):
            config = load_config(config)
        limits = config.limits
        meter = Meter.of(limits)
        return cls(
            caller=Caller(ModelPool(config), MemoryJournal(), meter, OFF, {}),
            config=config,
            prompts=PromptLibrary(config.prompts_dir),
            constitution=load_constitution(config.law.constitution),
            rubric=load_rubric(config.law.rubric),
            prompt=prompt,
            input=input,
            reference=reference,
            mark=hash_id(new_id(), new_id()),
            random_seed=config.run.seed,
            seed_rubric=None if rubric is None else read_seed_rubric(rubric),
        )

    async def __aenter__(self) -> Case:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the models of a case that was opened alone."""
        await self.caller.pool.aclose()

    def at(self, round: int, index: int) -> Case:
        """The same case for draft (or seat) number `index` of a round: what it asks is asked apart from the others. A
        maker is given its case so."""
        other = copy(self)  # with what was worked out already, such as the principles as text
        vars(other).update(place=(round, index), answered=[])
        return other

    @overload
    async def ask(
        self, template: str, /, *, role: Role = ..., schema: None = None, sample: int = ..., **values: object
    ) -> str: ...

    @overload
    async def ask(
        self, template: str, /, *, role: Role = ..., schema: type[Answer], sample: int = ..., **values: object
    ) -> Answer: ...

    async def ask(
        self,
        template: str,
        /,
        *,
        role: Role = "generator",
        schema: type[BaseModel] | None = None,
        sample: int = 0,
        **values: object,
    ) -> str | BaseModel:
        """What a model answers to a template, without what it repeats of the prompt. The call is journalled: an item
        that is made again gets the same answer, and it is not paid for twice.

        Args:
            template: the name of a template, one that comes with the recipe or with Solon.
            role: whose model is asked. Models of generators, and seats of judges, take turns by `place`.
            schema: what a structured answer must follow; None for prose.
            sample: which try this is of several with the same prompt, from 0.
            values: the variables of the template. `prompt`, `input`, `reference`, `constitution` and `rubric` are those
                of the case where they are not given.

        Returns:
            The text; with a schema an object of it.

        Raises:
            NoAnswer: the answer is empty, cut, only an echo of the prompt, or does not follow the schema.
            ConfigError: there is no such template, its variables are others, or no model plays the role.
            ModelUnavailable, ModelRefused, LimitReached: as of every call.
        """
        prompt = self._render(template, values)
        model, max_tokens, temperature = self._played_by(role)
        round, index = self.place
        ask = Ask(
            role=role,
            seat=template,
            model=model,
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=self.draw("ask", template, role, round, index, sample),
            sample=index,
            round=round,
            schema=schema,
        )
        outcome, parsed = await self.caller.parsed(ask)
        self.answered.append((outcome, self.caller.voter(model, outcome)))
        text = outcome.text if schema else cut(outcome.text, prompt, cites=role != "generator")
        if problem := problem_of(outcome, text):
            raise NoAnswer(f"{template}: the {role} gave no usable answer ({problem})", problem=problem)
        return text if parsed is None else parsed

    def draft(self, text: str, *, prompt: str = "", input: str = "", problem: str = "") -> Draft:
        """A text as a maker gives it: with the latest call of `ask` here, and who answered.

        Args:
            text: the response.
            prompt: the request, where the maker wrote that too; empty: the text answers the seed's.
            input: what that request speaks of; empty where there is nothing.
            problem: why it cannot be used; empty where it can.
        """
        outcome, author = self.answered[-1] if self.answered else (None, "code")
        problem = problem or ("" if text.strip() else "empty")
        return Draft(text.strip(), outcome, author, prompt=prompt.strip(), input=input, problem=problem)

    def _render(self, template: str, values: dict[str, object]) -> Rendered:
        known: dict[str, Prompt] = {prompt.name: prompt for prompt in self.prompts}
        if template not in known:
            near = difflib.get_close_matches(template, known, n=1)
            raise ConfigError(
                f"there is no template {template!r}",
                next_step=f"did you mean {near[0]!r}?"
                if near
                else f"write prompts/{template}.md beside the recipe",
            )
        own = {
            "constitution": self.principles,
            "rubric": self.rubric.as_prompt(),
            "prompt": self.prompt,
            "input": self.input,
            "reference": self.reference,
        }
        declared = known[template].variables
        texts = {name: str(value) for name, value in values.items()}
        own_texts = {name: text for name, text in own.items() if name in declared}
        rendered = known[template].render(self.mark, **{**own_texts, **texts})
        ours = {"", *self.config.generator.personas, *(judge.persona for judge in self.config.judges)}
        if "constitution" in texts or texts.get("persona", "") not in ours:
            # a part of a recipe may put a seed's words there, and an opening is kept when the seed is forgotten
            rendered = replace(rendered, opening=0)
        return rendered

    def _played_by(self, role: Role) -> tuple[str, int, float]:
        """The model whose turn it is, how long its answer may be, and at which temperature it answers."""
        config, index = self.config, self.place[1]
        if role == "critic":
            return config.critic.model, config.critic.max_tokens, 0.0
        if role == "resolver":
            return config.resolver.model, config.resolver.max_tokens, 0.0
        if role == "judge":
            seats = [seat for seat in config.judges if not seat.python]
            if seats:
                seat = seats[index % len(seats)]
                return seat.model, seat.max_tokens, seat.temperature
        elif config.generator.models:
            writer = config.generator
            model = writer.models[index % len(writer.models)]
            room = writer.max_tokens or config.models[model].max_tokens
            return model, room, writer.temperatures[index % len(writer.temperatures)]
        raise ConfigError(
            f"no model plays the {role}, who is to be asked", next_step="name one in solon.toml"
        )
