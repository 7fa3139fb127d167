"""What holds for the repository as a whole: exports, links, prompts, sizes, pages made from the code."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace

import grimp
import pytest

import solon
from solon import errors
from solon.cli.config_reference import as_markdown, as_toml, tables
from solon.prompts.library import PromptLibrary

sys.path.insert(0, str(Path(__file__).parent))

from covering import Noted, cover, read_notes

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for path in (ROOT / "solon").rglob("*.py") if "versions" not in path.parts)
TEXTS = [
    path
    for folder in ("solon", "docs", "examples", "tests", "benchmarks", "requirements", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".toml", ".lock", ".in", ".yaml", ".html", ".js", ".css", "")
    and path.is_file()
] + [ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "pyproject.toml")]


def test_every_export_exists_and_nothing_else_is_promised() -> None:
    assert sorted(solon.__all__) == sorted({*solon._HOMES, "__version__"})
    for name, home in solon._HOMES.items():
        assert getattr(solon, name) is getattr(importlib.import_module(home), name)


def test_names_in_all_are_there() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if "__all__ = " not in text:
            continue
        module = importlib.import_module(
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        )
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert not missing, f"{path}: {missing}"


@pytest.mark.parametrize("room", ["agents", "graphs", "prompts", "store", "eval"])
def test_rooms_are_linked_at_the_root(room: str) -> None:
    """A checkout without links (Windows, an archive) has files there that name the target."""
    link = ROOT / room
    assert (
        link.resolve() == ROOT / "solon" / room if link.is_symlink() else link.read_text() == f"solon/{room}"
    )


def test_every_name_is_imported_from_the_module_that_defines_it() -> None:
    """A name that a module only imports is not to be had from it. `solon` is the public door: within the package
    it gives its version alone, or any room could reach any other through it."""
    imported: dict[str, set[str]] = {}
    wanted: list[tuple[Path, str, str]] = []
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        imported[module] = {
            name.asname or name.name for node in found if node in tree.body for name in node.names
        }
        wanted += [(path, str(node.module), name.name) for node in found for name in node.names]
    imported["solon"] = set(solon._HOMES)
    rooms = {".".join(path.relative_to(ROOT).parts[:-1]) for path in SOURCES} | set(imported)
    foreign = [
        f"{path.relative_to(ROOT)}: {name} through {module}"
        for path, module, name in wanted
        if name in imported.get(module, ()) and f"{module}.{name}" not in rooms
    ]
    assert not foreign, foreign


def test_no_module_imports_itself_by_way_of_others() -> None:
    """The contracts see circles between files of a folder; these are also with the folder's own `__init__`, through
    imports that are lazy or for types alone."""
    graph = grimp.build_graph("solon", cache_dir=None)
    above = {name: graph.find_modules_directly_imported_by(name) - {"solon"} for name in graph.modules}
    TopologicalSorter(above).prepare()  # raises CycleError, with the circle


def test_every_prompt_renders_with_its_declared_variables() -> None:
    for prompt in PromptLibrary():
        filled = prompt.render("5ec3e7", **{name: f"<{name}>" for name in prompt.variables})
        for name in prompt.variables:
            assert f"<{name}>" in filled.text, f"{prompt.name} declares {name} and does not use it"
        prompt.render("5ec3e7", **dict.fromkeys(prompt.variables, ""))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or text.startswith('"""'), f"{path} has no docstring"


def test_every_room_says_what_it_must_not_import() -> None:
    rooms = [path for path in SOURCES if path.name == "__init__.py" and path.parent != ROOT / "solon"]
    silent = [
        path
        for path in rooms
        if "import" not in (ast.get_docstring(ast.parse(path.read_text())) or "").lower()
    ]
    assert not silent


def test_pages_made_from_the_configuration_are_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == as_markdown(), "run `make docs`"
    assert (ROOT / "examples" / "solon.toml").read_text() == as_toml(), "run `make docs`"


def test_every_key_of_the_configuration_says_what_it_means() -> None:
    silent = [f"{table.name}.{key.name}" for table in tables() for key in table.keys if not key.about]
    assert not silent


