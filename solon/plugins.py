"""Judges, critics and generators of one's own, in five lines: plain or async functions with a name and a version.

    from solon import judge

    @judge("shorter", "1")
    def shorter(a: str, b: str) -> str:
        return "A" if len(a) <= len(b) else "B"

Imports nothing of Solon but `config` and `errors`. A function names as its parameters what it wants to be given; what
it answers is read by `read_opinion`, `read_findings` and `read_draft`. Every answer is journalled under
`python:name@version+hash`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import json
import math
import sys
import textwrap
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from solon.config import Config
from solon.config.sections import JudgeConfig
from solon.errors import ConfigError, SolonError, UsageError

Role = Literal["judge", "critic", "generator"]
GIVEN: dict[Role, frozenset[str]] = {
    "judge": frozenset(
        {"prompt", "input", "reference", "a", "b", "answer", "labels", "principles", "criteria", "rubric"}
    ),
    "critic": frozenset({"prompt", "input", "reference", "answer", "principles"}),
    "generator": frozenset(
        {"prompt", "input", "reference", "guidance", "findings", "principles", "seed", "index"}
    ),
}
"""What a function may name as parameters. A pair comes as `a` and `b`, in the order seen; a single one as `answer`.
`rubric` is a line of text for each criterion that answers are judged by, which a seed may have brought."""
ROUNDED = 0.02
"""By how much probabilities that were rounded may miss a sum of 1."""
SEVERITIES = ("none", "minor", "major", "fatal")
TIMEOUT = 120.0


class BadAnswer(ValueError):
    """A plug-in answered outside its contract."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A function in a role. It stays callable as it was.

    Attributes:
        role: judge, critic or generator.
        name: its name, in letters, digits and `-_.`.
        version: its version, which is raised when what the function does changes.
        function: the function itself, plain or async.
        digest: twelve hex digits of the function's own source (not of what it calls).
        reference: `module:function`, by which a later process finds it.
        wanted: the parameters that it names, out of `GIVEN` of its role.
        timeout: seconds after which an answer is given up.
    """

    role: Role
    name: str
    version: str
    function: Callable[..., Any]
    digest: str
    reference: str
    wanted: tuple[str, ...]
    timeout: float = TIMEOUT

    @property
    def identity(self) -> str:
        """`python:name@version+digest`: its name as a voter, and as the model of its calls in the journal."""
        return f"python:{self.name}@{self.version}+{self.digest}"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    async def answer(self, values: Mapping[str, Any]) -> Any:
        """Return what the function answers to those of the values that it wants. A plain one runs in a thread.

        Raises:
            TimeoutError: it took longer than `timeout`. Whatever the function raises.
        """
        arguments = {name: values[name] for name in self.wanted if name in values}
        if inspect.iscoroutinefunction(self.function):
            return await asyncio.wait_for(_awaited(self.function(**arguments)), self.timeout)
        answer = await asyncio.wait_for(asyncio.to_thread(_called, self.function, arguments), self.timeout)
        return (
            await asyncio.wait_for(_awaited(answer), self.timeout) if inspect.isawaitable(answer) else answer
        )


def _called(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        return function(**given)
    except SystemExit as end:  # out of a task it would end the whole program
        raise RuntimeError(f"the function called sys.exit({end.code})") from None


async def _awaited(found: Awaitable[Any]) -> Any:
    try:
        return await found
    except SystemExit as end:
        raise RuntimeError(f"the function called sys.exit({end.code})") from None


def judge(
    name: str, version: str = "", *, timeout: float = TIMEOUT
) -> Callable[[Callable[..., Any]], Plugin]:
    """Make a function a judge: a seat of the panel and an independent voter.

    On a pair (parameters `a` and `b`) it is asked in both orders and answers "A", "B", "tie", a probability of the
    first one, or None to abstain; on a single candidate (`answer`): "accept", "reject", a probability of acceptance, or
    scores by criterion; on a text that gets a label (`answer`, `labels`): one of the labels, or a probability for each
    as a mapping. Or {"verdict": any of these, "confidence": ..., "rationale": ...}.

    Args:
        name: its name as a voter, in letters, digits and `-_.`.
        version: to be raised when what the function does changes; a run goes on only with the version it began with.
        timeout: seconds for one answer.

    Raises:
        UsageError: the function has a parameter that no judge is given, or name or version is missing or malformed.
    """
    return _decorate("judge", name, version, timeout)


def critic(
    name: str, version: str = "", *, timeout: float = TIMEOUT
) -> Callable[[Callable[..., Any]], Plugin]:
    """Make a function a critic of one `answer`: it gives its findings, [] where there is nothing to find.

    A finding is a mapping with `severity` (minor, major, fatal) and, where there is one, `principle` (its id), `quote`
    (out of the answer) and `suggestion`. None abstains. Arguments and errors are those of `judge`.
    """
    return _decorate("critic", name, version, timeout)


def generator(
    name: str, version: str = "", *, timeout: float = TIMEOUT
) -> Callable[[Callable[..., Any]], Plugin]:
    """Make a function a generator: it gives a draft's text, or {"instruction": ..., "response": ...}.

    Arguments and errors are those of `judge`.
    """
    return _decorate("generator", name, version, timeout)


def _decorate(role: Role, name: str, version: str, timeout: float) -> Callable[[Callable[..., Any]], Plugin]:
    example = f'write @{role}("shorter", "1"): its name, and a version to raise when what it does changes'
    if callable(name):  # the decorator without its parentheses
        raise UsageError(f"@{role} stands without a name and a version", next_step=example)
    if not version:
        raise UsageError(f"@{role}({name!r}) names no version", next_step=example)
    for what, value in (("name", name), ("version", version)):
        if (
            not isinstance(value, str)
            or not all(char.isalnum() or char in "-_." for char in value)
            or len(value) > 60
        ):
            raise UsageError(
                f"the {what} of a {role}, {value!r}, must be text of letters, digits and -_.",
                next_step=example,
            )

    def wrap(function: Callable[..., Any]) -> Plugin:
        wanted = _parameters(role, function)
        reference = f"{function.__module__}:{function.__qualname__}"
        return Plugin(role, name, version, function, source_digest(function), reference, wanted, timeout)

    return wrap


def _parameters(role: Role, function: Callable[..., Any]) -> tuple[str, ...]:
    wanted = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UsageError(
                f"{function.__qualname__}: *, ** and positional-only parameters cannot be filled in",
                next_step=f"name what it needs: {', '.join(sorted(GIVEN[role]))}",
            )
        if parameter.name in GIVEN[role]:
            wanted.append(parameter.name)
        elif parameter.default is parameter.empty:
            raise UsageError(
                f"{function.__qualname__}: a {role} is given no {parameter.name!r}",
                next_step=f"it may name: {', '.join(sorted(GIVEN[role]))}",
            )
    return tuple(wanted)


def source_digest(function: Callable[..., Any]) -> str:
    """Return twelve hex digits of the SHA-256 of a function's source; of its compiled code where there is none."""
    try:
        source = textwrap.dedent(inspect.getsource(function)).encode()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = repr((code.co_code, code.co_consts, code.co_names) if code else function).encode()
    return hashlib.sha256(source).hexdigest()[:12]


