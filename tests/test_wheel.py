"""The wheel, installed alone into a fresh environment, passes the demo and serves the page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "demo.lock"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
# a process of the wheel must not find the sources, nor what tests set
OWN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SOLON_"))}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the repository, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run([*PIP, "wheel", *offline, "--wheel-dir", str(folder), str(ROOT)], check=True, env=OWN)
    [built] = folder.glob("solon-*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and what it asks for, nothing of this one."""
    home = tmp_path_factory.mktemp("fresh")
    into = (*PIP, "--python", str(home / "bin" / "python"), "install", "--no-compile")
    probe = [*PIP, "download", "--no-deps", "--retries", "0", "--timeout", "15", "-d", str(home), "typer"]
    reached = subprocess.run(probe, capture_output=True, text=True, env=OWN)
    if reached.returncode:
        pytest.skip(f"NOT TESTED: no package index can be reached here: {reached.stderr.strip()[-200:]}")
    venv.create(home, with_pip=False, symlinks=True)
    subprocess.run([*into, "--require-hashes", "-r", str(LOCK)], check=True, env=OWN)
    subprocess.run([*into, "--no-deps", "--no-index", str(wheel)], check=True, env=OWN)
    subprocess.run([*PIP, "--python", str(home / "bin" / "python"), "check"], check=True, env=OWN)
    return home / "bin"


def test_the_wheel_holds_what_the_repository_has_and_asks_for_what_it_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as held:
        names = set(held.namelist())
        [about] = [name for name in names if name.endswith("/METADATA")]
        told = Parser().parsestr(held.read(about).decode())
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "solon").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert files <= names
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(told.get_all("Provides-Extra") or ()) == set(project["optional-dependencies"])
    asked = [one for one in told.get_all("Requires-Dist") or () if "extra ==" not in one]
    assert len(asked) == len(project["dependencies"])


def test_it_passes_the_demo_alone_and_serves_the_page(fresh: Path, tmp_path: Path) -> None:
    solon = str(fresh / "solon")
    demo = subprocess.run(
        [solon, "demo", "--json"], cwd=tmp_path, capture_output=True, text=True, env=OWN, timeout=300
    )
    assert demo.returncode == 0, demo.stderr
    told = json.loads(demo.stdout.splitlines()[-1])
    assert told["records"] >= 20
    assert "<svg" in (tmp_path / told["folder"] / told["report"]).read_text()
    serving = subprocess.Popen(
        [solon, "review", "serve", "--port", "0"],
        cwd=tmp_path / told["folder"],
        stderr=subprocess.PIPE,
        text=True,
        env=OWN,
    )
    try:
        assert serving.stderr is not None
        said = [serving.stderr.readline() for _ in range(2)]
        address = said[0].split()[-1]
        with urllib.request.urlopen(f"{address}/healthz", timeout=300) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(said[1].split()[-1], timeout=300) as page:
            assert "Solon" in page.read().decode()
    finally:
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=300)
