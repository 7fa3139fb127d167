"""From configuration to model: the allow-list, keys, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solon.agents.models import factory
from solon.agents.models.capabilities import capabilities_of
from solon.agents.models.factory import make_chat_model, providers
from solon.agents.models.openai_compatible import OPENAI_URL, OpenAICompatibleChat
from solon.agents.models.scripted import ScriptedChat
from solon.config.sections import ModelConfig
from solon.errors import ConfigError


def make(model: str, **settings: Any) -> Any:
    return make_chat_model(ModelConfig(model=model, **settings))


def test_openai_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set") as caught:
        make("openai:gpt-5-mini")
    assert caught.value.exit_code == 2
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    chat = make("openai:gpt-5-mini", timeout=9, retries=1, concurrency=3, temperature=0.2)
    assert isinstance(chat, OpenAICompatibleChat)
    assert (chat.model, chat.base_url, chat.timeout, chat.retries) == ("gpt-5-mini", OPENAI_URL, 9, 1)
    assert (chat.concurrency, chat.temperature) == (3, 0.2)
    assert "sk-secret-1" not in repr(chat)


def test_a_key_goes_only_where_it_was_meant_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    assert make("openai:m", base_url="http://127.0.0.1:8000/v1/").key is None
    assert make("openai:m", base_url="https://api.openai.com.evil.example/v1").key is None
    monkeypatch.setenv("MY_KEY", "sk-2")
    chat = make("openai:m", base_url="http://127.0.0.1:8000/v1", api_key_env="MY_KEY")
    assert chat.key.get_secret_value() == "sk-2"
    monkeypatch.setenv("MY_KEY", "sk\n2")
    with pytest.raises(ConfigError, match="MY_KEY") as caught:
        make("openai:m", base_url="http://127.0.0.1:8000/v1", api_key_env="MY_KEY")
    assert "sk\n2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://x/v1", "http://", "http://[::1", "http://user:pw@host/v1"]
)
def test_a_bad_base_url(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        make("openai:m", base_url=url)
    assert "pw" not in str(caught.value)


def test_options_reach_the_request_and_unknown_ones_are_refused() -> None:
    chat = make(
        "openai:m", base_url="http://h/v1", options={"extra_body": {"top_k": 5}, "headers": {"X-A": "b"}}
    )
    assert chat.extra_body == {"top_k": 5}
    assert "X-A" in chat._transport._headers
    with pytest.raises(ConfigError, match=r"options\.tpo_k"):
        make("openai:m", base_url="http://h/v1", options={"tpo_k": 5})


def test_ollama_speaks_the_same_protocol() -> None:
    assert make("ollama:qwen3").base_url == "http://127.0.0.1:11434/v1"
    assert make("ollama:qwen3", base_url="http://box:11434").base_url == "http://box:11434/v1"


def test_unknown_providers_and_names() -> None:
    with pytest.raises(ConfigError, match="unknown provider 'opnai'") as caught:
        make("opnai:gpt")
    assert "base_url" in caught.value.next_step
    with pytest.raises(ConfigError, match="names no model"):
        make("openai:")
    with pytest.raises(ConfigError, match="no built-in model"):
        make("builtin:gpt")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_anthropic", None)
    with pytest.raises(ConfigError, match="langchain-anthropic") as caught:
        make("anthropic:claude-sonnet-5")
    assert "pip install langchain-anthropic" in caught.value.next_step


def test_langchain_models_get_our_settings_and_errors_show_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        def __init__(self, **given: Any) -> None:
            self.given = given
            if "bad" in given:
                raise ValueError(f"unexpected: {given}")

    module = type(sys)("langchain_groq")
    module.ChatGroq = Stub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain_groq", module)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="GROQ_API_KEY"):
        make("groq:llama")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    given = make("groq:llama", max_tokens=77, options={"service_tier": "flex"}).given
    assert (given["model"], given["max_tokens"], given["service_tier"]) == ("llama", 77, "flex")
    assert given["api_key"].get_secret_value() == "gsk-secret"
    with pytest.raises(ConfigError) as caught:
        make("groq:llama", options={"bad": 1})
    assert "gsk-secret" not in str(caught.value)


def test_capabilities_are_known_and_overridable() -> None:
    known = capabilities_of(ModelConfig(model="openai:m"))
    assert (known.json_schema, known.logprobs, known.context) == (True, True, None)
    told = capabilities_of(
        ModelConfig(model="openai:m", json_schema=False, logprobs=False, context=999, concurrency=7)
    )
    assert (told.json_schema, told.logprobs, told.context, told.default_concurrency) == (False, False, 999, 7)
    assert capabilities_of(ModelConfig(model="anthropic:m")).json_schema is False
    assert capabilities_of(ModelConfig(model="builtin:smollm2")).context == 4096


def test_every_provider_is_either_made_or_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory.importlib, "import_module", _no_module)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    made = {"openai", "ollama"}
    for name in providers():
        if name in made:
            assert make(f"{name}:nothing")._llm_type == "solon-openai-compatible"
            continue
        with pytest.raises(ConfigError) as caught:
            make(f"{name}:nothing")
        assert caught.value.next_step, name


def _no_module(name: str) -> Any:
    raise ImportError(f"no module {name}")


def test_a_missing_gguf_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model file"):
        make(f"gguf:{tmp_path / 'no.gguf'}")
    assert isinstance(make("scripted:default"), ScriptedChat)


def test_importing_the_factory_loads_no_model_library() -> None:
    code = (
        "import sys, solon.agents.models.factory, solon.agents.models.structured\n"
        "print([m for m in ('aiohttp', 'xllamacpp', 'tenacity', 'numpy', 'langgraph') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
