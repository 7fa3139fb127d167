"""The one place where a server's refusals become `solon.errors`: cause, next step, and never a key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

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
            parsed = without_list(json.loads(text))
        except (ValueError, RecursionError):
            pass
        inner = parsed.get("error", parsed) if isinstance(parsed, dict) else None
        return cls._of(status, inner, text, server)

    @classmethod
    def within(cls, body: Mapping[str, Any], server: Server) -> Complaint | None:
        """The complaint inside an answer of 2xx, beside or instead of its choices and however deep; None where the
        answer is one. Its status is the one that the server's code or words stand for."""
        choices = body.get("choices")
        error = _error_in(body)
        if error is None and not (isinstance(choices, list) and choices):
            error = body if _words_of(body) else None
        if error is not None:
            return cls._of(_status_of(error), error, json.dumps(error, ensure_ascii=False), server)
        for choice in choices if isinstance(choices, list) else ():
            reason = finish_reason(choice) if isinstance(choice, Mapping) else ""
            if ending(reason) == "failed":
                return cls._of(502, f"the answer broke off: finish_reason is {reason}", "", server)
        return None

    @classmethod
    def _of(cls, status: int, inner: Any, text: str, server: Server) -> Complaint:
        code = parameter = ""
        message = inner if isinstance(inner, str) else text
        if isinstance(inner, Mapping):
            message = _words_of(inner) or text
            code = str(inner.get("code") or "")
            code = code if code and not code.isdigit() else str(inner.get("type") or "")
            parameter = str(inner.get("param") or "")
        shown = server.without_key(" ".join(str(message).split()))
        shown = shown[:_SHOWN] + ("…" if len(shown) > _SHOWN else "")
        return cls(
            status,
            shown,
            server.without_key(code),
            parameter,
            isinstance(inner, Mapping | str),
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
    def may_pass(self) -> bool:
        """Whether the same request may be answered at another time."""
        return (self.status == 429 and not self.out_of_quota) or (
            self.status >= 500 and self.status != _NEVER_THERE
        )

    @property
    def of_one_request(self) -> bool:
        """Whether it speaks of what this one request holds, not of the key, the model or the server."""
        return self.status in _OF_ONE_REQUEST and not self.no_model

    @property
    def out_of_quota(self) -> bool:
        """Whether the quota is used up: a 429 that goes on however long one waits."""
        return self.code in ("insufficient_quota", "billing_hard_limit_reached")


def without_list(body: Any) -> Any:
    """The one thing in a list of one, as which Google's servers send a body; any other body as it is."""
    return body[0] if isinstance(body, list) and len(body) == 1 else body


_NEVER_THERE = 501
"""Not implemented: the same again however often one asks."""
_OF_ONE_REQUEST = (400, 413, 415, 422)
"""Statuses that may speak of what one request holds."""


_ENDED = {
    *(
        "",
        "stop",
        "stop_sequence",
        "end_turn",
        "eos",
        "eos_token",
        "end",
        "complete",
        "completed",
        "done",
        "success",
    ),
    *(
        "tool_calls",
        "tool_call",
        "tool_use",
        "function_call",
        "finished",
        "finish_reason_unspecified",
        "none",
        "null",
    ),
}
_CUT = {
    "length",
    "max_tokens",
    "max_output_tokens",
    "max_length",
    "model_length",
    "max_new_tokens",
    "token_limit",
}
_CUT |= {"model_context_window_exceeded", "context_length", "incomplete"}
_WITHHELD = re.compile(
    r"filter|safety|refus|recitation|blocklist|prohibited|spii|sensitive|guardrail|moderat|blocked|policy"
)


def finish_reason(choice: Mapping[str, Any]) -> str:
    """Why a choice of a chat completion ended, in the server's word, `refusal` where the model refused in a field of
    its own; empty where it does not tell."""
    message, reason = choice.get("message"), choice.get("finish_reason")
    if isinstance(message, Mapping) and message.get("refusal") and not message.get("content"):
        return "refusal"
    if isinstance(reason, Mapping):
        reason = reason.get("type")
    return str(reason or "")


def ending(reason: str) -> Literal["whole", "cut", "withheld", "failed"]:
    """What a finish_reason, in any provider's word, says of an answer: it is whole, it ran out of room, it was
    withheld (and would be again), or it broke off."""
    word = reason.strip().lower()
    if word in _ENDED:
        return "whole"
    if word in _CUT:
        return "cut"
    return "withheld" if _WITHHELD.search(word) else "failed"


_HOLDERS = (
    "error",
    "errors",
    "choices",
    "message",
    "delta",
    "data",
    "result",
    "response",
    "detail",
    "output",
    "body",
)
"""Where an error stands in an answer. What filters tell of themselves is none: the answer beside it is good."""
_WORDS = (
    "message",
    "detail",
    "msg",
    "error_msg",
    "error_message",
    "errorMessage",
    "description",
    "status_msg",
)
_CODES = ("code", "status_code", "status", "http_code", "http_status", "error_code", "type", "name")
_FINE = {"0", "200", "ok", "success", "none", "null", "false", ""}
_NAMED: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), status)
    for pattern, status in (
        (
            r"unauthori[sz]ed|unauthenticated|authenticat|(invalid|incorrect|wrong|bad|missing).{0,12}\bkey\b",
            401,
        ),
        (r"permission.?denied|forbidden", 403),
        (r"insufficient_quota|billing|rate.?limit|too.?many.?requests|resource.?exhausted|throttl", 429),
        (r"overloaded|unavailable|timeout|timed out|server.?error|upstream", 503),
        (r"(invalid|bad).?(request|argument)|context_length|unsupported|not.?found", 400),
    )
)