def test_the_tree_of_errors_in_the_docstring_is_the_real_one() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+\b(?=  |$)", errors.__doc__ or "", re.MULTILINE))
    real = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert real <= drawn | {"SolonError"}
    assert all(issubclass(getattr(errors, name), errors.SolonError) for name in real)


def test_no_text_speaks_of_where_it_was_made() -> None:
    forbidden = re.compile(
        r"(?<![\w.])/(work|root)/|shared/design|pypi\.org|files\.pythonhosted", re.IGNORECASE
    )
    for path in TEXTS:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path != Path(__file__):
            found = forbidden.search(text)
            assert found is None, f"{path}: {found.group()!r}"


def test_every_dependency_is_locked_by_hash() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=\[]", entry)[0] for entry in wanted}
    for lock in ("demo", "dev"):
        text = (ROOT / "requirements" / f"{lock}.lock").read_text()
        pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", text, re.MULTILINE)
        assert names <= set(pins), lock
        assert text.count("--hash=sha256:") >= len(pins)


def test_links_in_the_docs_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_example_in_the_readme_is_the_one_that_is_tested() -> None:
    example = (ROOT / "examples" / "quickstart.py").read_text().strip()
    assert f"```python\n{example}\n```" in (ROOT / "README.md").read_text()


def test_the_graph_in_the_readme_is_the_one_that_is_built() -> None:
    from solon.graphs.versions import draw_mermaid
    from solon.recipes.preference import PREFERENCE

    assert f"```mermaid\n{draw_mermaid(PREFERENCE).strip()}\n```" in (ROOT / "README.md").read_text()


def test_the_readme_names_every_field_recipe_and_extra() -> None:
    from solon.cli.init import FIELDS
    from solon.presets import PRESETS

    readme = (ROOT / "README.md").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {*FIELDS, *PRESETS, *extras} - {"review", "all"}
    assert not {name for name in named if f"`{name}`" not in readme}


def test_every_command_stands_in_the_contracts() -> None:
    text = (ROOT / "docs" / "contracts.md").read_text() + (ROOT / "docs" / "index.md").read_text()
    for name in (
        "demo",
        "run",
        "resume",
        "status",
        "review list",
        "review show",
        "review decide",
        "export",
        "doctor",
    ):
        assert name in text


def test_a_run_notes_what_each_test_sends_to_a_store(tmp_path: Path) -> None:
    here = "tests/store"
    seen = [f"{here}/test_ids.py::test_every_part_of_a_call_decides_its_key"]
    seen += [f"{here}/test_store.py::test_opening_again_keeps_key_and_content[sqlite]"]
    notes = tmp_path / "stores.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *seen]
    given = {**os.environ, "SOLON_TEST_DATABASE": "sqlite", "SOLON_TEST_STORES": str(notes)}
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    without, with_store = (read_notes(notes)[name] for name in seen)
    assert not without.sent
    assert with_store.sent.total() > 5


def test_what_runs_on_postgresql_too_covers_every_statement() -> None:
    def sends(*statements: str) -> Noted:
        return Noted(Counter(statements))

    noted = {
        "one": sends("a", "b"),
        "two": sends("a", "b", "c"),
        "dear": sends(*("a" * 90), *("b" * 90)),
        "none": sends(),
        "rare": sends("d"),
        "page": sends("e"),
        "tests/store/test_x.py::one": sends("a"),
    }
    offered = {name: name != "page" for name in (*noted, "new")}
    assert cover(offered, noted) == {*noted, "new"} - {"dear", "none", "page"}


def test_a_statement_has_one_name_for_any_number_of_values() -> None:
    noted = Noted()
    connection = SimpleNamespace(dialect=SimpleNamespace(name="sqlite"))
    for values in ("(?)", "(?, ?, ?)"):
        noted.statement(connection, None, f"SELECT id FROM items WHERE id IN {values}")
        noted.statement(connection, None, f"INSERT INTO items (id, state) VALUES {', '.join([values] * 3)}")
    noted.statement(SimpleNamespace(dialect=SimpleNamespace(name="postgresql")), None, "SELECT 1")
    assert sorted(noted.sent.values()) == [2, 2]
