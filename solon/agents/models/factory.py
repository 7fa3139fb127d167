"""From a `ModelConfig` to a chat model, by an allow-list of providers. Model libraries are imported when asked for."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from solon.agents.models.capabilities import BUILTIN_CONTEXT, Capabilities, capabilities_of
from solon.agents.models.tokens import count_tokens
from solon.config.sections import BUILTIN, GIVEN, ModelConfig
from solon.errors import ConfigError, EngineError

__all__ = ["Capabilities", "capabilities_of", "count_tokens", "make_chat_model", "providers"]


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A provider that LangChain has a package for.

    Attributes:
        package: to install, and (with underscores) to import.
        class_name: the chat model in it.
        key_env: where its key is by custom; "" where it needs none or finds its own.
    """

    package: str
    class_name: str
    key_env: str = ""


_LANGCHAIN: dict[str, _Elsewhere] = {
    "anthropic": _Elsewhere("langchain-anthropic", "ChatAnthropic", "ANTHROPIC_API_KEY"),
    "google_genai": _Elsewhere("langchain-google-genai", "ChatGoogleGenerativeAI", "GOOGLE_API_KEY"),
    "mistralai": _Elsewhere("langchain-mistralai", "ChatMistralAI", "MISTRAL_API_KEY"),
    "groq": _Elsewhere("langchain-groq", "ChatGroq", "GROQ_API_KEY"),
    "bedrock_converse": _Elsewhere("langchain-aws", "ChatBedrockConverse"),
}
_ALIASES = {"bedrock": "bedrock_converse", "google": "google_genai", "mistral": "mistralai"}
_OPENAI_KEY = "OPENAI_API_KEY"
OLLAMA_URL = "http://127.0.0.1:11434/v1"


def providers() -> list[str]:
    """The names of the providers that a configuration may use."""
    return sorted([*_OWN, *_LANGCHAIN, *_ALIASES])


def make_chat_model(config: ModelConfig) -> BaseChatModel:
    """The chat model that a configuration names as `provider:model`.

    Nothing is sent and no file is loaded yet. Close it with its `aclose()` where it has one.

    Raises:
        ConfigError: unknown provider, a key that is missing, a bad base_url or option, no such file.
        EngineError: a package or the weights that the model runs on are missing.
    """
    check_name(config)
    provider = _ALIASES.get(config.provider, config.provider)
    if provider == GIVEN:
        raise ConfigError(
            f"the chat model {config.name} was passed from Python, and is not here",
            next_step="pass it again: Project(models={...}); or go on with a new run and a model of the configuration",
        )
    if provider in _OWN:
        return _OWN[provider](config)
    return _from_langchain(config, _LANGCHAIN[provider])


def check_name(config: ModelConfig) -> None:
    """Check that a configuration names a model that there may be, whatever is installed here.

    Raises:
        ConfigError: no name, an unknown provider, or a built-in model that there is not.
    """
    provider = _ALIASES.get(config.provider, config.provider)
    if not config.name:
        raise ConfigError(f"model = {config.model!r} names no model", next_step="write provider:model")
    if provider not in (GIVEN, *_OWN, *_LANGCHAIN):
        raise ConfigError(
            f"unknown provider {config.provider!r} in model = {config.model!r}",
            next_step=f"take one of {', '.join(providers())}; for any OpenAI-compatible server: "
            f"model = 'openai:NAME' with base_url",
        )
    if provider == "builtin" and config.model != BUILTIN:
        raise ConfigError(
            f"there is no built-in model {config.name!r}",
            next_step=f"write {BUILTIN}, or gguf:/path/model.gguf for a file of your own",
        )


def key_variable(config: ModelConfig) -> str:
    """The name of the environment variable that holds a model's key: as configured, else the provider's usual
    one; empty where it needs none."""
    from solon.agents.models.openai_compatible import OPENAI_URL

    if config.api_key_env:
        return config.api_key_env
    provider = _ALIASES.get(config.provider, config.provider)
    if provider == "openai" and (config.base_url or OPENAI_URL).startswith(OPENAI_URL):
        return _OPENAI_KEY
    return _LANGCHAIN[provider].key_env if provider in _LANGCHAIN else ""


def _openai(config: ModelConfig) -> BaseChatModel:
    from solon.agents.models.batches import Batching
    from solon.agents.models.openai_compatible import OPENAI_URL, OpenAICompatibleChat

    base_url = _checked_url(config.base_url) if config.base_url else OPENAI_URL
    key_env = key_variable(config)
    options = dict(config.options)
    headers = {name: SecretStr(str(value)) for name, value in dict(options.pop("headers", {})).items()}
    extra = dict(options.pop("extra_body", {}))
    if options:
        raise _unknown_option(config, min(options), "headers, extra_body")
    return OpenAICompatibleChat(
        model=config.name,
        base_url=base_url,
        key=_key(config, key_env),
        key_env=key_env,
        headers=headers,
        extra_body=extra,
        hedge=config.hedge,
        batching=Batching(config.batch_pause, cancels=config.batch_stop == "cancel")
        if config.batch
        else None,
        start_hint=_start_hint(base_url, config.name),
        **_common(config),
    )


