"""Checks of everything that a run needs: store, models, disk, packages. Each says what to do; none changes anything
but the migration or the repair that is asked for."""

from __future__ import annotations

import asyncio
import math
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from solon.config import Config
from solon.config.sections import ModelConfig
from solon.errors import CUT, WITHHELD, ModelError, OtherRecipe, SolonError
from solon.extras import EXTRAS, absent_extras

if TYPE_CHECKING:
    from solon.agents.calls import Member
    from solon.plugins import Plugin
    from solon.recipes.registry import Recipes
    from solon.store.database.store import Store

State = Literal["ok", "note", "broken"]

PACKAGES = (
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langchain-core",
    "sqlalchemy",
    "sqlmodel",
    "pydantic",
    "aiohttp",
)
LOW_DISK = 1 << 30
SERVER_SECONDS = 5.0
NAME_MODELS = "name models in [models], of another family for judges (or set `[routing] own_family = true`)"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        state: ok, note (it works, but is worth knowing) or broken.
        told: what was found.
        next_step: what to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    told: str
    next_step: str = ""


def examine(
    config: Config,
    *,
    migrate: bool = False,
    offline: bool = False,
    repair: bool = False,
    probe: bool = False,
    given: Mapping[str, Plugin] | None = None,
) -> list[Check]:
    """Every check, in the order in which a newcomer would meet the problems.

    Args:
        repair: bring in what led nowhere: items that contradict their reviews or answers, and damaged checkpoints.
        probe: ask each model a few small questions, to find what it does not take before a run does.
        given: functions of one's own that were passed from Python, by their references.
    """
    of_store = _guarded("store", lambda: check_store(config, migrate=migrate, repair=repair))
    opens = all(check.state != "broken" for check in of_store if check.name == "store")
    return [
        *_guarded("python", check_python),
        *_guarded("packages", check_packages),
        *_guarded("configuration", lambda: check_law(config)),
        *_guarded("panel", lambda: check_panel(config)),
        *_guarded("pilot", lambda: check_pilot(config)),
        *check_functions(config, given),
        *_guarded("filters", lambda: check_filtering(config)),
        *_guarded("recipe", lambda: check_recipes(config)),
        *of_store,
        *(_guarded("law", lambda: check_law_in_force(config)) if opens else ()),
        *_guarded("disk", lambda: check_disk(config.store)),
        *check_models(config, offline=offline),
        *(check_features(config) if probe else ()),
    ]


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(check())
    except SolonError as error:
        return [Check(name, "broken", error.cause, error.next_step)]


def check_python() -> Iterator[Check]:
    """Is this Python recent enough?"""
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    yield Check("python", "ok" if fine else "broken", version, "" if fine else "install Python 3.11 or later")


