"""Optional features of a request, and what is sent in their place to a model that refuses one. No I/O.

A server that does not take a feature says so with a 4xx in words of its own. `Dialect.send` finds out which feature is
meant, from the words or else by leaving out one after the other, sends the request without it, and remembers that for
the model. Requests are OpenAI's JSON: `messages` and parameters by their names there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from solon.agents.models.failures import Complaint, Refusal
from solon.agents.models.tries import OF_CALL, ask_leave
from solon.errors import ModelRefused
from solon.observers import Observer

T = TypeVar("T")
Request = dict[str, Any]

log = logging.getLogger(__name__)
_log_watcher = Observer("a handler of the log")

MOST_FORMS = 16
"""Other forms of a request that one call may try."""
LEAST_ROOM = 16
"""Tokens. Tried as the smallest `max_tokens` where a server refuses fewer without saying how many it wants."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a model takes a feature; as it stands here, wholly.

    Attributes:
        off: not at all.
        least: the smallest value that it takes; None where none is known.
        most: the largest value that it takes; None where none is known.
        form: the form or name that it takes in place of the usual one; empty for the usual one.
    """

    off: bool = False
    least: float | None = None
    most: float | None = None
    form: str = ""


OFF = Limit(off=True)


class Unsupported(ModelRefused):
    """The model does not take a feature without which the answer would be of no use; nothing was answered.

    Attributes:
        sent: whether a request was sent before this was known.
    """

    def __init__(self, feature: Feature, model: str, *, sent: bool) -> None:
        super().__init__(
            f"{model} does not take {feature.name}", next_step=f"set `{feature.key}` of this model"
        )
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a request may hold and that a model may refuse.

    Attributes:
        name: as it is told, and as it is remembered.
        words: what a refusal of it speaks of.
        uses: whether a request holds it.
        limited: a request under a limit, which is not changed in place.
        weaker: the limits to try next, the mildest first, for a request that was refused under a limit with these
            words.
        key: of a model in `solon.toml`, which helps where the run cannot go on by itself.
        by_value: whether a model that took it once may refuse it with another value.
    """

    name: str
    words: re.Pattern[str]
    uses: Callable[[Request], bool]
    limited: Callable[[Request, Limit], Request]
    weaker: Callable[[Request, Limit, str], list[Limit]]
    key: str
    by_value: bool = False


_NUMBER = r"[^\d\n-]{0,40}?(-?\d+(?:\.\d+)?)"
_LEAST = re.compile(
    r"(?:>=|≥|at least|greater than or equal|no less than|not be (?:less|smaller|lower) than"
    r"|minimum|min(?![\w-])|lower (?:limit|bound))" + _NUMBER,
    re.IGNORECASE,
)
_MOST = re.compile(
    r"(?:<=|≤|at most|less than or equal|no more than|not (?:be )?(?:greater|more|larger|higher) than"
    r"|exceed\w*|maximum|max(?![\w-])|up to|upper (?:limit|bound))" + _NUMBER,
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"(?:between|range|within|in)\s*(?:of\s*)?[\[(]?\s*(-?\d+(?:\.\d+)?)\s*(?:and|to|,|-|\.\.+|…)\s*(-?\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"positive|(?:greater|larger|more|bigger) than (?:zero|0(?:\.0)?\b)|>\s*0(?:\.0)?\b", re.I
)
_UNKNOWN = re.compile(
    r"unsupported|not (?:be )?(?:supported|permitted|allowed|recogni[sz]ed|available)|unknown|unrecogni[sz]ed"
    r"|unexpected|does(?: not|n't) support|extra |instead|deprecated",
    re.IGNORECASE,
)


def _narrowed(limit: Limit, value: float, words: str) -> Limit | None:
    """The limit with the bound that the words name, where that moves the value."""
    if between := _BETWEEN.search(words):
        least, most = float(between[1]), float(between[2])
        if least <= most and not least <= value <= most:
            return replace(limit, least=least, most=most)
    for match in _LEAST.finditer(words):
        if float(match[1]) > value:
            return replace(limit, least=float(match[1]))
    for match in _MOST.finditer(words):
        if float(match[1]) < value:
            return replace(limit, most=float(match[1]))
    return None