def _error_in(node: Any, depth: int = 0) -> Any:
    """The innermost error in an answer of JSON; None without one."""
    if isinstance(node, list):
        return next(
            (found for entry in node[:64] if (found := _error_in(entry, depth + 1)) is not None), None
        )
    if not isinstance(node, dict) or depth > 8:
        return None
    for name in filter(node.__contains__, _HOLDERS):
        inner = node[name]
        if isinstance(inner, (dict, list)) and (found := _error_in(inner, depth + 1)) is not None:
            return found
    for name in filter(node.__contains__, ("error", "errors")):
        error = node[name]
        error = error[0] if isinstance(error, list) and error else error
        if error is True:
            error = {**node, name: None}
        if isinstance(error, Mapping) and (_words_of(error) or _code_of(error)):
            beside = {key: node[key] for key in _CODES[:6] if key in node and not _code_of(error)}
            return {**beside, **error}
        if isinstance(error, str) and error.strip().lower() not in _FINE:
            return error
    return None


def _words_of(error: Mapping[str, Any]) -> str:
    """What an error says, with what it repeats of the server behind it; empty where it says nothing."""
    words = next(
        (value for name in _WORDS if isinstance(value := error.get(name), str) and value.strip()), ""
    )
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    words = f"{words}: {raw}" if isinstance(raw, str) and raw not in words else words
    return "" if words.strip().lower() in _FINE else words


def _code_of(error: Mapping[str, Any]) -> str:
    codes = (str(error.get(name) or "") for name in _CODES)
    return next((code for code in codes if code.lower() not in _FINE), "")


def _status_of(error: Any) -> int:
    """The HTTP status that an error stands for, by its code, else by its words; 500 where it does not tell."""
    told = [str(error.get(name) or "") for name in _CODES] if isinstance(error, Mapping) else []
    for code in told:
        if found := re.fullmatch(r"\s*([45]\d\d)(\d\d)?(\.0)?\s*", code):
            return int(found[1])
    words = str(error if isinstance(error, str) else _words_of(error))
    if found := re.search(r"(?:\b(?:HTTP|status|code)\D{0,10}|^\s*)([45]\d\d)\b", words, re.IGNORECASE):
        return int(found[1])
    for text in (*told, words):
        for pattern, status in _NAMED:
            if pattern.search(text):
                return status
    return 500


class Refusal(ModelRefused):
    """A `ModelRefused` that keeps what the server complained of."""

    def __init__(self, cause: str, *, complaint: Complaint, next_step: str = "") -> None:
        super().__init__(cause, next_step=next_step)
        self.complaint = complaint
        self.systemic = not complaint.of_one_request


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


def unavailable(
    reason: str,
    server: Server,
    tries: int,
    *,
    unreachable: bool = False,
    next_step: str = "",
    of_item: bool = False,
) -> ModelUnavailable:
    """The error where no usable answer came after all tries.

    Args:
        reason: in words, without anything of the prompt.
        tries: how many requests were sent.
        unreachable: nothing was there to answer, so that the next step is to start the server.
        next_step: what fits this reason; empty: to try again later.
        of_item: the server answers, and what it said cannot be used.
    """
    many = f" after {tries} tries" if tries > 1 else ""
    if unreachable:
        step = server.start_hint or "start the server, or mend base_url; then run `solon resume`"
    elif next_step:
        step = next_step
    else:
        step = (
            "run `solon resume` later; fewer calls in flight (`concurrency`) or a longer `timeout` may help"
        )
    error = ModelUnavailable(
        server.without_key(f"no answer from {server.model} at {server.base_url}{many}: {reason}"),
        next_step=step,
    )
    error.systemic, error.of_item = unreachable, of_item
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