def load_plugin(reference: str, role: Role, given: Mapping[str, Plugin] | None = None) -> Plugin:
    """Return the plug-in that `module:function` names, from those given or by import.

    Modules in the working folder are found too.

    Args:
        given: plug-ins that were passed from Python, by their references.

    Raises:
        ConfigError: there is no such module or function, or it is no plug-in of this role.
    """
    plugin: Any = (given or {}).get(reference)
    if plugin is None:
        plugin = find_function(reference)
    if isinstance(plugin, Plugin) and plugin.role == role:
        return plugin
    seen = (
        f"a {plugin.role}" if isinstance(plugin, Plugin) else "nothing" if plugin is None else "not decorated"
    )
    raise ConfigError(
        f"python = {reference!r}: a {role} is wanted, and this is {seen}",
        next_step=f'decorate the function: @{role}("name", "1"), from solon import {role}',
    )


def find_function(reference: str, key: str = "python") -> Any:
    """Return what `module:function` names; None where the module has no such thing.

    Args:
        reference: `module:function`; the part after the colon may have dots.
        key: the configuration key that names it, for errors.

    Raises:
        ConfigError: the reference is not of this form, or the module cannot be imported.
    """
    module_name, _, path = reference.partition(":")
    if not module_name or not path:
        raise ConfigError(
            f"{key} = {reference!r} is not of the form module:object", next_step='e.g. "my_module:MINE"'
        )
    target = _import(reference, module_name, key)
    for part in path.split("."):
        target = getattr(target, part, None)
    return target


