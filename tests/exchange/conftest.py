"""A command line in this process, in an empty folder with a scripted fake as the only model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def solon(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line: its exit code, output and errors."""
    from solon.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "solon.toml").write_text('[models.default]\nmodel = "scripted:default"\n')

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call