def _bounded(value: float, limit: Limit) -> float:
    whole = isinstance(value, int)
    value = value if limit.least is None else max(value, limit.least)
    value = value if limit.most is None else min(value, limit.most)
    return int(value) if whole and value == int(value) else value


def _with(request: Request, name: str, value: Any) -> Request:
    """The request with another value under a name; None: without it."""
    changed = {key: entry for key, entry in request.items() if key != name}
    return changed if value is None else {**changed, name: value}


def _parameter(name: str, words: str) -> Feature:
    """A parameter that is left out where a model refuses it."""
    return Feature(
        name=name,
        words=re.compile(words, re.IGNORECASE),
        uses=lambda request: request.get(name) is not None,
        limited=lambda request, limit: _with(request, name, None) if limit.off else request,
        weaker=lambda request, limit, words: [OFF],
        key=name,
    )


def _heat(request: Request, limit: Limit) -> Request:
    value = None if limit.off else _bounded(request["temperature"], limit)
    return _with(request, "temperature", value)


def _cooler(request: Request, limit: Limit, words: str) -> list[Limit]:
    value = request["temperature"]
    narrowed = _narrowed(limit, value, words)
    if narrowed is None and value == 0 and _POSITIVE.search(words):
        narrowed = replace(limit, least=0.01)
    return [narrowed, OFF] if narrowed is not None else [OFF]


def _alternatives(request: Request, limit: Limit) -> Request:
    if limit.off:
        return _with(_with(request, "logprobs", None), "top_logprobs", None)
    return _with(request, "top_logprobs", int(_bounded(request.get("top_logprobs") or 0, limit)))


_ALTERNATIVES = 5.0
"""Tried as the largest `top_logprobs` where a server refuses more without saying how many it gives."""
_TOP = re.compile(r"top[ _-]?log", re.I)


def _fewer(request: Request, limit: Limit, words: str) -> list[Limit]:
    value = int(request.get("top_logprobs") or 0)
    narrowed = _narrowed(limit, value, words)
    if narrowed is not None and (narrowed.most or 0) >= 1:
        return [narrowed, OFF]
    whole = _UNKNOWN.search(words) and not _TOP.search(words)
    return [OFF] if whole or value <= _ALTERNATIVES else [replace(limit, most=_ALTERNATIVES), OFF]


_LENGTHS = ("max_tokens", "max_completion_tokens")


def _room(request: Request) -> int:
    return int(request.get(_LENGTHS[0]) or request.get(_LENGTHS[1]) or 0)


def _length(request: Request, limit: Limit) -> Request:
    value = _room(request)
    bare = _with(_with(request, _LENGTHS[0], None), _LENGTHS[1], None)
    return bare if limit.off else {**bare, limit.form or _LENGTHS[0]: int(_bounded(value, limit))}


def _longer(request: Request, limit: Limit, words: str) -> list[Limit]:
    value = _room(request)
    narrowed = _narrowed(limit, value, words)
    if narrowed is not None and (narrowed.most is None or narrowed.most >= 1):
        return [narrowed]
    if limit.form == _LENGTHS[0]:
        return [OFF]  # neither name is taken
    renamed = replace(limit, form=_LENGTHS[limit.form != _LENGTHS[1]])
    larger = [replace(limit, least=float(LEAST_ROOM))] if value < LEAST_ROOM else []
    return [renamed, *larger] if _UNKNOWN.search(words) else [*larger, renamed]


_JSON = "Answer with one JSON object and nothing else."


def schema_in_words(schema: Mapping[str, Any]) -> str:
    """What a model is told in words of the schema that its server does not enforce."""
    written = json.dumps(schema, separators=(",", ":"))
    return f"{_JSON} It must follow this JSON schema:\n{written}"


