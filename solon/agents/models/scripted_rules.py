"""The rules of the scripted fake: which call gets which answer or failure. Plain data, read from a JSON file."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from solon.errors import ConfigError

Failure = Literal["timeout", "unavailable", "rate_limit", "refused", "too_long", "garbage", "empty", "cut"]
Leaning = Literal["length", "position", "self", "sycophancy"]
Rate = Annotated[float, Field(ge=0, le=1)]


class Rule(BaseModel):
    """If everything named here fits the call, this is its answer; the first rule that fits counts.

    Attributes:
        role: generator, critic, judge, resolver, ...
        prompt: regular expression, searched in all messages together.
        schema_name: name of the JSON schema asked for; "" fits calls that ask for none.
        answer: text, or an object sent as JSON. `$role`, `$seed`, `$temperature` and named groups of `prompt` are
            filled in texts. Of a list, one is picked by the hash of the call.
        probabilities: token -> probability of the first token, e.g. {"A": 0.7, "B": 0.3}; the likeliest is the answer.
        fail: how the call goes wrong, instead of an answer.
        rate: share of the fitting calls that the rule takes, picked by the hash of the call.
        times: the rule takes this many calls of a model object, then no more.
        latency: seconds until the answer.
        finish_reason: as reported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    role: str | None = None
    prompt: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    answer: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    probabilities: dict[str, Rate] | None = Field(default=None, min_length=1)
    fail: Failure | None = None
    rate: Rate = 1.0
    times: int | None = Field(default=None, ge=1)
    latency: float = Field(default=0.0, ge=0)
    finish_reason: str = "stop"

    @field_validator("prompt")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        if sum(part is not None for part in (self.answer, self.probabilities, self.fail)) > 1:
            raise ValueError("a rule has at most one of: answer, probabilities, fail")
        if isinstance(self.answer, list) and not self.answer:
            raise ValueError("answer is an empty list")
        return self

    def fits(self, role: str, prompt: str, schema: str) -> Mapping[str, str] | None:
        """The named groups of the rule's pattern where the rule fits the call; None where it does not."""
        if self.role is not None and self.role != role:
            return None
        if self.schema_name is not None and self.schema_name != schema:
            return None
        if self.prompt is None:
            return {}
        match = re.search(self.prompt, prompt, re.DOTALL | re.MULTILINE)
        return None if match is None else {k: v or "" for k, v in match.groupdict().items()}


class Script(BaseModel):
    """A file of rules.

    Attributes:
        rules: tried in order.
        otherwise: what answers when no rule does: `default`, `split` (judges disagree) or `refuse`.
        rates: failure -> share of all calls that fail that way, picked by the hash of the call and how often it was
            made, so that asking again can help.
        latency: seconds added to every call.
        leanings: what draws a judge beside what an answer says in its first sentence, in log odds: `length` (for each
            doubling), `position` (to the answer shown first), `self` (to one said to be written by a model) and
            `sycophancy` (to one that experts are said to agree with). None: its taste is a hash of the whole text.
        log: a file that gets one JSON line per call, so that calls can be counted across processes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Rule, ...] = ()
    otherwise: Literal["default", "split", "refuse"] = "default"
    rates: dict[Failure, Rate] = Field(default_factory=dict)
    latency: float = Field(default=0.0, ge=0)
    leanings: Mapping[Leaning, float] | None = None
    log: str | None = None


def read_script(name: str, options: Mapping[str, Any]) -> Script:
    """The script that `scripted:NAME` stands for: `default`, `split`, or the path of a JSON file; options on top.

    Raises:
        ConfigError: no such file, or not a script.
    """
    data: dict[str, Any] = {}
    if name in ("default", "split"):
        data["otherwise"] = name
    else:
        try:
            read = json.loads(Path(name).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"scripted:{name}: the file cannot be read: {error.strerror}",
                next_step="name a JSON file of rules, or scripted:default or scripted:split",
            ) from None
        except ValueError as error:
            raise ConfigError(f"scripted:{name}: the file is not JSON: {error}") from None
        data = {"rules": read} if isinstance(read, list) else read
        if not isinstance(data, dict):
            raise ConfigError(f"scripted:{name}: a JSON object or a list of rules was expected")
    try:
        return Script.model_validate({**data, **options})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"scripted:{name}: {key}: {first['msg']} (saw {first['input']!r:.80})") from None


def fill(template: str | dict[str, Any], values: Mapping[str, Any]) -> str:
    """The answer as text, with the names in it replaced by their values."""
    if isinstance(template, dict):
        return json.dumps(template, ensure_ascii=False)
    return string.Template(template).safe_substitute(values)
