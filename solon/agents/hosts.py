"""Where calls may go: the host of every model, held against `privacy.allowed_hosts` before its first call."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from solon.config import Config
from solon.config.sections import GIVEN, ModelConfig
from solon.errors import ConfigError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

IN_PROCESS = ("builtin", "gguf", "scripted", "vllm", GIVEN)
_ADDRESSES = (
    "base_url",
    "openai_api_base",
    "azure_endpoint",
    "endpoint",
    "anthropic_api_url",
    "endpoint_url",
)


def check_host(config: Config, name: str, chat: BaseChatModel, *, given: bool) -> None:
    """Refuse a model whose server is not allowed.

    Every model is checked where the seeds are personal, and wherever `allowed_hosts` names any. A function of one's
    own (`python = ...`) is not: what it opens is its author's word.

    Args:
        given: the chat model was passed from Python, so that the configuration says nothing of where it calls.

    Raises:
        ConfigError: naming the model and its host.
    """
    privacy = config.privacy
    if privacy.class_ != "personal" and not privacy.allowed_hosts:
        return
    address = address_of(config.models[name], chat, given=given)
    if address == "":
        return
    label = f"models.{name} ({config.models[name].model})"
    rule = f"privacy.class is {privacy.class_}"
    if address is None:
        raise ConfigError(
            f"{label}: {rule}, and where this model's calls go cannot be told",
            next_step="give it a base_url whose host stands in privacy.allowed_hosts, or take a local model",
        )
    parts = urlsplit(address if "//" in address else f"//{address}")
    host = (parts.hostname or "").lower()
    if is_loopback(host) or host in _named(privacy.allowed_hosts):
        return
    if f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}" in _named(privacy.allowed_hosts):
        return
    allowed = ", ".join(privacy.allowed_hosts) or "none but this machine"
    raise ConfigError(
        f"{label}: {rule}, and its host {host!r} is not in privacy.allowed_hosts ({allowed}); nothing was sent",
        next_step="take a model inside the house, or add the host where texts may go there",
    )


def address_of(config: ModelConfig, chat: BaseChatModel, *, given: bool) -> str | None:
    """The address that a model calls; "" for one inside this process, None where it cannot be told."""
    for attribute in _ADDRESSES:
        value = getattr(chat, attribute, None)
        if value:
            return str(value)
    if config.provider in IN_PROCESS and (not given or type(chat).__module__.startswith("solon.")):
        return ""
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine: `localhost`, `::1` or an address in 127.0.0.0/8."""
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())


def _named(hosts: tuple[str, ...]) -> set[str]:
    return {
        host.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/") for host in hosts
    }