def _schema(request: Request, limit: Limit) -> Request:
    wanted = request["response_format"]
    if wanted.get("type") == "json_schema":
        text = schema_in_words(wanted["json_schema"].get("schema") or {})
    else:
        text = _JSON
        if not limit.off:
            return request
    (first, *rest) = request["messages"] or [{"role": "system", "content": ""}]
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        messages = [{**first, "content": f"{first['content']}\n\n{text}".strip()}, *rest]
    else:
        messages = [{"role": "system", "content": text}, first, *rest]
    told = {**request, "messages": messages}
    return _with(told, "response_format", None if limit.off else {"type": limit.form})


def _looser(request: Request, limit: Limit, words: str) -> list[Limit]:
    strict = request["response_format"].get("type") == "json_schema"
    return [Limit(form="json_object"), OFF] if strict else [OFF]


_SYSTEM = ("system", "developer")


def _has_system(request: Request) -> bool:
    messages = request["messages"]
    return bool(messages) and any(message.get("role") in _SYSTEM for message in messages)


def _folded(request: Request, limit: Limit) -> Request:
    """What a system message says stands at the head of the first question."""
    if not limit.off:
        return request
    head = "\n\n".join(str(m["content"]) for m in request["messages"] if m.get("role") in _SYSTEM)
    rest = [m for m in request["messages"] if m.get("role") not in _SYSTEM]
    if rest and rest[0].get("role") == "user":
        content = rest[0]["content"]
        joined = (
            f"{head}\n\n{content}" if isinstance(content, str) else [{"type": "text", "text": head}, *content]
        )
        messages = [{**rest[0], "content": joined}, *rest[1:]]
    else:
        messages = [{"role": "user", "content": head}, *rest]
    return {**request, "messages": messages}


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="logprobs beside a schema",
        words=re.compile(r"log[ _-]?prob", re.I),
        uses=lambda request: bool(request.get("logprobs")) and bool(request.get("response_format")),
        limited=_alternatives,
        weaker=_fewer,
        key="logprobs = false",
        by_value=True,
    ),
    Feature(
        name="response_format",
        words=re.compile(
            r"response[_ ]?(?:format|schema|mime)|json|schema|structured|guided|grammar|constrained", re.I
        ),
        uses=lambda request: isinstance(request.get("response_format"), dict),
        limited=_schema,
        weaker=_looser,
        key="json_schema = false",
        by_value=True,
    ),
    Feature(
        name="logprobs",
        words=re.compile(r"log[ _-]?prob", re.I),
        uses=lambda request: bool(request.get("logprobs")) and not request.get("response_format"),
        limited=_alternatives,
        weaker=_fewer,
        key="logprobs = false",
        by_value=True,
    ),
    Feature(
        name="system role",
        words=re.compile(
            r"(?<![a-z])system|developer|instruction|(?<![a-z])roles?(?![a-z])|alternat|chat[ _]template",
            re.I,
        ),
        uses=_has_system,
        limited=_folded,
        weaker=lambda request, limit, words: [OFF],
        key="model",
    ),
    _parameter("seed", r"(?<![a-z])seed|determinis|reproduc"),
    _parameter("stop", r"(?<![a-z])stop(?![a-z])|stop_?sequence"),
    _parameter("top_p", r"top[_ -]?p(?![a-z])|nucleus|sampling"),
    Feature(
        name="temperature",
        words=re.compile(r"temperature|sampling", re.I),
        uses=lambda request: request.get("temperature") is not None,
        limited=_heat,
        weaker=_cooler,
        key="temperature",
        by_value=True,
    ),
    Feature(
        name="max_tokens",
        words=re.compile(
            r"max(?:imum)?[_ ]?(?:completion|output|new|response|generated)?[_ ]?tokens"
            r"|(?:completion|output|new)[_ ]tokens|num_predict",
            re.I,
        ),
        uses=lambda request: _room(request) > 0,
        limited=_length,
        weaker=_longer,
        key="max_tokens",
        by_value=True,
    ),
)
_BY_NAME = {feature.name: feature for feature in FEATURES}
_INSTEAD = {
    "response_format": "the schema is told in words",
    "logprobs": "judges are asked in JSON",
    "logprobs beside a schema": "scores are whole numbers",
    "system role": "its text stands at the head of the question",
}


