"""The sections of the configuration that shape runs: every key with its bounds and its meaning. Imports nothing of
Solon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)


class Section(BaseModel):
    """A table of the configuration: strict about its keys, immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _names_a_variable(value: str) -> str:
    # what was given is not told: it may be the key itself
    if value and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(
            "this is no name of an environment variable; put the secret into a variable, and its name here"
        )
    return value


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as 90s, 30m, 1h30m or 2d; 0 of an empty one or of 0."""
    found = _DURATION.fullmatch("0s" if duration == "0" else duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration; write e.g. 90s, 30m, 1h30m or 2d")
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def spell_duration(seconds: float) -> str:
    """Return a duration as it is written: 5400 -> 1h30m, 75.2 -> 1m15s."""
    left, parts = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"


def _is_duration(duration: str) -> str:
    seconds_of(duration)
    return duration


Duration = Annotated[
    str, BeforeValidator(lambda value: "0" if value == 0 else value), AfterValidator(_is_duration)
]
"""Time in days, hours, minutes and seconds: 30m, 1h30m; 0: none."""

BUILTIN = "builtin:smollm2"
"""The small model that comes with Solon; what acts where no model is named at all."""

GIVEN = "given"
"""The provider of a chat model that was passed from Python under a name that the configuration does not explain."""

VariableName = Annotated[str, AfterValidator(_names_a_variable)]
"""Name of the environment variable that holds a secret, never the secret itself."""


def family_of(model: str, told: Mapping[str, str] | None = None) -> str:
    """Return the family of `provider:model`: as configured, else the letters that the model's name begins with
    (`openai:gpt-4o` -> gpt, `vllm:Qwen/Qwen3-8B` -> qwen).

    Args:
        told: `provider:model` -> family, as configurations state it.
    """
    if told and told.get(model):
        return told[model].strip().lower()
    last = model.rsplit(":", 1)[-1] if model.count(":") < 2 else model.split(":")[1]
    letters = re.match(r"[a-z]+", last.rsplit("/", 1)[-1].lower())
    return letters.group() if letters else last.lower()


class Prices(Section):
    """Money per million tokens. A price that is not given makes the cost unknown, never zero."""

    input: float = Field(ge=0, description="per million input tokens")
    output: float = Field(ge=0, description="per million output tokens")
    cached_input: float | None = Field(
        None,
        ge=0,
        description="per million input tokens that the provider read from its cache (unset: as `input`)",
    )
    batch: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of these prices that a call by the batch API costs, e.g. 0.5 (unset: its cost is unknown)",
    )
    currency: str = Field("USD", description="of all prices")
    as_of: str = Field("", description="date or version of the price list, kept with the run")

    def cost(
        self, input_tokens: float, output_tokens: float, *, cached: int = 0, batch: bool = False
    ) -> float | None:
        """What so many tokens cost; None where the price of a call by the batch API is not known.

        Args:
            cached: those of the input tokens that the provider read from its cache.
            batch: the call goes through the batch API.
        """
        share = self.batch if batch else 1.0
        if share is None:
            return None
        read = self.input if self.cached_input is None else self.cached_input
        whole = (input_tokens - cached) * self.input + cached * read + output_tokens * self.output
        return share * whole / 1e6


DELIVERY = (
    "requests_per_minute",
    "tokens_per_minute",
    "hedge",
    "fallback",
    "batch",
    "batch_pause",
    "batch_stop",
)
"""Keys of a model that say how its server is reached, not what it is asked: they are those of the session."""


class ModelConfig(Section):
    """One chat model. `[models.default]` serves every role that names no other. Where models are named and a role
    has none, nothing runs; where none is named at all, the small built-in one acts, and is told by name."""

    model: str = Field(
        BUILTIN,
        description="provider:model, e.g. openai:gpt-5-mini, gguf:/path/model.gguf, scripted:rules.json",
    )
    base_url: str | None = Field(
        None, description="any OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1"
    )
    api_key_env: VariableName | None = Field(None, description="environment variable that holds the key")
    temperature: float = Field(0.7, ge=0, le=2, description="where a role names none of its own")
    top_p: float | None = Field(None, gt=0, le=1, description="nucleus sampling")
    max_tokens: int = Field(512, ge=1, description="room for an answer")
    context: int | None = Field(
        None, ge=256, description="context window in tokens, if the provider does not tell"
    )
    logprobs: bool | None = Field(
        None, description="does the model give logprobs? (unset: known by provider)"
    )
    json_schema: bool | None = Field(
        None, description="does the server enforce a JSON schema? (unset: by provider)"
    )
    timeout: float = Field(120.0, gt=0, description="seconds for one call")
    retries: int = Field(
        4,
        ge=0,
        le=20,
        description="further tries after 429, 5xx, connection and read timeouts; of a batch, how often a request that "
        "failed or expired in it goes up again",
    )
    concurrency: int = Field(0, ge=0, le=4096, description="calls in flight (0: what suits the provider)")
    requests_per_minute: int | None = Field(
        None, ge=1, description="requests a minute at most (unset: as the server's headers tell)"
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="tokens a minute at most, prompts and answers (unset: as the headers tell)"
    )
    hedge: bool = Field(
        False,
        description="a call that takes much longer than others of its kind is sent a second time, and the first answer "
        "counts; both may be paid for",
    )
    fallback: str = Field(
        "",
        description="a name in [models] that is asked where this one does not answer: another server of the same "
        "model, or another model, whose answers are its own and suspend the certificate",
    )
    batch: bool = Field(
        False,
        description="its calls go through the provider's batch API, many in one file: cheaper, and answered within "
        "hours (providers openai: and those that speak like it)",
    )
    batch_pause: float = Field(
        5.0, gt=0, description="seconds without a further call after which the gathered ones go up as a batch"
    )
    batch_stop: Literal["leave", "cancel"] = Field(
        "leave",
        description="what becomes of a batch when the run is stopped; leave: it goes on, and `solon resume` takes its "
        "answers; cancel: it is cancelled, and what is answered by then is taken",
    )
    price: Prices | None = Field(None, description="what its calls cost; unset: unknown")
    family: str = Field(
        "", description="for the rule that a judge does not judge its own (empty: by the name)"
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="further arguments for the provider's class"
    )

    @field_validator("model")
    @classmethod
    def _has_provider(cls, value: str) -> str:
        if ":" not in value:
            raise ValueError(f"{value!r} names no provider; write provider:model, e.g. openai:{value}")
        return value

    @model_validator(mode="after")
    def _can_batch(self) -> ModelConfig:
        if self.batch and self.provider != "openai":
            raise ValueError(
                f"batch = true is for models of openai: (OpenAI's batch API, or one like it), and {self.model} is none"
            )
        if self.batch and self.hedge:
            raise ValueError(
                "batch = true and hedge = true cannot go together: a batch takes hours; take one out"
            )
        return self

    def made(self) -> dict[str, Any]:
        """What it is asked as plain values: without how its server is reached in time, so that a change of that changes
        neither run nor panel, and without prices that are not given."""
        plain = self.model_dump(mode="json", exclude={*DELIVERY})
        if self.price is not None:
            plain["price"] = self.price.model_dump(mode="json", exclude_none=True)
        return plain

    @property
    def provider(self) -> str:
        """The part of `model` before the colon, e.g. openai."""
        return self.model.split(":", 1)[0]

    @property
    def name(self) -> str:
        """The part of `model` after the first colon, as the provider knows it."""
        return self.model.split(":", 1)[1]


class GeneratorConfig(Section):
    """Who drafts: one draft per entry of temperatures x personas x models, until n are planned."""

    models: tuple[str, ...] = Field(("default",), description="names in [models], taken in turn")
    n: int = Field(
        2, ge=1, le=16, description="candidates per item; 1 where a draft is paired with its revision"
    )
    temperatures: tuple[Annotated[float, Field(ge=0, le=2)], ...] = Field(
        (0.7, 1.0), description="taken in turn, so that candidates differ"
    )
    personas: tuple[str, ...] = Field(("",), description="points of view, taken in turn; empty: none")
    python: tuple[str, ...] = Field(
        (), description="generators of your own, module:function, after the models"
    )
    max_tokens: int | None = Field(None, ge=1, description="room for a draft (unset: that of the model)")
    revise: bool = Field(True, description="revise candidates after the critique")

    @field_validator("python", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("temperatures", "personas")
    @classmethod
    def _not_empty(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise ValueError("needs at least one entry")
        return value

    @model_validator(mode="after")
    def _has_author(self) -> GeneratorConfig:
        if not self.models and not self.python:
            raise ValueError("models needs at least one entry, unless python has one")
        return self


class CriticConfig(Section):
    """Who holds each candidate against the constitution."""

    model: str = Field("default", description="a name in [models]")
    python: str | None = Field(
        None, description="a critic of your own in place of the model: module:function"
    )
    max_tokens: int = Field(400, ge=16, description="room for the findings on one candidate")
    grounded: bool = Field(
        False,
        description="an answer to a request with an input is held against that, too: what the input does not say, and "
        "quotations that do not stand in it",
    )


class JudgeConfig(Section):
    """One seat of the panel; it sees every pair in both orders."""

    model: str = Field("default", description="a name in [models]")
    python: str | None = Field(None, description="a judge of your own in place of the model: module:function")
    persona: str = Field("", description="a point of view, e.g. 'a strict fact checker'")
    temperature: float = Field(0.0, ge=0, le=2, description="above 0 where samples shall differ")
    samples: int = Field(1, ge=1, le=32, description="samples per order (models without logprobs: 3 or more)")
    max_tokens: int = Field(256, ge=8, description="room for a verdict with its rationale")
    tier: int = Field(
        0,
        ge=0,
        le=9,
        description="cheap judges 0, dearer ones 1, 2, ...: asked where the tier before is not sure",
    )


def check_regex(pattern: str, name: str) -> None:
    """Check that a regular expression can be read.

    Args:
        name: what it is called in the error.

    Raises:
        ValueError: naming it, and what is wrong with it.
    """
    import regex

    try:
        regex.compile(pattern, flags=regex.IGNORECASE)
    except regex.error as error:
        raise ValueError(f"{name} cannot be read: {error}") from None


def check_keywords(words: tuple[str, ...]) -> tuple[str, ...]:
    """The keywords, each of which says something.

    Raises:
        ValueError: one is empty.
    """
    if any(not word.strip() for word in words):
        raise ValueError("an empty keyword is found in every text")
    return words


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Keywords = Annotated[tuple[str, ...], BeforeValidator(_one_or_more), AfterValidator(check_keywords)]
"""Words or phrases; one alone needs no list."""


class RuleConfig(Section):
    """A voter beside the seats: it votes for one outcome where a text matches it, and is silent elsewhere."""

    name: str = Field(pattern=r"^\w[\w.-]{0,59}$", description="its name as a voter")
    label: str = Field("", description="the outcome that it votes for; a function may name one itself")
    regex: str | None = Field(
        None, description="matches where this is found in the text, in upper or lower case"
    )
    keywords: Keywords = Field((), description="matches where one of these words or phrases stands in it")
    python: str | None = Field(None, description="matches where this @judge says so: module:function")
    prompt: str | None = Field(None, description="matches where a model says yes to this question about it")
    model: str = Field("default", description="who is asked the `prompt`: a name in [models]")
    tier: int = Field(0, ge=0, le=9, description="as of a judge")

    @model_validator(mode="after")
    def _matches_in_one_way(self) -> RuleConfig:
        ways = [way for way in ("regex", "keywords", "python", "prompt") if getattr(self, way)]
        if len(ways) != 1:
            told = " and ".join(ways) or "nothing to match by"
            raise ValueError(
                f"the rule {self.name!r} has {told}; write one of regex, keywords, python, prompt"
            )
        if not self.label and not self.python:
            raise ValueError(f"the rule {self.name!r} names no label to vote for")
        if self.regex:
            check_regex(self.regex, f"the regex of the rule {self.name!r}")
        return self


class ClassifierConfig(Section):
    """A voter beside the seats that learns from decisions which outcome a text gets."""

    enabled: bool = Field(
        False, description="it votes, from the first consensus version that it was trained for"
    )
    features: Literal["meaning", "words"] = Field(
        "words", description="what it sees of a text: its words, or its meaning (extra: embeddings)"
    )
    tier: int = Field(0, ge=0, le=9, description="as of a judge")


class ResolverConfig(Section):
    """Who hears both sides of a split panel and must cite the rule that settles it, or hand over."""

    model: str = Field("default", description="a name in [models]")
    enabled: bool = Field(True, description="without a resolver, a split panel goes to an expert")
    scope: Literal["pairs", "all"] = Field(
        "pairs",
        description="pairs: it hears split panels on pairs; all: those on single answers and labels, too",
    )
    max_tokens: int = Field(320, ge=16, description="room for its answer")


class RoutingConfig(Section):
    """When an item goes to an expert."""

    policy: Literal["always", "never", "disagreement", "threshold", "pilot", "certified", "budget"] = Field(
        "pilot",
        description="pilot: a random sample to experts first, then what the certificate allows; certified: the same, "
        "and until there is a certificate everything else waits for experts too",
    )
    threshold: float = Field(
        0.2, ge=0, le=1, description="while no certificate is in force: margins under this are not confident"
    )
    pilot: int | None = Field(
        None,
        ge=1,
        description="items of the random pilot sample, which teaches and certifies; as it comes 12 / alpha: 120 at "
        ".10, 60 at .20; `solon plan` and `solon eval power` say what can be expected of it",
    )
    pilot_share: float = Field(0.25, gt=0, le=1, description="the pilot takes at most this share of a run")
    probes: int | None = Field(
        None,
        ge=1,
        description="random probes that bring a certificate back after a change, by `solon learn --carry`; as it comes "
        "as many as leave room for two slips: 61 at .10, 30 at .20",
    )
    strata: str = Field(
        "",
        max_length=60,
        description="field of the seeds each part of which gets a promise of its own beside the one over all, where it "
        "has enough items: specialty, lang, source, licence, or another column of theirs; empty: none",
    )
    alpha: float = Field(
        0.1, gt=0, lt=0.5, description="accepted records disagree with experts at most so often"
    )
    delta: float = Field(0.1, gt=0, lt=0.5, description="risk that a certificate's promise is wrong")
    target: str = Field(
        "single",
        pattern=r"^(single|adjudicated|majority\([3579]\))$",
        description="with whom accepted records agree: a single expert, experts after adjudication, or majority(K) of "
        "K: 3, 5, 7 or 9",
    )
    audit_share: float = Field(
        0.03, ge=0, le=0.5, description="share of accepted items that experts check blind"
    )
    budget: int = Field(50, ge=1, description="policy budget: reviews that a run may open")
    budget_minutes: float | None = Field(
        None, gt=0, description="policy budget: minutes of experts' time instead of a number of reviews"
    )
    rounds: int = Field(
        1,
        ge=1,
        le=1000,
        description="policy budget: spent in so many rounds; after each the panel learns and chooses again",
    )
    stops: bool = Field(
        False,
        description="policy budget, in rounds: no further round where a question of the next one would put less than "
        "0.02 records right, see `solon learn --status`",
    )
    acquisition: Literal["value", "uncertainty", "margin", "entropy", "committee", "core-set"] = Field(
        "value",
        description="policy budget: what is asked first; value: records put right per minute; uncertainty, margin, "
        "entropy: what the consensus is unsure of; committee: where voters differ; core-set: what is unlike all that "
        "was asked",
    )
    injection: Literal["review", "note", "off"] = Field(
        "review",
        description="requests and answers with words that give orders to models; review: such an item goes to a person "
        "(under the policy never it is noted alone); note: it is said where a person is asked anyway, or with how the "
        "item ended; off: nothing is looked for",
    )
    review_seconds: float = Field(
        60.0, gt=0, description="what a review of ordinary length takes, until answers show it"
    )
    explore: float = Field(
        0.2, ge=0, le=1, description="policy budget: share drawn at random, so that a certificate is possible"
    )
    diversity: float = Field(
        0.3,
        ge=0,
        le=1,
        description="policy budget: value an item loses at most for being like one already asked (extra: embeddings)",
    )
    max_redrafts: int = Field(1, ge=0, le=5, description="new rounds where every candidate is poor")
    max_reviews_per_item: int = Field(4, ge=1, le=20, description="then an item is rejected")
    admit: float = Field(
        0.8,
        ge=0.5,
        lt=1,
        description="lower 95 % bounds of its rates from which `solon judges` admits a judge",
    )
    own_family: bool = Field(
        False, description="judges may judge answers of their own model family: nothing is said about it"
    )

    @model_validator(mode="after")
    def _has_a_sample(self) -> RoutingConfig:
        if self.policy == "budget" and self.target != "single":
            raise ValueError(f"target {self.target} needs a pilot; under policy budget it can only be single")
        if self.stops and not self.in_rounds:
            raise ValueError("stops = true ends rounds of a budget, and there is one round or no budget")
        if self.policy != "budget" and (self.rounds > 1 or self.acquisition != "value"):
            raise ValueError(f"rounds and acquisition spend a budget, and policy {self.policy} has none")
        if self.strata and not self.draws_pilot:
            raise ValueError(f"strata are promised by a pilot, and policy {self.policy} has none")
        if self.rounds > self.review_budget:
            raise ValueError(f"{self.rounds} rounds cannot be made of {self.review_budget} reviews")
        return self

    @property
    def pilot_size(self) -> int:
        """Items of the pilot, where the run has enough of them."""
        return self.pilot or round(12.0 / self.alpha)

    def pilot_of(self, items: int) -> int:
        """Items of the pilot of a run of so many."""
        return min(self.pilot_size, max(1, int(items * self.pilot_share)))

    @property
    def draws_pilot(self) -> bool:
        """Whether a random sample of the items, the pilot, goes to experts first."""
        return self.policy in ("pilot", "certified")

    @property
    def measures(self) -> bool:
        """Whether questions are drawn at random to measure the panel: a pilot, or audits of what no person decided."""
        return self.draws_pilot or (self.audit_share > 0 and self.policy != "always")

    @property
    def in_rounds(self) -> bool:
        """Whether a budget is spent in several rounds."""
        return self.policy == "budget" and self.rounds > 1

    def spent_part(self, reviews: int, minutes: float) -> float:
        """Which part of the budget so many reviews, of so many minutes in all, have used up."""
        return reviews / self.budget if self.budget_minutes is None else minutes / self.budget_minutes

    def round_of(self, reviews: int, minutes: float) -> int:
        """The round of the budget, from 1, in which so many reviews, of so many minutes in all, were opened; 0 before
        the first."""
        if not reviews:
            return 0
        ends = range(1, self.rounds + 1)
        if self.budget_minutes is not None:
            total = self.budget_minutes
            return next((turn for turn in ends if total * turn / self.rounds >= minutes - 1e-9), self.rounds)
        return next(
            (turn for turn in ends if round(self.budget * turn / self.rounds) >= reviews), self.rounds
        )

    @property
    def review_budget(self) -> int:
        """How many reviews of ordinary length the budget policy may open in a run."""
        if self.budget_minutes is None:
            return self.budget
        return int(self.budget_minutes * 60 / self.review_seconds)


class ConsensusConfig(Section):
    """How judges come to their verdicts, and what is gone by besides them, as far as decisions bear it out."""

    debate: bool = Field(
        False,
        description="judges who disagree see reasons of both sides once, without names, and vote again; the first "
        "votes are kept and count no more",
    )
    stop: Literal["off", "settled"] = Field(
        "off",
        description="settled: judges are asked in turns, and no more of them once no missing vote can change what the "
        "panel ends the item with; of the pilot, of audits and where a person decides all are asked",
    )
    segment: str = Field(
        "",
        max_length=60,
        description="field of the seeds in whose parts the panel may be right unequally often: specialty, lang, "
        "source, licence, or another column of theirs; empty: none",
    )
    texts: bool = Field(
        True,
        description="from 20 decisions on pairs on: how two texts differ in length, lines, words and overlap with the "
        "request counts, as far as it foretells what experts prefer",
    )


class ReviewersConfig(Section):
    """Whose decision is final, and how many answers of others it takes. May be changed at any time."""

    proven_roles: tuple[Literal["worker", "expert", "lead", "admin"], ...] = Field(
        ("expert", "lead", "admin"),
        description="roles whose decision is final from the first day; others' answers are votes",
    )
    settles: float = Field(
        0.9, gt=0.5, lt=1, description="panel and votes together settle an item from this probability on"
    )
    most_votes: int = Field(5, ge=1, le=50, description="votes on an item, then it goes to a lead")
    wanted: float = Field(
        0.8, ge=0.5, lt=1, description="share of golden questions that a person shall answer rightly"
    )


class PreferenceConfig(Section):
    """The recipes `preference` and `preference-expert`."""

    pairing: Literal["best-second", "best-worst", "sweet", "draft-revision", "revision-draft", "contrast"] = (
        Field(
            "best-second",
            description="which two candidates become a pair: best-second, best-worst or sweet by their scores; "
            "draft-revision: a draft and its revision; revision-draft: a draft's last revision, made to be better, and "
            "the draft; contrast: the first drafted, made to be better, and the last",
        )
    )
    turns: int = Field(
        1,
        ge=1,
        le=16,
        description="of revision-draft: critiques of a draft at most, each followed by a revision, until one finds "
        "nothing",
    )
    principles: int = Field(
        0,
        ge=0,
        le=60,
        description="of revision-draft: so many principles of the constitution are drawn for each critique; 0: all "
        "count",
    )
    edits: bool = Field(
        False,
        description="of revision-draft: a revision replaces only the words that the critic quoted, each by a call of "
        "its own",
    )
    questions: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], ...] = Field(
        (),
        max_length=4,
        description="of preference-expert: the names of the questions by each of which people rank the answers, e.g. "
        "helpful, safe; empty: one question without a name, which answer is better",
    )

    @field_validator("questions")
    @classmethod
    def _asked_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a question stands there twice")
        return value

    @model_validator(mode="after")
    def _revises(self) -> PreferenceConfig:
        for name in ("turns", "principles", "edits"):
            value = getattr(self, name)
            if value != type(self).model_fields[name].default and self.pairing != "revision-draft":
                raise ValueError(
                    f'{name} = {value} is of pairing = "revision-draft", and this is {self.pairing!r}'
                )
        return self


class InstructionConfig(Section):
    """The `instruction` recipe."""

    similarity: float = Field(
        0.7, gt=0, le=1, description="Jaccard similarity from which an instruction is a duplicate"
    )
    accept_score: float = Field(3.5, ge=1, le=5, description="mean rubric score from which it is good")
    max_tokens: int = Field(256, ge=16, description="room for an instruction")


class DocumentsConfig(Section):
    """The recipe `instruction-backtranslate`: passages of documents, and what is written to them."""

    answer: Literal["passage", "rewritten", "quoted"] = Field(
        "passage",
        description="passage: the passage itself, to a request that is written for it; rewritten: what a second call "
        "makes of it; quoted: to a question about the passage, with quotations that stand in it",
    )
    size: int = Field(2000, ge=100, le=20_000, description="characters of a passage at most")
    overlap: int = Field(
        0,
        ge=0,
        description="characters at the end of a passage that the next one repeats, in whole sentences",
    )

    @model_validator(mode="after")
    def _goes_on(self) -> DocumentsConfig:
        if self.overlap * 2 > self.size:
            raise ValueError(f"overlap = {self.overlap} is more than half of size = {self.size}")
        return self


class DialogueConfig(Section):
    """The recipe `instruction-dialogue`: a model plays the user, and answers."""

    turns: int = Field(
        3,
        ge=1,
        le=20,
        description="answers of the assistant at most; the user may have no further question before that",
    )
    personas: str = Field(
        "",
        description="a file with a person on each line, as text or as JSON with a field persona: whom the model plays; "
        "one is drawn for each item; empty: nobody in particular",
    )


MOST_LABELS = 60
"""Labels that a person can be asked to choose from."""


class LabelConfig(Section):
    """The `label` recipe: what people are asked. No model takes part."""

    labels: tuple[Annotated[str, Field(pattern=r"^\w[\w .+-]{0,59}$")], ...] = Field(
        (),
        description="the closed set, at most 60, e.g. clinical, legal, neither; `_` is shown as a space",
    )
    form: str = Field("", description="module:Model in its place, a form of your own: see Plug-ins")

    @field_validator("labels")
    @classmethod
    def _few(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST_LABELS:
            raise ValueError(
                f"there are {len(value)} labels, and nobody can choose among more than {MOST_LABELS} at once: ask for "
                "the group first, or for each label by itself"
            )
        return value


class SpansConfig(Section):
    """The recipe `label-spans`: what is marked in texts."""

    kinds: tuple[Annotated[str, Field(pattern=r"^\w[\w .+-]{0,59}$")], ...] = Field(
        (), max_length=MOST_LABELS, description="the closed set of kinds, e.g. person, product, place"
    )
    guide: dict[str, str] = Field(
        default_factory=dict, description="kind -> what it is, in a sentence that models are told"
    )
    overlap: bool = Field(False, description="two spans may share characters")
    readings: int = Field(
        3, ge=1, le=20, description="how often a text is read; the models of [generator] take turns"
    )
    support: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="a span stands in the proposal where more than this share of readings has it",
    )
    examples: int = Field(
        6, ge=0, le=100, description="similar texts that people decided on which a model is shown; 0: none"
    )

    @model_validator(mode="after")
    def _tell_of_kinds(self) -> SpansConfig:
        alike: dict[str, str] = {}
        for kind in self.kinds:
            if (first := alike.setdefault(" ".join(kind.split()).casefold(), kind)) != kind:
                raise ValueError(f"the kinds {first!r} and {kind!r} differ only in case or blanks")
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError("a kind stands there twice")
        if unknown := next((kind for kind in self.guide if kind not in self.kinds), ""):
            raise ValueError(f"guide tells of {unknown!r}, which is no kind of `kinds`")
        return self


FILTERS = {
    "length": ("min_words", "max_words", "min_chars", "max_chars"),
    "language": ("languages",),
    "keywords": ("keywords",),
    "regex": ("regex",),
    "benchmarks": ("benchmarks",),
    "perplexity": ("perplexity",),
    "duplicates": ("similarity",),
}
"""The filters with their keys, in the order in which they look at a text: the first that drops it is the reason."""


FILTERED = tuple(f"{side}_{name}" for side in ("request", "answer") for name in FILTERS)
"""What a dropped text is kept as: which filter dropped it."""


class TextFilters(Section):
    """Which texts are dropped. What no key limits passes."""

    min_words: int = Field(0, ge=0, description="filter length: shorter texts are dropped")
    max_words: int | None = Field(None, ge=1, description="filter length: longer texts are dropped")
    min_chars: int = Field(0, ge=0, description="the same in characters, as for scripts without spaces")
    max_chars: int | None = Field(None, ge=1, description="the same in characters")
    languages: tuple[str, ...] = Field(
        (),
        description="filter language: codes such as en; texts that read as another language are dropped, those whose "
        "language cannot be told pass",
    )
    keywords: Keywords = Field(
        (), description="filter keywords: texts in which one of these words or phrases stands are dropped"
    )
    regex: str | None = Field(
        None, description="filter regex: texts in which this is found, in upper or lower case, are dropped"
    )
    benchmarks: tuple[str, ...] = Field(
        (),
        description="filter benchmarks: files (text, JSON lines, CSV); what holds half or more of one of their texts, "
        "word by word, is dropped",
    )
    perplexity: float | None = Field(
        None,
        gt=1,
        description="filter perplexity: texts that are more surprising than this to the built-in model are dropped; it "
        "reads their first 128 tokens",
    )
    similarity: float | None = Field(
        None,
        gt=0,
        le=1,
        description="filter duplicates: Jaccard similarity of word trigrams from which a text repeats that of another "
        "item, and is dropped",
    )
    within: Literal["run", "store"] = Field(
        "run",
        description="whose texts a text may not repeat: those of the run, or of all runs of the recipe, rejected and "
        "failed items excepted",
    )

    @model_validator(mode="after")
    def _can_pass(self) -> TextFilters:
        for unit in ("words", "chars"):
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if most is not None and most < least:
                raise ValueError(f"min_{unit} = {least} is more than max_{unit} = {most}: no text would pass")
        if self.regex:
            check_regex(self.regex, "the regex")
        return self


class FiltersConfig(Section):
    """Which texts are dropped before a critic, a judge or a person sees them; an item that is left without candidates
    is rejected, with the filters as the reason."""

    request: TextFilters | None = Field(
        None, description="of requests: those of seeds, or those that are drafted where a recipe drafts them"
    )
    answer: TextFilters | None = Field(
        None, description="of answers, drafted and given ones, and of texts that get a label"
    )

    def names(self) -> tuple[str, ...]:
        """The filters that look at any texts, such as `answer_length`, in the order in which they look."""
        return tuple(
            f"{side}_{name}"
            for side, limits in (("request", self.request), ("answer", self.answer))
            for name, keys in FILTERS.items()
            if any(getattr(limits, key, None) for key in keys)
        )


class LawConfig(Section):
    """Which constitution and rubric are in force when the store has none yet, and who may change them."""

    constitution: str = Field("general", description="a starter's name or the path of a YAML file")
    rubric: str = Field("general", description="a starter's name or the path of a YAML file")
    seed_rubrics: Literal["off", "given", "drafted"] = Field(
        "off",
        description="given: where a seed has a column rubric, judges of answers to it go by these criteria in place of "
        "the rubric; drafted: where it has none, a model drafts one too, which an expert corrects before the judging",
    )
    similarity: Literal["words", "meaning"] = Field(
        "words",
        description="how precedents are found; meaning: by the small built-in embedding model too (extra: embeddings)",
    )
    quorum: int = Field(
        2, ge=1, le=20, description="votes of leads that an amendment needs; fewer where fewer leads may vote"
    )


class SeedsConfig(Section):
    """How seed files are read."""

    map: dict[str, str] = Field(default_factory=dict, description="our column = column in the file")
    max_chars: int = Field(200_000, ge=100, description="longer rows are refused, never cut")
    split: str | None = Field(None, description="of a folder of Hugging Face datasets that has several")


def _is_path(path: str) -> str:
    if not re.fullmatch(r"[^.\[\]]+(\.[^.\[\]]+|\[(\*|-?\d+)\])*", path) or path.count("[*]") > 1:
        raise ValueError(
            f"{path!r} is no path; write e.g. answer, data.answer, turns[-1] or completions[*].response"
        )
    return path


Path = Annotated[str, AfterValidator(_is_path)]
"""Where a value stands in a row: keys with dots between them, `[0]` or `[-1]` of a list, `[*]` each of a list."""

Paths = Annotated[
    tuple[Path, ...], BeforeValidator(lambda paths: (paths,) if isinstance(paths, str) else paths)
]
"""One path or several."""


class ImportMap(Section):
    """Where the parts of a row stand in a file that `solon import map` reads, as paths: `completions[*].response`. A
    path alone needs no list."""

    prompt: Paths = Field((), description="the request, in parts; none: the columns with usual names")
    system: Path | None = Field(None, description="the system prompt; none: the column with a usual name")
    history: Path | None = Field(None, description="earlier turns; none: the column with a usual name")
    reference: Path | None = Field(None, description="a good answer; none: the column with a usual name")
    answers: Paths = Field((), description="the answers: one path with `[*]`, or a path for each")
    chosen: Path | None = Field(None, description="in place of `answers`: the better one of two")
    rejected: Path | None = Field(None, description="the worse one of two")
    models: Paths = Field((), description="who wrote each answer, as `answers` are written")
    scores: Paths = Field((), description="score of each answer, as `answers` are written; higher is better")
    ranks: Paths = Field((), description="rank of each answer, as `answers` are written; lower is better")
    winner: Paths = Field(
        (), description="names the better answer; or a flag for each answer, then one for a tie"
    )
    index: Path | None = Field(None, description="number of the better answer")
    index_from: Literal[0, 1] = Field(0, description="number of the first answer")
    strength: Path | None = Field(None, description="below 0: the first is better, above 0: the second")
    label: Path | None = Field(
        None, description="whether the one answer is good: true or false, 1 or 0, yes or no"
    )
    accept_from: float | None = Field(None, description="score from which the one answer is accepted")
    values: dict[str, Literal["first", "second", "tie", "both_bad"]] = Field(
        default_factory=dict, description="what `winner` says = what it means, where that is not plain"
    )
    tree: Path | None = Field(
        None,
        description="in place of all else: the root of a tree of messages with text, role, replies and rank",
    )

    @model_validator(mode="after")
    def _has_answers(self) -> ImportMap:
        ways = [bool(self.answers), bool(self.chosen or self.rejected), bool(self.tree)]
        if sum(ways) != 1 or bool(self.chosen) != bool(self.rejected):
            raise ValueError("map needs `answers`, or `chosen` and `rejected`, or `tree`")
        return self

    @property
    def sides(self) -> tuple[str, ...]:
        """The paths of the answers, the better one first where `chosen` and `rejected` are named."""
        return (self.chosen, self.rejected) if self.chosen and self.rejected else self.answers


class ImportConfig(Section):
    """How sets of others are read by `solon import`."""

    map: ImportMap | None = Field(
        None,
        description="layout that `solon import map` reads",
    )
    thumbs: tuple[str, ...] = Field(
        (), description="names of the scores of a trace that are thumbs up or down; none: the usual names"
    )


class LimitsConfig(Section):
    """Where a run stops cleanly: over all its sessions, whichever processes work on it."""

    cost: float | None = Field(None, gt=0, description="money; needs the price of every model")
    tokens: int | None = Field(None, gt=0, description="input and output together")
    calls: int | None = Field(None, gt=0, description="requests to models, tries that failed too")
    time: Duration = Field("", description="time of work, e.g. 8h; outages that are waited for count")

    @property
    def any(self) -> bool:
        """Whether there is any limit at all on what is spent."""
        return (self.cost, self.tokens, self.calls) != (None, None, None)

    @property
    def seconds(self) -> float | None:
        """The limit on time in seconds; None without one."""
        return seconds_of(self.time) or None


class RunConfig(Section):
    """How many items are worked on at once, and how long an outage is waited for."""

    concurrency: int = Field(0, ge=0, le=4096, description="items in flight (0: what suits the models)")
    patience: Duration = Field(
        "30m",
        description="how long a run waits for a server that has answered and stops answering, e.g. 30m or 2h; 0: it "
        "stops",
    )
    seed: int = Field(0, ge=0, description="root of all randomness of a run")


class PrivacyConfig(Section):
    """Where texts may go."""

    class_: Literal["synthetic", "deidentified", "personal"] = Field(
        "synthetic",
        alias="class",
        description="what the seeds are; other than synthetic: scanned before the first call; personal: calls go to "
        "allowed hosts only",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (), description="hosts of model servers, HOST or HOST:PORT; loopback always is"
    )
    scanner: str | None = Field(
        None, description="a scanner of your own beside the built-in patterns: module:function"
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def guarded(self) -> bool:
        """Whether the seeds may name people: then they are scanned, and errors repeat no words of theirs."""
        return self.class_ != "synthetic"

    @property
    def chosen(self) -> bool:
        """Did somebody choose the class, be it the default's?"""
        return "class_" in self.model_fields_set


