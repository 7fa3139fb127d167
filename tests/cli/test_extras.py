"""The base install does the main job; what is missing beyond it is named with the command that brings it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solon.extras import EXTRAS, extra_of

Cli = Callable[..., Any]
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
RUN = ("run", "preference", "--seeds", "seeds.jsonl")
SERVE = ("review", "serve", "--port", "0")

# extra -> what is added to solon.toml, and the command that needs the extra
NEEDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "local": ('[models.default]\nmodel = "gguf:model.gguf"\n', RUN),
    "vllm": ('[models.default]\nmodel = "vllm:Qwen/Qwen3-8B"\n', RUN),
    "anthropic": ('[models.default]\nmodel = "anthropic:any"\n', RUN),
    "ray": ("", (*RUN, "--engine", "ray")),
    "tracing": ("[tracing]\nenabled = true\n", RUN),
    "parquet": ("", ("run", "preference", "--seeds", "seeds.parquet")),
    "datasets": ("", ("run", "preference", "--seeds", "saved")),
    "postgres": ("", (*RUN, "--store", "postgresql://ada@localhost/solon")),
    "sso": ('[sso]\nissuer = "https://id.example.org"\nclient_id = "solon"\n', SERVE),
    "pdf": ("", ("run", "instruction-backtranslate", "--seeds", "paper.pdf")),
    "mcp": ("", ("mcp",)),
    "hub": ("", ("release", "push", "2026-11", "ada/pairs", "--dry-run")),
    "embeddings": ('[law]\nsimilarity = "meaning"\n', RUN),
}


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the packages of an extra as absent as if they had never been installed."""

    def make_absent(extra: str) -> None:
        for module in [name for name, bringer in EXTRAS.items() if bringer == extra]:
            for loaded in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
                monkeypatch.delitem(sys.modules, loaded)
            monkeypatch.setitem(sys.modules, module, None)
        # ours that import it when they are loaded, and may be loaded already
        monkeypatch.delitem(sys.modules, "solon.graphs.postgres_saver", raising=False)

    return make_absent


def test_every_extra_is_tried_here() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {*NEEDS, "notebook", "review", "all"} == set(extras)
    assert set(EXTRAS.values()) == {*NEEDS, "notebook"}
    [everything] = extras["all"]
    named = set(everything.removeprefix("solon[").removesuffix("]").split(","))
    assert named == {*NEEDS, "notebook"} - {"vllm"}
    assert extras["review"] == []


@pytest.mark.parametrize("extra", NEEDS)
def test_an_absent_extra_is_named_with_its_command(
    solon: Cli, folder: Path, five_seeds: Path, hide: Callable[[str], None], extra: str
) -> None:
    added, command = NEEDS[extra]
    (folder / "model.gguf").write_bytes(b"GGUF" + bytes(500))
    (folder / "seeds.parquet").write_bytes(b"PAR1")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7")
    (folder / "saved").mkdir()
    (folder / "saved" / "dataset_info.json").write_text("{}")
    (folder / "saved" / "state.json").write_text("{}")
    if added:
        base = "" if added.startswith("[models") else (folder / "solon.toml").read_text()
        (folder / "solon.toml").write_text(base + added)
    if extra == "sso":
        assert solon("expert", "add", "Ada").code == 0
    hide(extra)
    told = solon(*command)
    told.fails(1 if added.startswith("[models") else 2)  # a model that cannot start: its items stay queued
    package = "langchain-anthropic" if extra == "anthropic" else f"solon[{extra}]"
    step = told.err.split("\n  -> ")[1].replace('"', "'")
    assert "pip install" in step
    assert package in step, told.err


def test_a_data_frame_without_pandas(
    solon: Cli, hide: Callable[[str], None], waiting: list[dict[str, Any]]
) -> None:
    from solon import Project
    from solon.errors import UsageError

    hide("notebook")
    with Project() as project, pytest.raises(UsageError, match="pandas") as caught:
        project.reviews().to_pandas()
    assert "pip install 'solon[notebook]'" in (caught.value.next_step or "")


def test_a_package_that_is_missed_anywhere_is_no_mistake_of_ours(
    solon: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from solon import Project

    def miss(self: Project, **_about: Any) -> None:
        raise ModuleNotFoundError("No module named 'pyarrow.lib'", name="pyarrow.lib")

    monkeypatch.setattr(Project, "__init__", miss)
    solon("status").fails(2, "pyarrow.lib", "pip install 'solon[parquet]'")
    assert extra_of("pyarrowish") is None


@pytest.mark.sqlite("PostgreSQL is an extra, and none is there")
def test_without_any_extra_one_can_run_answer_and_export(
    solon: Cli, hide: Callable[[str], None], folder: Path, five_seeds: Path
) -> None:
    for extra in set(EXTRAS.values()):
        hide(extra)
    assert solon("demo", "--json").json["records"] == 28
    assert solon(*RUN).code in (0, 3)
    assert solon("expert", "add", "Ada").code == 0
    assert solon("export", "--format", "jsonl", "--output", "out.jsonl").code == 0
    doctor = solon("doctor", "--offline")
    assert "extras that are installed: none" in doctor.out
    assert "pip install 'solon[" in doctor.out
