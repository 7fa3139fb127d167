"""Judges, critics and generators of one's own, in five lines: plain or async functions with a name and a version.

    from solon import judge

    @judge("shorter", "1")
    def shorter(a: str, b: str) -> str:
        return "A" if len(a) <= len(b) else "B"

Imports nothing of Solon but `config` and `errors`. What a function is given it names as its parameters; what it may
answer is read by `read_opinion`, `read_findings` and `read_draft`. Every answer is journalled under
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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from solon.config import Config
from solon.config.sections import JudgeConfig
from solon.errors import ConfigError, UsageError

Role = Literal["judge", "critic", "generator"]
GIVEN: dict[Role, frozenset[str]] = {
    "judge": frozenset({"prompt", "input", "reference", "a", "b", "answer", "principles", "criteria"}),
    "critic": frozenset({"prompt", "input", "reference", "answer", "principles"}),
    "generator": frozenset(
        {"prompt", "input", "reference", "guidance", "findings", "principles", "seed", "index"}
    ),
}
"""What a function may name as parameters. A pair comes as `a` and `b`, in the order seen; a single one as `answer`."""
SEVERITIES = ("none", "minor", "major", "fatal")
TIMEOUT = 120.0


class BadAnswer(ValueError):
    """A plug-in answered outside its contract."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A function in a role. It stays callable as it was.

    Attributes:
        identity: `python:name@version+hash`: its name as a voter and as the model of its calls. The hash is of the
            function's own source (not of what it calls).
        reference: `module:function`, by which a later process finds it.
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
        return f"python:{self.name}@{self.version}+{self.digest}"

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    async def answer(self, values: Mapping[str, Any]) -> Any:
        """Call the function with what it asks for. A plain function runs in a thread, so that it may take its time.

        Raises:
            TimeoutError: it took longer than `timeout`. Whatever the function raises.
        """
        given = {name: values[name] for name in self.wanted if name in values}
        if inspect.iscoroutinefunction(self.function):
            return await asyncio.wait_for(_awaited(self.function(**given)), self.timeout)
        found = await asyncio.wait_for(asyncio.to_thread(_called, self.function, given), self.timeout)
        return await asyncio.wait_for(_awaited(found), self.timeout) if inspect.isawaitable(found) else found


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
    scores by criterion. Or a mapping: {"verdict": ..., "confidence": ..., "rationale": ...}.

    Raises:
        UsageError: a parameter that no judge is given, or a name that is none.
    """
    return _decorate("judge", name, version, timeout)


def critic(
    name: str, version: str = "", *, timeout: float = TIMEOUT
) -> Callable[[Callable[..., Any]], Plugin]:
    """Make a function a critic of one `answer`: it gives its findings, [] where there is nothing to find.

    A finding is a mapping with `severity` (minor, major, fatal) and, where there is one, `principle` (its id), `quote`
    (out of the answer) and `suggestion`. None abstains.
    """
    return _decorate("critic", name, version, timeout)


def generator(
    name: str, version: str = "", *, timeout: float = TIMEOUT
) -> Callable[[Callable[..., Any]], Plugin]:
    """Make a function a generator: it gives a draft's text, or {"instruction": ..., "response": ...}."""
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
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise UsageError(
                f"{function.__qualname__}: *, ** and positional-only parameters cannot be filled in",
                next_step=f"name what it needs: {', '.join(sorted(GIVEN[role]))}",
            )
        if parameter.name in GIVEN[role]:
            found.append(parameter.name)
        elif parameter.default is parameter.empty:
            raise UsageError(
                f"{function.__qualname__}: a {role} is given no {parameter.name!r}",
                next_step=f"it may name: {', '.join(sorted(GIVEN[role]))}",
            )
    return tuple(found)


