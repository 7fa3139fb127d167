"""The one place where a server's refusals become `solon.errors`: cause, next step, and never a key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from solon.errors import ModelError, ModelRefused, ModelUnavailable, TooLong

_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|maximum model length|max_model_len|(prompt|input|request).{0,40}too long"
    r"|reduce the length|too many (input |prompt )?tokens",
    re.IGNORECASE,
)
_TOO_LONG_CODES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
}
_NO_MODEL = re.compile(
    r"model.{0,120}(not found|does not exist|not exist|unknown|not available)",
    re.IGNORECASE | re.DOTALL,
)
_SHOWN = 300
"""Characters of a server's own words in an error."""
_READ = 4000
"""Characters of a refusal that are looked through for what it is about."""


@dataclass(frozen=True, slots=True)
class Server:
    """Who is called, as far as errors may name it.

    Attributes:
        base_url: without credentials.
        model: the name sent.
        key_env: the environment variable that holds the key; "" when no key is sent.
        key: taken out of every text that leaves; never shown.
        start_hint: how to get this server running.
    """

    base_url: str
    model: str
    key_env: str = ""
    key: str = ""
    start_hint: str = ""

    def __repr__(self) -> str:
        return f"Server({self.base_url!r}, {self.model!r})"

    def without_key(self, text: str) -> str:
        """A text in which `[key]` stands wherever it held the key."""
        return text.replace(self.key, "[key]") if self.key else text


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a server said was wrong, in whatever shape it said it.

    Attributes:
        status: the HTTP status.
        message: the server's words, on one line, shortened and without the key.
        code: its code or type of error; empty without one.
        parameter: the parameter that it complains of; empty without one.
        spoken: whether the body was an error in JSON, not just any text.
        text: the beginning of the whole body, without the key: to look for words in, never shown.
    """

    status: int
    message: str
    code: str
    parameter: str
    spoken: bool
    text: str = ""

    @classmethod
    def read(cls, status: int, body: bytes, server: Server) -> Complaint:
        """Read OpenAI's, vLLM's, llama.cpp's, Ollama's or FastAPI's error body, or plain text."""
        text = body.decode("utf-8", "replace")
        parsed: Any = None
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            pass
        inner = parsed.get("error", parsed) if isinstance(parsed, dict) else None
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or text
            code = str(inner.get("code") or "")
            code = code if code and not code.isdigit() else str(inner.get("type") or "")
            parameter = str(inner.get("param") or "")
        else:
            message, code, parameter = inner if isinstance(inner, str) else text, "", ""
        shown = server.without_key(" ".join(str(message).split()))
        shown = shown[:_SHOWN] + ("…" if len(shown) > _SHOWN else "")
        return cls(
            status,
            shown,
            server.without_key(code),
            parameter,
            isinstance(inner, dict | str),
            server.without_key(text[:_READ]),
        )

    @property
    def no_model(self) -> bool:
        """Whether the server says that it has no such model."""
        return self.code == "model_not_found" or (self.spoken and bool(_NO_MODEL.search(self.message)))

    @property
    def too_long(self) -> bool:
        """Whether the server says that the prompt does not fit its context."""
        return self.status in (400, 413, 422) and (
            self.code in _TOO_LONG_CODES or bool(_TOO_LONG.search(self.message))
        )

    @property
    def out_of_quota(self) -> bool:
        """Whether the quota is used up: a 429 that goes on however long one waits."""
        return self.code in ("insufficient_quota", "billing_hard_limit_reached")


_OF_ONE_REQUEST = (400, 413, 415, 422)
"""Statuses that may speak of what one request holds."""


class Refusal(ModelRefused):
    """A `ModelRefused` that keeps what the server complained of."""

    def __init__(self, cause: str, *, complaint: Complaint, next_step: str = "") -> None:
        super().__init__(cause, next_step=next_step)
        self.complaint = complaint
        self.systemic = complaint.status not in _OF_ONE_REQUEST or complaint.no_model