def _ollama(config: ModelConfig) -> BaseChatModel:
    base_url = (config.base_url or OLLAMA_URL).rstrip("/")
    if not base_url.endswith("/v1"):
        base_url += "/v1"
    return _openai(config.model_copy(update={"base_url": base_url}))


def _builtin(config: ModelConfig) -> BaseChatModel:
    from solon.agents.models.weights import builtin_model

    return _local(config, builtin_model())


def _gguf(config: ModelConfig) -> BaseChatModel:
    path = Path(config.name).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"there is no model file {path}", next_step="check the path after `gguf:` in the configuration"
        )
    return _local(config, path)


def _local(config: ModelConfig, path: Path) -> BaseChatModel:
    from solon.agents.models.local import INSTALL, LocalChat, LocalParams

    known = {"slots": capabilities_of(config).default_concurrency, "threads": 0, "gpu_layers": -1}
    for name, value in config.options.items():
        if name not in known:
            raise _unknown_option(config, name, ", ".join(known))
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{config.model}: options.{name} must be a whole number (saw {value!r})")
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineError(
            f"{config.model} needs llama.cpp in this environment, and xllamacpp is not installed",
            next_step=f"{INSTALL}, or name a server by base_url",
        )
    numbers = {**known, **config.options}
    common = _common(config)
    params = LocalParams(
        context=config.context or BUILTIN_CONTEXT, http_threads=common["concurrency"] + 4, **numbers
    )
    return LocalChat(model=config.model, path=path, params=params, base_url="http://127.0.0.1", **common)


def _scripted(config: ModelConfig) -> BaseChatModel:
    from solon.agents.models.scripted import make_scripted

    return make_scripted(config)


def _vllm(config: ModelConfig) -> BaseChatModel:
    if importlib.util.find_spec("vllm") is None:
        raise EngineError(
            f"{config.model} needs vLLM in this environment, and it is not installed",
            next_step="pip install 'solon[vllm]' (for a GPU), or a CPU build of vLLM; or run "
            f"`vllm serve {config.name}` elsewhere and write model = 'openai:{config.name}' with base_url",
        )
    from solon.agents.models.vllm_engine import VLLMChat

    engine = dict(config.options)
    if config.context is not None:
        engine.setdefault("max_model_len", config.context)
    return VLLMChat(
        name=config.name,
        model=config.model,
        engine=engine,
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        timeout=config.timeout,
    )


_OWN: dict[str, Callable[[ModelConfig], BaseChatModel]] = {
    "openai": _openai,
    "ollama": _ollama,
    "builtin": _builtin,
    "gguf": _gguf,
    "scripted": _scripted,
    "vllm": _vllm,
}


def _from_langchain(config: ModelConfig, entry: _Elsewhere) -> BaseChatModel:
    try:
        module = importlib.import_module(entry.package.replace("-", "_"))
    except ImportError as error:
        raise EngineError(
            f"{config.model} needs the package {entry.package}, which cannot be imported: {error}",
            next_step=f"run `pip install {entry.package}`",
        ) from None
    settings: dict[str, Any] = {
        "model": config.name,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_tokens,
        "timeout": config.timeout,
        "max_retries": config.retries,
        "base_url": _checked_url(config.base_url) if config.base_url else None,
        "api_key": _key(config, key_variable(config)),
    }
    named = {name: value for name, value in settings.items() if value is not None}
    try:
        model: BaseChatModel = getattr(module, entry.class_name)(**named, **config.options)
    except (ValidationError, TypeError, ValueError) as error:
        # A validation error repeats the values that it saw, and one of them is the key.
        words = (
            "; ".join(e["msg"] for e in error.errors())
            if isinstance(error, ValidationError)
            else type(error).__name__
        )
        raise ConfigError(
            f"{config.model}: {entry.class_name} does not accept its settings: {words}",
            next_step="check `options` of this model in the configuration",
        ) from None
    return model


def _common(config: ModelConfig) -> dict[str, Any]:
    return {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "max_tokens": config.max_tokens,
        "timeout": config.timeout,
        "retries": config.retries,
        "concurrency": capabilities_of(config).default_concurrency,
    }


def _key(config: ModelConfig, variable: str) -> SecretStr | None:
    if not variable:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"{config.model} needs a key, but the environment variable {variable} is not set",
            next_step=f"export {variable}=... ; or name another variable with api_key_env",
        )
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"the environment variable {variable} holds characters that no key has")
    return SecretStr(value)


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine:
        raise ConfigError(
            f"base_url = {url!r} is not an address", next_step="write e.g. http://127.0.0.1:8000/v1"
        )
    if parts.username or parts.password:
        raise ConfigError(
            "base_url holds a user name or password, which do not belong in a configuration",
            next_step="put the key into an environment variable and name it with api_key_env",
        )
    return url.rstrip("/")


def _start_hint(base_url: str, name: str) -> str:
    host = urlsplit(base_url).hostname or ""
    if host in ("127.0.0.1", "localhost", "::1"):
        return f"start the server, e.g. `vllm serve {name}` or `ollama serve`, or mend base_url; then `solon resume`"
    return f"check that {host} can be reached from here and that base_url is right; then run `solon resume`"


def _unknown_option(config: ModelConfig, name: str, known: str) -> ConfigError:
    return ConfigError(f"{config.model}: unknown key options.{name}", next_step=f"known here: {known}")