def source_digest(function: Callable[..., Any]) -> str:
    """Twelve hex digits of the function's source; of its compiled code where there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(function)).encode()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = repr((code.co_code, code.co_consts, code.co_names) if code else function).encode()
    return hashlib.sha256(source).hexdigest()[:12]


def load_plugin(reference: str, role: Role, given: Mapping[str, Plugin] | None = None) -> Plugin:
    """The plug-in that `module:function` names, from those given or by import.

    A module beside the working folder's configuration is found too.

    Raises:
        ConfigError: there is no such module or function, or it is no plug-in of this role.
    """
    found: Any = (given or {}).get(reference)
    if found is None:
        found = find_function(reference)
    if isinstance(found, Plugin) and found.role == role:
        return found
    told = f"a {found.role}" if isinstance(found, Plugin) else "nothing" if found is None else "not decorated"
    raise ConfigError(
        f"python = {reference!r}: a {role} is wanted, and this is {told}",
        next_step=f'decorate the function: @{role}("name", "1"), from solon import {role}',
    )


def find_function(reference: str, key: str = "python") -> Any:
    """What `module:function` names; None where the module has no such thing. `key`: where it stands, for errors.

    Raises:
        ConfigError: not of this form, or the module cannot be imported.
    """
    module_name, _, path = reference.partition(":")
    if not module_name or not path:
        raise ConfigError(f"{key} = {reference!r} is not of the form module:function")
    found = _import(reference, module_name, key)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _import(reference: str, module_name: str, key: str) -> Any:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except Exception as error:  # a foreign module may fail in any way
        raise ConfigError(
            f"{key} = {reference!r}: {type(error).__name__}: {error}",
            next_step="run from the folder that holds the module, or install it; a function that was defined in a "
            "notebook or script must be passed to the project again",
        ) from error
    finally:
        if here in sys.path:
            sys.path.remove(here)


def references(config: Config) -> list[tuple[str, Role]]:
    """Every function that a configuration names, with the role that it shall play."""
    found: list[tuple[str, Role]] = [(j.python, "judge") for j in config.judges if j.python]
    found += [(config.critic.python, "critic")] if config.critic.python else []
    return [*found, *((name, "generator") for name in config.generator.python)]


def add_plugins(config: Config, given: Sequence[Plugin]) -> tuple[Config, dict[str, Plugin]]:
    """A configuration with functions of one's own beside what it names: judges as further seats, generators taking
    their turns with the models, a critic in the place of the model.

    Raises:
        UsageError: not decorated, or a second critic.
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
    """The configuration with the identities of its functions, as a run is pinned to them."""
    identities = {name: load_plugin(name, role, given).identity for name, role in references(config)}
    return config.model_copy(update={"plugins": identities}) if identities else config


def load_all(config: Config, given: Mapping[str, Plugin]) -> dict[str, Plugin]:
    """The functions of a configuration, exactly as it was bound to them.

    Raises:
        ConfigError: one is missing, or is not what the run was begun with.
    """
    found = {}
    for name, role in references(config):
        plugin = load_plugin(name, role, given)
        bound = config.plugins.get(name, plugin.identity)
        if bound != plugin.identity:
            raise ConfigError(
                f"{name} is now {plugin.identity}; the run was begun with {bound}",
                next_step="take the function back as it was, or begin a new run: solon run --new-run --reuse RUN",
            )
        found[name] = plugin
    return found


@dataclass(frozen=True, slots=True)
class Opinion:
    """A judge's answer, as it was seen. `p`: of the first outcome (A, accept), where it was given."""

    verdict: str
    p: float | None = None
    scores: dict[str, float] | None = None
    confidence: float | None = None
    rationale: str = ""


def read_opinion(value: Any, outcomes: Sequence[str], criteria: Sequence[str] = ()) -> Opinion | None:
    """What a judge answered; None where it abstained.

    Raises:
        BadAnswer: neither an outcome nor a probability nor scores.
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
        told = None if sure is None else _share(sure, "confidence")
        return Opinion(inner.verdict, inner.p, inner.scores, told, str(value.get("rationale") or "")[:4000])
    if isinstance(value, Mapping) and criteria:
        return Opinion("", scores={str(k): _score(v, str(k), criteria) for k, v in value.items()})
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadAnswer(f"{value!r:.80} is neither {', '.join(outcomes)}, tie, None nor a probability")
    if isinstance(value, str):
        if value in outcomes or (value == "tie" and not criteria):
            return Opinion(value)
        raise BadAnswer(f"{value!r:.80} is none of {', '.join(outcomes)}, tie")
    p = _share(value, "probability")
    side = outcomes[0] if p > 0.5 else outcomes[1]
    return Opinion("tie" if p == 0.5 and not criteria else side, p)


def read_findings(value: Any) -> list[dict[str, str]] | None:
    """What a critic found; None where it abstained.

    Raises:
        BadAnswer: not a list of mappings with a known severity.
    """
    if value is None:
        return None
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadAnswer(f"{value!r:.80} is no list of findings")
    found = []
    for entry in value:
        if not isinstance(entry, Mapping) or entry.get("severity") not in SEVERITIES:
            raise BadAnswer(f"{entry!r:.80} has no severity of {', '.join(SEVERITIES)}")
        names = ("severity", "principle", "quote", "suggestion")
        found.append({name: str(entry.get(name) or "")[:2000] for name in names})
    return found


def read_draft(value: Any, *, with_instruction: bool) -> dict[str, str]:
    """What a generator wrote: `response`, and `instruction` where the recipe wants one.

    Raises:
        BadAnswer: no text, or no instruction.
    """
    if isinstance(value, str) and not with_instruction:
        return {"response": value}
    if isinstance(value, Mapping) and isinstance(value.get("response"), str):
        instruction = value.get("instruction")
        if isinstance(instruction, str) and instruction.strip():
            return {"response": value["response"], "instruction": instruction}
        if not with_instruction:
            return {"response": value["response"]}
    wanted = "a mapping with instruction and response" if with_instruction else "a text"
    raise BadAnswer(f"{value!r:.80} is not {wanted}")


def to_json(value: Any) -> str:
    """An answer as it is journalled.

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