class PlanConfig(Section):
    """What `solon plan` takes the seeds and people for, where `--seeds` and experts do not say it."""

    specialties: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="specialty = share of the seeds; shares are made to sum to one"
    )
    languages: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="language = share of the seeds, the same in every specialty"
    )
    experts: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="specialty = how many of the experts answer only that"
    )


class GateConfig(Section):
    """Bounds that `solon gate` holds the data to. One that is not set is not looked at."""

    agreement: float | None = Field(
        None, gt=0, le=1, description="least agreement of panel and experts, as the report begins with it"
    )
    certificate: bool = Field(
        False,
        description="a certificate has to be in force for the newest run of each recipe that a panel judges",
    )
    judge: float | None = Field(
        None, gt=0, le=1, description="least share of the experts' preferences that every judge shares"
    )
    contamination: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="most records that hold half or more of a text of a benchmark, as a share",
    )
    duplicates: float | None = Field(
        None, ge=0, lt=1, description="most records whose request nearly repeats another's, as a share"
    )
    benchmarks: tuple[str, ...] = Field(
        (), description="files that `contamination` compares with: text, JSON lines or CSV"
    )
    by: Literal["figure", "interval"] = Field(
        "figure",
        description="what agreement and judges are held to: the figure, or the lower end of its 95 % interval",
    )

    @property
    def in_use(self) -> tuple[str, ...]:
        """The bounds that are set, by their keys."""
        names = ("agreement", "judge", "contamination", "duplicates")
        shares = tuple(name for name in names if getattr(self, name) is not None)
        return (*(("certificate",) if self.certificate else ()), *shares)


class TracingConfig(Section):
    """OpenTelemetry spans of items, nodes and model calls (needs `solon[tracing]`)."""

    enabled: bool = Field(False, description="send spans to where OTEL_EXPORTER_OTLP_ENDPOINT says")
    capture_content: bool = Field(False, description="put prompts and answers into the spans, too")