def _import(reference: str, module_name: str, key: str) -> Any:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except SolonError as error:  # a recipe or function that says itself what is wrong with it
        raise ConfigError(f"{key} = {reference!r}: {error.cause}", next_step=error.next_step) from error
    except (Exception, SystemExit) as error:  # a foreign module may fail in any way
        raise ConfigError(
            f"{key} = {reference!r}: {_place_of(error)}{type(error).__name__}: {error}",
            next_step="run from the folder that holds the module, or install it; a function that was defined in a "
            "notebook or script must be passed to the project again",
        ) from error
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _place_of(error: BaseException) -> str:
    """`module.py, line 3: `, the line of a foreign module that failed; empty where it failed before any."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")
    ]
    ours = (__file__, importlib.__file__)
    last = frames[-1] if frames and frames[-1].filename not in ours else None
    return f"{Path(last.filename).name}, line {last.lineno}: " if last else ""


def references(config: Config) -> list[tuple[str, Role]]:
    """Return every function that a configuration names, as `module:function`, with the role that it plays."""
    named: list[tuple[str, Role]] = [(judge.python, "judge") for judge in config.judges if judge.python]
    named += [(rule.python, "judge") for rule in config.rules if rule.python]
    named += [(config.critic.python, "critic")] if config.critic.python else []
    return [*named, *((name, "generator") for name in config.generator.python)]


def add_plugins(config: Config, given: Sequence[Plugin]) -> tuple[Config, dict[str, Plugin]]:
    """Return a configuration with functions of one's own beside what it names, and these functions by their references.

    Judges take further seats, generators take turns with the models, and a critic takes the place of the model.

    Raises:
        UsageError: a function is not decorated, or there is a second critic.
    """
    for plugin in given:
        if not isinstance(plugin, Plugin):
            raise UsageError(f"{plugin!r:.80} is no plug-in", next_step='decorate it: @judge("name", "1")')
    by_role: dict[str, list[str]] = {"judge": [], "critic": [], "generator": []}
    for plugin in given:
        by_role[plugin.role].append(plugin.reference)
    if len(by_role["critic"]) > 1:
        raise UsageError("there is one critic, and two were given", next_step="call one from the other")
    update: dict[str, Any] = {}
    if by_role["judge"]:
        known = {seat.python for seat in config.judges}
        new = [JudgeConfig(python=name) for name in by_role["judge"] if name not in known]
        update["judges"] = (*config.judges, *new)
    if by_role["critic"]:
        update["critic"] = config.critic.model_copy(update={"python": by_role["critic"][0]})
    if by_role["generator"]:
        names = tuple(dict.fromkeys((*config.generator.python, *by_role["generator"])))
        update["generator"] = config.generator.model_copy(update={"python": names})
    return config.model_copy(update=update), {plugin.reference: plugin for plugin in given}


def bind(config: Config, given: Mapping[str, Plugin]) -> Config:
    """Return the configuration with the identities of the functions that it names, to which a run is pinned."""
    identities = {name: load_plugin(name, role, given).identity for name, role in references(config)}
    return config.model_copy(update={"plugins": identities}) if identities else config


def load_all(config: Config, given: Mapping[str, Plugin]) -> dict[str, Plugin]:
    """Return the functions that a configuration names, by their references, exactly as `bind` has pinned them.

    Raises:
        ConfigError: one is missing, or is not what the run was begun with.
    """
    plugins = {}
    for name, role in references(config):
        plugin = load_plugin(name, role, given)
        bound = config.plugins.get(name, plugin.identity)
        if bound != plugin.identity:
            raise ConfigError(
                f"{name} is now {plugin.identity}; the run was begun with {bound}",
                next_step="take the function back as it was, or begin a new run: solon run --new-run --reuse RUN",
            )
        plugins[name] = plugin
    return plugins


@dataclass(frozen=True, slots=True)
class Opinion:
    """A judge's answer, in the order in which it saw the candidates.

    Attributes:
        verdict: the outcome it chose; empty where it gave scores only.
        p: its probability of the first outcome (A, accept); None where it gave none.
        scores: criterion id -> score, 1 to 5; None where it gave none.
        confidence: how sure it says it is, 0 to 1; None where it did not say.
        rationale: why, in its words; empty where it gave none.
        shares: outcome -> its probability; None where it gave none.
    """

    verdict: str
    p: float | None = None
    scores: dict[str, float] | None = None
    confidence: float | None = None
    rationale: str = ""
    shares: dict[str, float] | None = None


def read_opinion(value: Any, outcomes: Sequence[str], criteria: Sequence[str] = ()) -> Opinion | None:
    """Return what a judge's function answered, read and checked; None where it abstained.

    Args:
        value: what the function returned, in one of the forms that `judge` describes.
        outcomes: what it chooses between; a probability is that of the first one of two.
        criteria: ids of the criteria that a single candidate may be scored by; empty for a pair.

    Raises:
        BadAnswer: it is neither an outcome nor a probability nor scores.
    """
    if value is None or value == "abstain":
        return None
    if isinstance(value, Mapping) and "verdict" in value:
        unknown = set(value) - {"verdict", "confidence", "rationale"}
        if unknown:
            raise BadAnswer(f"unknown key {sorted(map(str, unknown))[0]!r}")
        inner = read_opinion(value["verdict"], outcomes, criteria)
        if inner is None:
            return None
        sure = value.get("confidence")
        confidence = None if sure is None else _share(sure, "confidence")
        rationale = str(value.get("rationale") or "")[:4000]
        return replace(inner, confidence=confidence, rationale=rationale)
    if isinstance(value, Mapping) and value and set(value) <= set(outcomes):
        return _by_shares(value, outcomes)
    if isinstance(value, Mapping) and criteria:
        return Opinion("", scores={str(k): _score(v, str(k), criteria) for k, v in value.items()})
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadAnswer(f"{value!r:.80} is neither {', '.join(outcomes)}, tie, None nor a probability")
    if isinstance(value, str):
        if value in outcomes or (value == "tie" and not criteria):
            return Opinion(value)
        raise BadAnswer(f"{value!r:.80} is none of {', '.join(outcomes)}, tie")
    if len(outcomes) > 2:
        raise BadAnswer(f"{value!r:.80} is a number: with more than two labels it does not say which")
    p = _share(value, "probability")
    side = outcomes[0] if p > 0.5 else outcomes[1]
    return Opinion("tie" if p == 0.5 and not criteria else side, p)


def read_rule(value: Any, label: str, outcomes: Sequence[str]) -> Opinion | None:
    """Return what a function that is a rule answered: True or False for its label, or an opinion of its own; None where
    it does not match.

    Raises:
        BadAnswer: as `read_opinion`, or it says True and the rule names no label.
    """
    if isinstance(value, bool):
        if value and not label:
            raise BadAnswer("it said True, and the rule names no label")
        return Opinion(label) if value else None
    return read_opinion(value, outcomes)


def _by_shares(value: Mapping[str, Any], outcomes: Sequence[str]) -> Opinion:
    shares = {outcome: _share(value.get(outcome, 0.0), f"probability of {outcome}") for outcome in outcomes}
    total = sum(shares.values())
    if abs(total - 1.0) > ROUNDED:
        raise BadAnswer(f"the probabilities {dict(value)!r:.80} sum to {total:.4g}, not to 1")
    ranked = sorted(outcomes, key=lambda outcome: -shares[outcome])
    best = "tie" if shares[ranked[0]] == shares[ranked[1]] else ranked[0]
    return Opinion(best, shares=shares)


def read_findings(value: Any) -> list[dict[str, str]] | None:
    """Return the findings of a critic's function, each with severity, principle, quote and suggestion as texts.

    None where it abstained.

    Raises:
        BadAnswer: it is not a list of mappings with a known severity.
    """
    if value is None:
        return None
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadAnswer(f"{value!r:.80} is no list of findings")
    findings = []
    for entry in value:
        if not isinstance(entry, Mapping) or entry.get("severity") not in SEVERITIES:
            raise BadAnswer(f"{entry!r:.80} has no severity of {', '.join(SEVERITIES)}")
        names = ("severity", "principle", "quote", "suggestion")
        findings.append({name: str(entry.get(name) or "")[:2000] for name in names})
    return findings


def read_draft(value: Any, *, with_instruction: bool) -> dict[str, str]:
    """Return what a generator's function wrote: `response`, and `instruction` with its `input` where it gave one.

    Args:
        with_instruction: the recipe wants an instruction, too.

    Raises:
        BadAnswer: there is no text, or no instruction where one is wanted.
    """
    if isinstance(value, str) and not with_instruction:
        return {"response": value}
    if isinstance(value, Mapping) and isinstance(value.get("response"), str):
        instruction = value.get("instruction")
        if isinstance(instruction, str) and instruction.strip():
            spoken_of = value.get("input") or ""
            if not isinstance(spoken_of, str):
                raise BadAnswer(f"input {spoken_of!r:.80} is not a text")
            return {"response": value["response"], "instruction": instruction, "input": spoken_of}
        if not with_instruction:
            return {"response": value["response"]}
    wanted = "a mapping with instruction and response" if with_instruction else "a text"
    raise BadAnswer(f"{value!r:.80} is not {wanted}")


def to_json(value: Any) -> str:
    """Return an answer as the JSON text that the journal keeps.

    Raises:
        BadAnswer: it cannot be written as JSON.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise BadAnswer(f"the answer cannot be written as JSON: {error}") from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    item = getattr(value, "item", None)  # a number of numpy or torch
    if callable(item):
        return item()
    raise TypeError(type(value).__name__)


def _share(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadAnswer(f"{what} {value!r:.80} is not between 0 and 1")
    return float(value)


def _score(value: Any, name: str, criteria: Sequence[str]) -> float:
    if name not in criteria:
        raise BadAnswer(f"{name!r:.80} is no criterion of the rubric ({', '.join(criteria)})")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadAnswer(f"score {value!r:.80} of {name} is no number")
    if not 1 <= value <= 5:
        raise BadAnswer(f"score {value!r:.80} of {name} is not between 1 and 5")
    return float(value)