def tell(name: str, limit: Limit) -> str:
    """A learned limit in words: what the model does not take, and what is done in its place."""
    if limit.off:
        return f"does not take {name}; {_INSTEAD.get(name, 'it is left out')}"
    bounds = [
        f"at {side} {bound:g}"
        for side, bound in (("least", limit.least), ("most", limit.most))
        if bound is not None
    ]
    shown = f"top_{name}" if name == "logprobs" else name
    wants = [
        *([limit.form] if limit.form else []),
        *([f"{shown} of {' and '.join(bounds)}"] if bounds else []),
    ]
    return f"wants {' with '.join(wants)}; that is sent"


@dataclass(slots=True)
class Dialect:
    """What one model takes of the features of a request, as far as its refusals have told. Shared by all its calls.

    Attributes:
        name: of the model, for the log.
        limits: by the feature's name.
        extra: names of the fields that the configuration adds to every request.
        on_learned: called with `limits` after each new one; None: nobody wants to know.
    """

    name: str = "the model"
    limits: dict[str, Limit] = field(default_factory=dict)
    extra: frozenset[str] = frozenset()
    on_learned: Callable[[Mapping[str, Limit]], None] | None = None
    _proved: set[tuple[str, ...]] = field(default_factory=set)
    _version: int = 0
    _locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(
        default_factory=weakref.WeakKeyDictionary
    )

    def lacks(self, name: str) -> bool:
        """Whether the model does not take a feature at all."""
        return name in self.limits and self.limits[name].off

    @property
    def left_out(self) -> list[str]:
        """The parameters that are left out of its requests, by name and in order."""
        names = {name for name, limit in self.limits.items() if limit.off}
        return sorted(names | ({"top_logprobs"} if "logprobs" in names else set()))

    def shape(self, request: Request, limits: Mapping[str, Limit] | None = None) -> Request:
        """The request as this model takes it; the very same object where nothing is known against it."""
        limits = self.limits if limits is None else limits
        if not limits:
            return request
        for feature in FEATURES:
            limit = limits.get(feature.name)
            if limit is not None and feature.uses(request):
                request = feature.limited(request, limit)
        return request

    async def send(self, request: Request, post: Callable[[Request], Awaitable[T]]) -> T:
        """Post a request in the form that the model takes, and find that form out where it refuses the usual one.

        Every further request asks leave first, so that it counts under the limits of a run.

        Raises:
            Unsupported: it does not take what the call cannot do without.
            Refusal: as posted, where no form helps; the next step names the key of the configuration that may.
        """
        for turn in range(MOST_FORMS):
            self._check_needs(request, sent=turn > 0)
            if turn:
                await ask_leave()
            version, shaped = self._version, self.shape(request)
            try:
                answer = await post(shaped)
            except Refusal as refusal:
                if not _may_be_about_a_feature(refusal.complaint):
                    raise
                async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                    if self._version == version:
                        return await self._search(request, shaped, refusal, post)
                last = refusal  # another call has found out meanwhile
            else:
                self._proved.add(_outline(shaped))
                return answer
        raise last

    def _check_needs(self, request: Request, *, sent: bool) -> None:
        tries = OF_CALL.get()
        for name in tries.needs if tries is not None else ():
            if self.lacks(name) and _BY_NAME[name].uses(request):
                raise Unsupported(_BY_NAME[name], self.name, sent=sent)

    async def _search(
        self, request: Request, shaped: Request, refusal: Refusal, post: Callable[[Request], Awaitable[T]]
    ) -> T:
        """Post weaker forms until one is accepted. A form that draws another complaint of a feature is kept, and gone
        on from."""
        trials = self._trials(shaped, refusal.complaint)
        for _ in range(MOST_FORMS):
            limits, named = next(trials, ({}, False))
            if not limits:
                break
            if named and self._needed(limits):
                self._learn(limits)
                self._check_needs(request, sent=True)
            trial = self.shape(request, {**self.limits, **limits})
            await ask_leave()
            try:
                answer = await post(trial)
            except Refusal as second:
                if not _may_be_about_a_feature(second.complaint):
                    raise
                if named and _differ(second.complaint, refusal.complaint):
                    self._learn(limits)
                    shaped, refusal = trial, second
                    trials = self._trials(shaped, refusal.complaint)
            else:
                self._learn(limits)
                self._proved.add(_outline(trial))
                return answer
        self._proved.add(_outline(shaped))  # no form helps: the next such request is not taken apart again
        raise self._with_key(refusal, request)

    def _trials(self, shaped: Request, complaint: Complaint) -> Iterator[tuple[dict[str, Limit], bool]]:
        """Limits to try on a refused request, and whether its refusal named the feature: first what it named, then,
        where no such request was ever answered, one feature after the other, and at last all at once."""
        proved = _outline(shaped) in self._proved
        used = [feature for feature in FEATURES if feature.uses(shaped)]
        named = _named(used, complaint)
        others = [] if proved or complaint.status not in _WORDLESS else [f for f in used if f not in named]
        for feature in [*named, *others]:
            if proved and not feature.by_value:
                continue
            known = self.limits.get(feature.name, Limit())
            for limit in feature.weaker(shaped, known, complaint.text or complaint.message):
                yield {feature.name: limit}, feature in named
        if others and len(used) > 1:
            yield {feature.name: OFF for feature in used if feature.name != "max_tokens"}, False

    def _needed(self, limits: Mapping[str, Limit]) -> bool:
        tries = OF_CALL.get()
        return tries is not None and any(limits[name].off for name in tries.needs if name in limits)

    def _learn(self, limits: Mapping[str, Limit]) -> None:
        self.limits = {**self.limits, **limits}
        self._version += 1
        for name, limit in limits.items():
            _log_watcher.call(log.warning, "%s %s", self.name, tell(name, limit))
        if self.on_learned is not None:
            self.on_learned(self.limits)

    def _with_key(self, refusal: Refusal, request: Request) -> Refusal:
        """The refusal with the keys of the configuration that may help, where it names what they stand for."""
        named = _named([feature for feature in FEATURES if feature.uses(request)], refusal.complaint)
        keys = [f"`{feature.key}`" for feature in named]
        words = refusal.complaint.text or refusal.complaint.message
        keys += [f"`options.extra_body.{name}`" for name in sorted(self.extra) if name in words]
        if keys:
            refusal.next_step = (
                f"set {' or '.join(keys)} of this model in solon.toml; see `solon doctor --probe`"
            )
        return refusal


