"""The configuration of a project: `solon.toml`, the `SOLON_` variables that override it, and defaults that work.

Every key is declared here, with its bounds and its meaning; unknown keys are refused. Secrets never stand in the
file: a model names the environment variable that holds its key. Imports nothing of Solon but `errors`,
and its own `sections`, `review` and `layers`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator, model_validator

from solon.config.layers import line_of_key, read_layers, without_secrets
from solon.config.review import MailConfig, ReviewConfig, SsoConfig
from solon.config.sections import (
    BUILTIN,
    ClassifierConfig,
    ConsensusConfig,
    CriticConfig,
    DialogueConfig,
    DocumentsConfig,
    FiltersConfig,
    GateConfig,
    GeneratorConfig,
    ImportConfig,
    InstructionConfig,
    JudgeConfig,
    LabelConfig,
    LawConfig,
    LimitsConfig,
    ModelConfig,
    PlanConfig,
    PreferenceConfig,
    PrivacyConfig,
    ResolverConfig,
    ReviewersConfig,
    RoutingConfig,
    RuleConfig,
    RunConfig,
    Section,
    SeedsConfig,
    SpansConfig,
    TracingConfig,
    family_of,
)
from solon.errors import ConfigError

DEFAULT_FILE = "solon.toml"
DEFAULT_STORE = "sqlite:///solon.db"
BUILTIN_NOTE = "built-in model SmolLM2-135M: writes poor text"
NOT_SHAPING = ("store", "import", "limits", "reviewers", "tracing", "privacy", "plan", "prompts_dir")
"""Keys that do not change what a run makes of a seed: where they are changed, the same run goes on."""


PILOT_ONCE = 70
"""The pilot as it came before it followed from `alpha`: a run that was begun with it is the same run."""
NEWER = ("preference", "rules", "classifier", "consensus", "spans", "documents", "dialogue", "filters")
"""Sections that runs were begun without in earlier versions: as they come they change nothing, and are not stored."""
NEWER_KEYS = (
    ("critic", "grounded"),
    ("resolver", "scope"),
    ("law", "seed_rubrics"),
    ("consensus", "debate"),
    ("consensus", "stop"),
    ("routing", "stops"),
    ("routing", "injection"),
    *(("filters", side, key) for side in ("request", "answer") for key in ("benchmarks", "within")),
)
"""Keys of older sections of which the same is true."""
ROLES = frozenset({"generator", "critic", "judge", "resolver"})
"""Roles that models play; a recipe has those of its steps."""


def _default_judges() -> tuple[JudgeConfig, ...]:
    return (
        JudgeConfig(persona="a careful expert in the subject who checks every claim"),
        JudgeConfig(persona="the person who asked, who wants a direct and usable answer"),
    )


class Config(Section):
    """A whole project's configuration.

    Attributes:
        store: address of the store, `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`.
        prompts_dir: folder with templates of one's own; None where the built-in ones serve.
        models: chat models by the names under which the roles ask them.
        generator: who drafts candidates.
        critic: who holds each candidate against the constitution.
        judges: the seats of the panel, in order.
        rules: voters beside them that look for words or patterns in a text, or ask one question about it.
        classifier: a voter beside them that learns from decisions.
        resolver: who hears both sides of a split panel.
        routing: when an item goes to an expert.
        consensus: what is gone by besides verdicts.
        reviewers: whose decision is final, and how many votes of others it takes.
        preference: the `preference` recipe.
        instruction: the `instruction` recipe.
        label: the `label` recipe.
        spans: the `label-spans` recipe.
        documents: the `instruction-backtranslate` recipe.
        dialogue: the `instruction-dialogue` recipe.
        filters: which texts are dropped before anything is judged.
        law: the constitution and rubric to begin with, and who may change them.
        seeds: how seed files are read.
        import_: how sets of others are read (`import` in the file).
        limits: the cost, tokens and calls at which a run stops.
        run: how many items are worked on at once, and the root of all randomness.
        privacy: what the seeds are, and where texts may go.
        plan: what `solon plan` takes seeds and people for.
        gate: bounds that `solon gate` holds the data to.
        tracing: OpenTelemetry spans.
        review: how experts are asked.
        mail: how digests are sent.
        sso: single sign-on.
        recipes: recipes from outside by name: `use = "module:OBJECT"`, and the recipe's own settings.
        plugins: `module:function` (or the name of a recipe from outside) -> what it was when its run began; filled in
            by Solon.
    """

    store: str = Field(DEFAULT_STORE, description="sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    prompts_dir: str | None = Field(
        None, description="folder with templates of your own, laid over the built-in ones by name"
    )
    models: dict[str, ModelConfig] = Field(default_factory=lambda: {"default": ModelConfig()})
    generator: GeneratorConfig = GeneratorConfig()
    critic: CriticConfig = CriticConfig()
    judges: tuple[JudgeConfig, ...] = Field(default_factory=_default_judges)
    rules: tuple[RuleConfig, ...] = ()
    classifier: ClassifierConfig = ClassifierConfig()
    resolver: ResolverConfig = ResolverConfig()
    routing: RoutingConfig = RoutingConfig()
    consensus: ConsensusConfig = ConsensusConfig()
    reviewers: ReviewersConfig = ReviewersConfig()
    preference: PreferenceConfig = PreferenceConfig()
    instruction: InstructionConfig = InstructionConfig()
    label: LabelConfig = LabelConfig()
    spans: SpansConfig = SpansConfig()
    documents: DocumentsConfig = DocumentsConfig()
    dialogue: DialogueConfig = DialogueConfig()
    filters: FiltersConfig = FiltersConfig()
    recipes: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description='recipes from outside by name: use = "module:OBJECT" and their own keys',
    )
    law: LawConfig = LawConfig()
    seeds: SeedsConfig = SeedsConfig()
    import_: ImportConfig = Field(ImportConfig(), alias="import")
    limits: LimitsConfig = LimitsConfig()
    run: RunConfig = RunConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    plan: PlanConfig = PlanConfig()
    gate: GateConfig = GateConfig()
    tracing: TracingConfig = TracingConfig()
    review: ReviewConfig = ReviewConfig()
    mail: MailConfig = MailConfig()
    sso: SsoConfig = SsoConfig()
    plugins: dict[str, str] = Field(
        default_factory=dict,
        description="filled in by Solon: what each module:function was when its run began",
    )

    _source: str = PrivateAttr("the configuration")

    def place_of(self, *keys: str) -> str:
        """Where a key stands, for errors: its file and line as far as they are known, else `the configuration`."""
        return self._source + line_of_key(self._source, keys)

    @model_validator(mode="after")
    def _models_exist(self) -> Config:
        unnamed = [name for name, model in self.models.items() if "model" not in model.model_fields_set]
        if 0 < len(unnamed) < len(self.models):
            raise ValueError(
                f"models.{unnamed[0]} names no model, and others do; write model = 'provider:model' into it "
                f"({BUILTIN!r} for the built-in one)"
            )
        asked = [
            *self.asked(),
            *([("check", "review.check", self.review.check)] if self.review.check else []),
        ]
        missing = [(role, key, name) for role, key, name in asked if name not in self.models]
        if missing:
            told = "; ".join(f"the {role} has no model: {key} = {name!r}" for role, key, name in missing)
            known, name = ", ".join(sorted(self.models)), missing[0][2]
            raise ValueError(
                f"{told}; but [models] has only: {known}; add [models.{name}], or name one of these there"
            )
        return self

    @model_validator(mode="after")
    def _fallbacks_exist(self) -> Config:
        for name, model in self.models.items():
            if model.fallback and (model.fallback == name or model.fallback not in self.models):
                others = ", ".join(sorted(self.models.keys() - {name})) or "no other"
                raise ValueError(
                    f"models.{name}.fallback = {model.fallback!r} is no other name in [models], which has: {others}"
                )
        return self

    @model_validator(mode="after")
    def _has_voters(self) -> Config:
        if not self.judges and not self.has_voters_beside:
            raise ValueError("judges is empty, and there are no rules and no classifier: nobody votes")
        return self

    @field_validator("rules")
    @classmethod
    def _are_told_apart(cls, rules: tuple[RuleConfig, ...]) -> tuple[RuleConfig, ...]:
        names = [rule.name for rule in rules]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are named {twice!r}; each votes under a name of its own")
        return rules

    @model_validator(mode="after")
    def _tiers_follow_each_other(self) -> Config:
        used = sorted(set(self.tiers))
        if used != list(range(len(used))):
            told = ", ".join(map(str, used))
            gap = next(tier for tier in range(len(used)) if tier not in used)
            raise ValueError(
                f"voters have tier {told}, and none has tier {gap}; number them 0, 1, 2, ... without a gap"
            )
        if self.routing.strata and max(used):
            raise ValueError(
                "routing.strata needs voters of one tier: each tier of a cascade has a certificate of its own already"
            )
        return self

    @property
    def looks_for_orders(self) -> bool:
        """Whether texts are searched for words that give orders to models."""
        return self.routing.injection != "off"

    @property
    def informs_judges(self) -> bool:
        """Whether judges may be shown a rubric of a seed's own, or reasons of other judges."""
        return self.law.seed_rubrics != "off" or self.consensus.debate

    @property
    def has_voters_beside(self) -> bool:
        """Whether rules or a classifier vote beside the seats of the panel."""
        return bool(self.rules) or self.classifier.enabled

    @property
    def tiers(self) -> tuple[int, ...]:
        """The tier of every voter of the panel, by its place: the seats, the rules, then the classifier; all 0 where
        they are asked at once."""
        seats = (*self.judges, *self.rules, *((self.classifier,) if self.classifier.enabled else ()))
        return tuple(seat.tier for seat in seats)

    def asked(self, roles: Collection[str] = ROLES) -> Iterator[tuple[str, str, str]]:
        """Yield every role that asks a model: the role, the key that names its model, and that name in [models].

        Roles that are played by a function of one's own are left out.

        Args:
            roles: those that a recipe has.
        """
        if "generator" in roles:
            yield from (("generator", "generator.models", name) for name in self.generator.models)
        if self.resolver.enabled and "resolver" in roles:
            yield "resolver", "resolver.model", self.resolver.model
        if not self.critic.python and "critic" in roles:
            yield "critic", "critic.model", self.critic.model
        for seat, judge in enumerate(self.judges if "judge" in roles else ()):
            if not judge.python:
                yield f"judge {seat + 1}", f"judges[{seat}].model", judge.model
        for place, rule in enumerate(self.rules if "judge" in roles else ()):
            if rule.prompt:
                yield f"rule {rule.name}", f"rules[{place}].model", rule.model

    def models_in_use(self, roles: Collection[str] = ROLES) -> tuple[str, ...]:
        """Return the names in [models] that any of these roles asks, and those that stand in for them, each once."""
        asked = [name for _, _, name in self.asked(roles)]
        return tuple(dict.fromkeys(filter(None, [*asked, *(self.models[name].fallback for name in asked)])))

    def builtin_note(self, roles: Collection[str] = ROLES) -> str:
        """Return a sentence that says that the built-in model acts, and in which of these roles; empty where it does
        not."""
        acting = dict.fromkeys(
            role for role, _, name in self.asked(roles) if self.models[name].model == BUILTIN
        )
        return f"{BUILTIN_NOTE}; it is the {', '.join(acting)}" if acting else ""

    def notes(self, roles: Collection[str] = ROLES) -> tuple[str, ...]:
        """Return what plans and previews warn of: the built-in model acts in one of these roles, a model judges its own
        family, not every judge may be asked, or batches at a provider are waited for."""
        biased = [
            f"the judge {judge} is of the family that drafts ({', '.join(drafting)}): it may prefer its own"
            for judge, drafting in (self.own_judges() if {"generator", "judge"} <= {*roles} else {}).items()
        ]
        stops = self.consensus.stop != "off" and "judge" in roles
        saves = "judges are asked in turns: what that saves is in measured figures alone, assumed ones count all calls"
        batches = " and ".join(
            dict.fromkeys(name for _, _, name in self.asked(roles) if self.models[name].batch)
        )
        waits = (
            f"calls of {batches} wait for batches at the provider, each step of an item for another one, up to a day, "
            "which no figure counts"
        )
        return tuple(filter(None, [self.builtin_note(roles), *biased, saves * stops, waits * bool(batches)]))

    def own_judges(self) -> dict[str, tuple[str, ...]]:
        """Return models of judges -> drafting models of their family; empty where `routing.own_family` allows it."""
        families = {model.model: model.family for model in self.models.values()}
        drafting = [self.models[name].model for name in self.generator.models]
        judged_own = {}
        for judge in () if self.routing.own_family else self.judges:
            if judge.python:
                continue
            named = self.models[judge.model].model
            own = [one for one in drafting if family_of(one, families) == family_of(named, families)]
            if own:
                judged_own[named] = tuple(dict.fromkeys(own))
        return judged_own

    def effective(self) -> dict[str, Any]:
        """Return what shapes runs as plain values, as it is stored with a run: without gate, review, mail and single
        sign-on, without those of the `NEWER` sections and `NEWER_KEYS` that are as they come; of `preference` only the
        keys that are not, of models and `run` not how servers are reached and waited for.

        It never holds a secret.
        """
        left_out = {"gate", "review", "mail", "sso"} | {
            name for name in NEWER if getattr(self, name) == Config.model_fields[name].get_default()
        }
        plain = self.model_dump(mode="json", by_alias=True, exclude=left_out)
        if "preference" in plain:
            plain["preference"] = self.preference.model_dump(mode="json", exclude_defaults=True)
        for *path, key in NEWER_KEYS:
            section: Any = self
            held: Any = plain
            for name in path:
                section, held = getattr(section, name), (held or {}).get(name)
            if held and getattr(section, key) == type(section).model_fields[key].get_default():
                del held[key]
        del plain["run"]["patience"]
        if not self.import_.thumbs:
            del plain["import"]["thumbs"]
        plain["models"] = {name: model.made() for name, model in self.models.items()}
        return without_secrets(plain)

    def everything(self) -> dict[str, Any]:
        """Return the whole configuration as plain values: what `effective` returns, and all that it leaves out."""
        return without_secrets(self.model_dump(mode="json", by_alias=True))

    def panel_fingerprint(self, labels: Sequence[str] = (), *, readers: bool = False) -> str:
        """Return a hash of who judges what: seats, their models and the resolver, the recipe where it comes from
        outside, and the labels where it gives such. A certificate holds for one panel and one question only.

        Args:
            labels: that the panel gives.
            readers: the generator's models vote by the spans that they mark.
        """
        named = {judge.model for judge in self.judges if not judge.python} | {self.resolver.model}
        named |= {rule.model for rule in self.rules if rule.prompt}
        models = {
            name: {key: value for key, value in self.models[name].made().items() if key != "price"}
            for name in sorted(named & self.models.keys())  # a resolver that is not asked needs no model
        }
        judges = [_without_default_tier(judge.model_dump(mode="json")) for judge in self.judges]
        functions = [judge.python for judge in self.judges] + [rule.python for rule in self.rules]
        own = {name: self.plugins.get(name) for name in functions if name}
        panel = {
            "judges": judges,
            "functions": own,
            "models": models,
            "resolver": self.effective()["resolver"],
        }
        outside = {key: identity for key, identity in self.plugins.items() if key.startswith("recipe ")}
        panel |= {"recipe": outside} if outside else {}
        panel |= {"labels": list(labels)} if labels else {}
        if readers:
            writers = {name: self.models[name].made() for name in self.generator.models}
            panel |= {
                "readers": self.generator.model_dump(mode="json"),
                "spans": self.spans.model_dump(mode="json"),
            }
            panel |= {"writers": writers}
        panel |= {"debate": True} if self.consensus.debate else {}
        panel |= {"seed_rubrics": self.law.seed_rubrics} if self.law.seed_rubrics != "off" else {}
        panel |= {"rules": [rule.model_dump(mode="json") for rule in self.rules]} if self.rules else {}
        panel |= {"classifier": self.classifier.model_dump(mode="json")} if self.classifier.enabled else {}
        return hashlib.sha256(json.dumps(panel, sort_keys=True).encode()).hexdigest()[:16]

    def fingerprint(self) -> str:
        """Return a hash of everything that shapes the data (not where the store lies, nor the limits)."""
        shaping = {k: v for k, v in self.effective().items() if k not in NOT_SHAPING}
        shaping["run"].pop("concurrency")
        shaping["law"].pop("quorum")
        for said in ("own_family", "admit"):  # what is said, not what is done
            shaping["routing"].pop(said)
        if self.routing.rounds == 1:  # as it was before there were rounds, or a choice of what is asked first
            shaping["routing"].pop("rounds")
        if self.routing.pilot is None:
            shaping["routing"]["pilot"] = PILOT_ONCE
        if self.routing.probes is None:
            shaping["routing"].pop("probes")
        if not self.routing.strata:
            shaping["routing"].pop("strata")
        if self.routing.acquisition == "value":
            shaping["routing"].pop("acquisition")
        shaping["judges"] = [_without_default_tier(judge) for judge in shaping["judges"]]
        if self.label == LabelConfig():
            shaping.pop("label")  # as it was before there was the recipe
        if not self.recipes:
            shaping.pop("recipes")
        if shaping["law"]["similarity"] == "words":  # as it was before there was a choice
            shaping["law"].pop("similarity")
        payload = json.dumps(shaping, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(payload.encode()).hexdigest()[:16]


ROOTS = frozenset(field.alias or name for name, field in Config.model_fields.items())
"""Names of the tables and keys at the top of the file."""


def _without_default_tier(judge: dict[str, Any]) -> dict[str, Any]:
    """Leaves tier 0 out of a seat: a panel without tiers keeps its hash, and its certificates, from before them."""
    return {key: value for key, value in judge.items() if key != "tier" or value}


def load_config(
    path: str | Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    profile: str | None = None,
    given: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration of a file, with profile, environment and `overrides` laid over it in this order.

    Args:
        path: the file; without it `solon.toml`, if it is there.
        overrides: dotted key -> value, as options of the command line give them.
        profile: a table of `[profiles]` laid over the file; default: SOLON_PROFILE.
        given: see `parse_config`.

    Raises:
        ConfigError: naming the file, the key, the value seen and what would be right.
    """
    file = Path(path) if path is not None else Path(DEFAULT_FILE)
    if path is not None and (file.is_dir() or not file.exists()):
        what = "the configuration is a folder:" if file.is_dir() else "there is no configuration file"
        raise ConfigError(f"{what} {file}", next_step="check the path given with --config")
    data = read_layers(file, profile, roots=ROOTS, overrides=overrides or {})
    return parse_config(data, source=str(file) if file.is_file() else "the configuration", given=given)


def parse_config(
    data: Mapping[str, Any], *, source: str = "the configuration", given: Mapping[str, str] | None = None
) -> Config:
    """Return the configuration that plain values describe, checked.

    Args:
        source: what the values come from, for errors; a TOML file is read again to name the line.
        given: names in [models] whose chat models come from Python -> what they are called where `data` says nothing.

    Raises:
        ConfigError: naming the key, the value seen and what would be right.
    """
    try:
        config = Config.model_validate({**data, **_with_models(data.get("models", {}), given or {})})
    except ValidationError as error:
        raise ConfigError(
            _explain(error, source), next_step="mend the key and run the command again"
        ) from None
    config._source = source
    return config


def _with_models(tables: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """[models] with those given from Python, and with the built-in one where no model is named at all."""
    if not isinstance(tables, Mapping):
        return {}
    tables = {name: {"model": given[name], **_plain(tables.get(name, {}))} for name in given} | {
        name: table for name, table in tables.items() if name not in given
    }
    named = any("model" in _plain(table) for table in tables.values())
    return {"models": tables if named else {"default": {}, **tables}}


def _plain(table: Any) -> dict[str, Any]:
    """The keys of a table of [models]; none where it is no table, which is refused when it is validated."""
    if isinstance(table, ModelConfig):
        return table.model_dump(exclude_unset=True)
    return dict(table) if isinstance(table, Mapping) else {}


_SECRET = re.compile(r"(key|secret|password|token)$", re.IGNORECASE)
"""Names of keys whose value may be a secret that somebody wrote where none belongs."""


def _explain(error: ValidationError, source: str) -> str:
    lines = []
    for problem in error.errors():
        place, given = problem["loc"], problem["input"]
        key = ".".join(str(part) for part in place)
        variable = f"SOLON_{'__'.join(str(part) for part in place).upper()}"
        silent = problem["type"] in ("missing", "value_error") or _SECRET.search(key)
        seen = "" if silent else f" (saw {given!r:.80})"
        message = problem["msg"].removeprefix("Value error, ")
        where = variable if variable in os.environ else source + line_of_key(source, place)
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{_nearest(place)}"
        elif problem["type"] == "tuple_type" and isinstance(given, dict):
            message = f"a list of tables is wanted; write [[{key}]] above each"
        lines.append(f"{where}: {key}: {message}{seen}" if key else f"{where}: {message}")
    return "\n".join(lines)


def _nearest(place: tuple[int | str, ...]) -> str:
    """What an unknown key may have been meant for: one like it in the same table, else all that the table has."""
    table: Any = Config()
    for part in place[:-1]:
        if isinstance(table, dict | tuple):
            table = next(iter(table.values() if isinstance(table, dict) else table), None)
        else:
            table = getattr(table, str(part), None)
    if not isinstance(table, BaseModel):
        return ""
    known = [field.alias or name for name, field in type(table).model_fields.items() if name != "plugins"]
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