def check_packages() -> Iterator[Check]:
    """Are the packages there that every run needs, and which extras are?"""
    from solon import __version__

    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, version in found.items() if version is None]
    told = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    if missing:
        yield Check(
            "packages", "broken", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    yield Check("packages", "ok", f"solon {__version__}, {told}")
    absent = absent_extras()
    there = ", ".join(extra for extra in sorted(set(EXTRAS.values())) if extra not in absent)
    yield Check("optional", "ok", f"extras that are installed: {there or 'none'}")
    if absent:
        told = f"extras that are not: {', '.join(absent)}"
        yield Check("optional", "ok", told, f"where one is needed: pip install 'solon[{absent[0]}]', ...")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_law(config: Config) -> Iterator[Check]:
    """Which constitution, rubric and prompts the configuration names.

    Raises:
        ConfigError: one of them cannot be read, or a rule votes for what is no label.
    """
    from solon.law.documents import load_constitution, load_rubric
    from solon.operations.recipes import check_labels
    from solon.prompts.library import PromptLibrary
    from solon.recipes.registry import Recipes

    constitution, rubric = load_constitution(config.law.constitution), load_rubric(config.law.rubric)
    library = PromptLibrary(config.prompts_dir).for_recipe()
    check_labels(Recipes(config), config)
    told = f"constitution {constitution.name} {constitution.version}, rubric {rubric.name} {rubric.version}"
    yield Check("configuration", "ok", f"{told}, prompts {library.version}")


def check_law_in_force(config: Config) -> Iterator[Check]:
    """Which constitution and rubric new items are held to, where the store has other versions than the configuration.

    Raises:
        SolonError: the store cannot be opened.
    """
    from solon.law.documents import load_constitution, load_rubric
    from solon.store.database.engine import sqlite_path
    from solon.store.database.store import Store
    from solon.store.runs.laws import version_in_force

    path = sqlite_path(config.store)
    if path is not None and not path.exists():
        return
    configured = (load_constitution(config.law.constitution), load_rubric(config.law.rubric))
    with Store(config.store, create=False) as store, store.connect() as connection:
        for document in configured:
            found = version_in_force(connection, document.kind, document.name)
            if found is not None and found.version != document.version:
                yield Check(
                    "law",
                    "note",
                    f"in force is {document.kind} {found.name} {found.version} of the store, "
                    f"not {document.version} of the configuration",
                    f"how it came to be: `solon {document.kind} history`",
                )


def check_panel(config: Config) -> Iterator[Check]:
    """Does the built-in model act, and does any judge judge what its own family wrote, in the roles that there are?"""
    from solon.operations.recipes import configured_roles
    from solon.recipes.registry import Recipes

    for note in config.notes(configured_roles(Recipes(config), config)):
        yield Check("panel", "note", note, NAME_MODELS)


def check_pilot(config: Config) -> Iterator[Check]:
    """How likely does the pilot, where a run has enough items for it, lead to a certificate?"""
    from solon.consensus.power import chance_of

    routing = config.routing
    if config.preference.questions:  # so that answers are ranked
        told = "preference-expert has no panel: people rank every item, and there is no certificate"
        yield Check("pilot", "note", told, "the pilot is that of other recipes, such as preference")
    elif routing.draws_pilot:
        chance = chance_of(routing.pilot_size, routing.alpha, routing.delta)
        told = f"{chance}; it takes a run of {math.ceil(routing.pilot_size / routing.pilot_share)} items"
        weak = chance.is_weak
        yield Check(
            "pilot", "note" if weak else "ok", told, "raise routing.pilot: `solon eval power`" if weak else ""
        )


def check_functions(config: Config, given: Mapping[str, Plugin] | None = None) -> Iterator[Check]:
    """Can the judges, critic and generators of one's own be loaded, and are they what they are named for?"""
    from solon.plugins import load_plugin, references

    for reference, role in references(config):
        try:
            load_plugin(reference, role, given)
        except SolonError as error:
            yield Check(role, "broken", error.cause, error.next_step)
        else:
            yield Check(role, "ok", f"{reference} is a function that can be loaded")


def check_recipes(config: Config) -> Iterator[Check]:
    """Can the recipes of one's own be loaded, and are their settings right?"""
    from solon.operations.recipes import list_recipes
    from solon.recipes.registry import Recipes

    for one in list_recipes(Recipes(config), config):
        if one.origin == "shipped" and one.name not in config.recipes:
            continue
        if one.problem:
            yield Check(
                "recipe", "broken", f"{one.name}: {one.problem}", "`solon recipes` lists what there is"
            )
        else:
            yield Check("recipe", "ok", f"{one.name} is {one.origin}, and can be loaded")


def check_filtering(config: Config) -> Iterator[Check]:
    """Can what `[filters]` names be read and measured? Nothing is said where nothing is filtered."""
    from solon.agents.filters import check_filters

    check_filters(config, "a recipe", marks_spans=False)
    if config.filters.request is not None or config.filters.answer is not None:
        yield Check("filters", "ok", "what they name can be read and measured")


def check_store(config: Config, *, migrate: bool, repair: bool = False) -> Iterator[Check]:
    """Can the store be opened and written, and does what it holds agree with itself? Where there is none yet, could one
    be made there?

    Args:
        migrate: bring an older store to the current schema.
        repair: bring in what led nowhere.

    Raises:
        StoreError: the store cannot be opened.
    """
    from solon.recipes.registry import Recipes
    from solon.store.database.engine import sqlite_path
    from solon.store.database.store import Store
    from solon.store.records import overview

    url = config.store
    path = sqlite_path(url)
    if path is not None and not path.exists():
        folder_is_there = path.parent.is_dir()
        state: State = "note" if folder_is_there and os.access(path.parent, os.W_OK) else "broken"
        step = (
            "`solon run` begins one"
            if state == "note"
            else f"make {path.parent} a folder that can be written"
        )
        yield Check("store", state, f"there is no store {path} yet", step)
        return
    with Store(url, create=migrate) as store:
        yield Check("store", "ok", f"{url if path is None else path}, schema as wanted")
        if path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            yield Check(
                "store", "broken", f"{path} or its folder is read-only", f"chmod u+w {path} {path.parent}"
            )
        yield from _check_contents(store)
        yield from _guarded("certificate", lambda: _check_certificate(store, config))
        yield from _check_threads(overview.waiting_graph_versions(store), Recipes(config))
        yield from _check_pinned(store, Recipes(config))
        yield from _check_items(store, repair=repair)
        yield from _guarded("checkpoints", lambda: _check_checkpoints(store, repair=repair))


def _check_contents(store: Store) -> Iterator[Check]:
    from solon.store.records import overview
    from solon.store.reviewing.deliveries import delivery_problems

    problem = overview.check_soundness(store)
    if problem:
        yield Check(
            "store",
            "broken",
            f"the file is damaged: {problem}",
            "restore a copy; `solon export` saves what reads",
        )
    states = overview.count_reviews(store)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none yet"
    yield Check("reviews", "ok", told, "see `solon review list`" if states.get("waiting") else "")
    with store.connect() as connection:
        problems = delivery_problems(connection)
    for problem, number in problems:
        yield Check(
            "decisions", "note", f"{number} could not be applied: {problem}", "run `solon resume` again"
        )


def _check_certificate(store: Store, config: Config) -> Iterator[Check]:
    """Is a certificate of the newest run suspended, and why?"""
    from solon.learning.why_suspended import read_suspension
    from solon.store.runs.runs import all_runs

    with store.connect() as connection:
        for run in all_runs(connection)[:1]:
            found = read_suspension(connection, run, config.reviewers)
            if found is not None:
                told = f"run {run.id}: certificate {found.certificate} is suspended: {found.why}"
                yield Check("certificate", "note", told, f"it is brought back by {found.back}")


def _check_items(store: Store, *, repair: bool) -> Iterator[Check]:
    """Answers that led nowhere, and items that nobody can answer."""
    from solon.store.reviewing.strays import bring_in, find_strays

    with store.transaction() if repair else store.connect() as connection:
        strays = find_strays(connection)
        if repair:
            bring_in(connection, strays)
    for (run_id, why), number in Counter((stray.run_id, stray.why) for stray in strays).items():
        told = f"{number} items of run {run_id} {why}"
        if repair:
            step = f"`solon resume {run_id}` goes on with them, without paying again"
            yield Check("items", "note", f"{told}: they are on their way again", step)
        else:
            step = "run `solon doctor --repair`, which sends them on their way again; nothing is lost"
            yield Check("items", "broken", told, step)


def _check_checkpoints(store: Store, *, repair: bool) -> Iterator[Check]:
    """Checkpoints that cannot be read cost nothing but a replay; it is said what was found."""
    from solon.graphs.pruning import count_without_checkpoint
    from solon.graphs.saver import damaged_threads
    from solon.store.upkeep.pruning import damage_of

    damage = damage_of(Path(store.checkpoints))
    if damage and not repair:
        yield Check("checkpoints", "broken", f"{store.checkpoints} is damaged: {damage}", _SET_ASIDE)
        return
    damaged = asyncio.run(damaged_threads(store, drop=repair))
    if damage:
        yield Check("checkpoints", "note", f"{store.checkpoints} was damaged, and is set aside beside it", "")
    if damaged:
        told = f"{len(damaged)} checkpoints cannot be read, e.g. of thread {damaged[0]}"
        if repair:
            yield Check("checkpoints", "note", f"{told}; they are dropped", "")
        else:
            yield Check("checkpoints", "broken", told, _SET_ASIDE)
    missing, waiting = count_without_checkpoint(store)
    if missing:
        told = f"{missing} of {waiting} items that wait have no checkpoint"
        yield Check(
            "checkpoints", "note", told, "nothing to do: an answer replays them, without paying again"
        )


_SET_ASIDE = "run `solon doctor --repair` or `solon resume`: it is set aside, and items are replayed, unpaid"


def _check_threads(waiting: list[tuple[str, str, int]], recipes: Recipes) -> Iterator[Check]:
    """Threads of another graph are not lost: their items are replayed from the journal up to the decision."""
    from solon.graphs.versions import goes_on, graph_version

    known = recipes.known(name for name, _, _ in waiting)
    for recipe, version, number in waiting:
        if recipe not in known:
            continue  # `_check_pinned` tells of it
        current, _ = graph_version(known[recipe])
        if goes_on(known[recipe], version):
            yield Check(
                "threads", "ok", f"{number} waiting {recipe} items stand in the current graph ({version})"
            )
            continue
        yield Check(
            "threads",
            "note",
            f"{number} waiting {recipe} items stand in graph {version}, this version of Solon has {current}",
            "run `solon migrate-threads`: it replays them from the journal, without paying again",
        )


def _check_pinned(store: Store, recipes: Recipes) -> Iterator[Check]:
    """Runs that are not done, and whose recipe is another one by now, go on for nobody until someone says how."""
    from solon.store.runs import runs

    with store.connect() as connection:
        listed = [run for run in runs.all_runs(connection) if run.status != "done"]
        pinned = {run.id: runs.config_payload(connection, run.config_id).get("plugins") for run in listed}
    for run in listed:
        try:
            recipes.of_run(run.recipe, pinned[run.id] or {}, run.id)
        except OtherRecipe as error:
            yield Check("recipe", "note", f"run {run.id}: {error.cause}", error.next_step)


def check_disk(url: str) -> Iterator[Check]:
    """Is there room on the disk of the store (of PostgreSQL: of the working folder)?"""
    from solon.store.database.engine import sqlite_path

    path = sqlite_path(url)
    folder = path.parent if path is not None else Path.cwd()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    low = free < LOW_DISK
    yield Check(
        "disk",
        "note" if low else "ok",
        f"{free / (1 << 30):.1f} GiB free at {folder}",
        "free some space" if low else "",
    )


def check_models(config: Config, *, offline: bool) -> list[Check]:
    """Can each model be made, and does its server answer? The weights of a local model are hashed. The built-in one,
    where nobody named a model and no role asks one, is left out."""
    checks = []
    named = {name: model for name, model in config.models.items() if "model" in model.model_fields_set}
    for name, model in (named or _asked_by_default(config)).items():
        try:
            checks.append(_check_model(name, model, offline=offline))
        except SolonError as error:
            checks.append(Check(f"model {name}", "broken", f"{model.model}: {error.cause}", error.next_step))
    return checks


def _asked_by_default(config: Config) -> dict[str, ModelConfig]:
    from solon.operations.recipes import configured_roles
    from solon.recipes.registry import Recipes

    try:
        roles = configured_roles(Recipes(config), config)
    except SolonError:  # told with the recipes
        return dict(config.models)
    return {name: config.models[name] for name in config.models_in_use(roles)}


def _check_model(name: str, model: ModelConfig, *, offline: bool) -> Check:
    from solon.agents.models.factory import make_chat_model

    chat = make_chat_model(model)
    label = f"model {name}"
    if model.provider in ("builtin", "gguf"):
        return _check_local(label, model)
    if model.provider == "scripted":
        return Check(label, "note", f"{model.model} is a scripted fake: its records are no data", "")
    base_url = str(getattr(chat, "base_url", "") or "")
    if offline or not base_url:
        return Check(label, "ok", f"{model.model}: settings hold; its server was not asked")
    key = getattr(chat, "key", None)
    return asyncio.run(_ask_server(label, model, base_url, key.get_secret_value() if key is not None else ""))


def _check_local(label: str, model: ModelConfig) -> Check:
    from solon.agents.models.weights import SHA256, builtin_model

    if _version("xllamacpp") is None:
        return Check(label, "broken", f"{model.model} needs xllamacpp", "pip install 'solon[local]'")
    if model.provider == "gguf":
        size = Path(model.name).expanduser().stat().st_size
        return Check(label, "ok", f"{model.model}: {size / 1e6:.0f} MB")
    return Check(
        label, "ok", f"{model.model}: weights at {builtin_model()}, sha256 {SHA256[:12]}... as expected"
    )


async def _ask_server(label: str, model: ModelConfig, base_url: str, key: str) -> Check:
    """GET /models, which every OpenAI-compatible server has; a server without it still counts as reached."""
    import aiohttp

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=SERVER_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{base_url.rstrip('/')}/models", headers=headers) as response,
        ):
            if response.status in (401, 403):
                return Check(
                    label,
                    "broken",
                    f"{base_url} refuses the key (HTTP {response.status})",
                    "check the key in api_key_env",
                )
            body = await response.json(content_type=None) if response.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        problem = str(error) or type(error).__name__
        return Check(
            label,
            "broken",
            f"no answer from {base_url}: {problem}",
            "start the server, or mend base_url in the configuration",
        )
    rows = body.get("data") if isinstance(body, dict) else None
    names = [str(row.get("id")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if names and model.name not in names:
        return Check(
            label,
            "broken",
            f"{base_url} answers but has no model {model.name!r}",
            f"it has: {', '.join(names[:8])}",
        )
    return Check(label, "ok", f"{model.model}: {base_url} answers")


def check_features(config: Config) -> list[Check]:
    """What does the server of each model not take of what a run sends? Asks a few questions, which cost tokens."""
    from solon.agents.hosts import IN_PROCESS

    checks = []
    for name, model in config.models.items():
        if model.provider not in IN_PROCESS:
            checks += _guarded(f"model {name}", lambda name=name: iter(asyncio.run(_probe(config, name))))  # type: ignore[misc]
    return checks


async def _probe(config: Config, name: str) -> list[Check]:
    from solon.agents.calls import ModelPool
    from solon.agents.models.features import FEATURES, tell

    pool, label = ModelPool(config), f"model {name}"
    try:
        member = pool[name]
        before = dict(member.capabilities.dialect.limits)
        checks = list(dict.fromkeys([check async for check in _ask_probes(label, member)]))
        for feature in FEATURES:
            limit = member.capabilities.dialect.limits.get(feature.name)
            if limit is not None and limit != before.get(feature.name):
                step = f"nothing must be done; `{feature.key}` of this model spares the refused request"
                told = f"{member.config.model} {tell(feature.name, limit)}"
                checks.append(
                    Check(label, "note", told, step if "=" in feature.key else "nothing must be done")
                )
    finally:
        await pool.aclose()
    return checks or [Check(label, "ok", f"{member.config.model} takes all that a run sends")]


async def _ask_probes(label: str, member: Member) -> AsyncIterator[Check]:
    """One question as each role asks it: a draft, a letter, JSON."""
    from solon.agents.models.structured import UnusableOutput, ask
    from solon.agents.outputs import PairVerdict

    can, told_usage, withheld = member.capabilities, True, list[str]()
    probes: list[dict[str, Any]] = [
        {"max_tokens": 16, "temperature": 0.7, "top_p": member.config.top_p or 0.95, "stop": ["\n\n\n"]},
        *([{"max_tokens": 1, "temperature": 0.0, "logprobs": True}] if can.logprobs else ()),
        *([{"max_tokens": 200, "temperature": 0.0, "schema": PairVerdict}] if can.json_schema else ()),
    ]
    for probe in probes:
        try:
            reply = await ask(member.chat, can, _QUESTION, seed=1, repairs=0, role="doctor", **probe)
        except UnusableOutput as error:
            reply = error.reply
            if error.kind == WITHHELD:
                withheld.append(error.cause)
                continue
            yield Check(label, "note", error.cause, _MORE_ROOM if error.kind == CUT else _IN_WORDS)
        except ModelError as error:
            yield Check(label, "broken", error.cause, _before_a_run(error.next_step))
            if error.systemic:
                return
            continue
        if probe.get("logprobs") and can.gives_logprobs and not reply.logprobs:
            told = "it takes the wish for logprobs and gives none; judges are asked in JSON"
            yield Check(label, "note", told, "`logprobs = false` of this model spares the first question")
        told_usage = told_usage and not reply.estimated
    if withheld:
        many = "every answer" if len(withheld) == len(probes) else f"{len(withheld)} of {len(probes)} answers"
        yield Check(label, "broken", f"{many} to a harmless question: {withheld[0]}", _OF_A_FILTER)
    if not told_usage:
        yield Check(
            label, "note", "it does not tell the tokens of its answers", "they are estimated, rather too high"
        )


def _before_a_run(step: str) -> str:
    """What to do about a failing model, where there is no run yet to go on with."""
    return (
        re.sub(r"[;,]? ?(?:and |then )*(?:run )?`solon resume`(?: later)?(?:, or .*)?[;,]?", "", step).strip()
        or "ask again later"
    )


_OF_A_FILTER = "loosen the filter of its provider, or name another model: a run would make nothing"
_MORE_ROOM = "leave it room to reason: raise max_tokens of this model, or have it reason less (`options`)"
_IN_WORDS = "`json_schema = false` of this model tells it the schema in words"
_QUESTION = [
    ("system", "Answer briefly. Where a verdict is asked for, it is A, B or tie."),
    ("user", "Which is the capital of France? A: Paris. B: Rome."),
]