def refused(complaint: Complaint, server: Server, served: list[str] | None = None) -> ModelError:
    """The error for a server's final answer of 4xx or 3xx. `served`: the models that the server offers; None
    where it did not say."""
    where, words = server.base_url, f": {complaint.message}" if complaint.message else ""
    status = complaint.status
    if complaint.too_long:
        return TooLong(
            f"{server.model} at {where} says that the prompt does not fit its context{words}",
            next_step="shorten the seed or lower max_tokens; set `context` of this model so that it is known before",
        )
    if status in (401, 403):
        if server.key_env:
            step = f"check the key in the environment variable {server.key_env}"
        else:
            step = "set api_key_env of this model to the environment variable that holds the key"
        return Refusal(
            f"{where} refused the key for {server.model} (HTTP {status}){words}",
            complaint=complaint,
            next_step=step,
        )
    if complaint.no_model or (status == 404 and served):
        offer = f"it serves: {', '.join(served[:8])}" if served else "see which models the server offers"
        return Refusal(
            f"there is no model {server.model!r} at {where} (HTTP {status}){words}",
            complaint=complaint,
            next_step=f"{offer}; mend `model` in the configuration",
        )
    if status == 404:
        return Refusal(
            f"there are no chat completions at {where} (HTTP 404){words}",
            complaint=complaint,
            next_step="check base_url; for most servers it ends in /v1",
        )
    if 300 <= status < 400:
        return Refusal(
            f"{where} sends requests elsewhere (HTTP {status}); keys and texts are not sent along",
            complaint=complaint,
            next_step="set base_url to the address that it points to",
        )
    if complaint.out_of_quota:
        return Refusal(
            f"{where} says that the quota is used up (HTTP {status}){words}",
            complaint=complaint,
            next_step="raise the quota or take another key, then run `solon resume`",
        )
    return Refusal(
        f"{where} did not accept the request to {server.model} (HTTP {status}){words}",
        complaint=complaint,
        next_step="check the model's settings and `options` in the configuration",
    )


def unavailable(reason: str, server: Server, tries: int, *, unreachable: bool = False) -> ModelUnavailable:
    """The error where no usable answer came after all tries.

    Args:
        reason: in words, without anything of the prompt.
        tries: how many requests were sent.
        unreachable: nothing was there to answer, so that the next step is to start the server.
    """
    many = f" after {tries} tries" if tries > 1 else ""
    if unreachable:
        step = server.start_hint or "start the server, or mend base_url; then run `solon resume`"
    else:
        step = (
            "run `solon resume` later; fewer calls in flight (`concurrency`) or a longer `timeout` may help"
        )
    error = ModelUnavailable(
        server.without_key(f"no answer from {server.model} at {server.base_url}{many}: {reason}"),
        next_step=step,
    )
    error.systemic = unreachable
    return error


def foreign(error: Exception, name: str) -> ModelError:
    """What the chat model of another library raised, as one of Solon's errors.

    Which one is decided by what the clients of the large providers have in common: an HTTP status on the
    error or on its response, or a class name that speaks of time or connection. Nothing of the request is
    repeated.
    """
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    else:
        places = (
            getattr(error, "status_code", 0),
            getattr(response, "status_code", 0),
            getattr(error, "code", 0),
        )
        status = next((place for place in places if place), 0)
    status = status if isinstance(status, int) else 0
    kind = type(error).__name__
    words = " ".join(str(error).split())[:_SHOWN]
    if status in (400, 413, 422) and _TOO_LONG.search(words):
        return TooLong(f"{name} says that the prompt does not fit its context: {words}")
    passing = status in (408, 409, 429) or status >= 500 or isinstance(error, OSError | TimeoutError)
    if passing or re.search(r"timeout|connect|unavailable|overloaded|throttl|ratelimit", kind, re.IGNORECASE):
        what = f"HTTP {status}" if status else kind
        return ModelUnavailable(
            f"no answer from {name}: {what}: {words}",
            next_step="check the network and run `solon resume` later",
        )
    step = f"check the key in the environment and the model's name ({name})"
    if status not in (401, 403, 404):
        step = "check the model's settings and `options` in the configuration"
    return Refusal(
        f"{name} did not accept the request ({kind}, HTTP {status or '?'}): {words}",
        complaint=Complaint(status, words, "", "", spoken=True, text=str(error)[:_READ]),
        next_step=step,
    )


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait as `Retry-After` (RFC 9110, 10.2.3: seconds or a date) or OpenAI's `retry-after-ms` says;
    None where neither does."""
    milliseconds = headers.get("retry-after-ms")
    value = headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if value is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", value):
            return float(value)
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