_WORDLESS = (400, 415, 422, 501)
"""With these a server may refuse a feature without naming it."""
_NEVER = (401, 402, 407, 408, 413, 429)


def _may_be_about_a_feature(complaint: Complaint) -> bool:
    client = 400 <= complaint.status < 500 and complaint.status not in _NEVER
    about_else = complaint.out_of_quota or complaint.code == "model_not_found"
    return (client or complaint.status == 501) and not about_else


def _named(used: list[Feature], complaint: Complaint) -> list[Feature]:
    """The features that a refusal speaks of: in the parameter that it gives, else in its message, else anywhere."""
    for words in (complaint.parameter, complaint.message, complaint.text):
        found = [feature for feature in used if words and feature.words.search(words)]
        if found:
            return found
    return []


_CHANGING = re.compile(r"[0-9a-f-]*\d[0-9a-f-]*", re.IGNORECASE)


def _differ(one: Complaint, other: Complaint) -> bool:
    """Whether two refusals complain of different things; numbers and ids in them do not count."""
    return (one.status, one.parameter, _CHANGING.sub("#", one.message)) != (
        other.status,
        other.parameter,
        _CHANGING.sub("#", other.message),
    )


def _outline(request: Request) -> tuple[str, ...]:
    """What a request holds, without the values."""
    messages = request["messages"]
    return (*request, str(messages[0].get("role")) if messages else "")
