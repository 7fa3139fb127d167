"""`solon gate` and its pytest plug-in: the suites' own figures against bounds, an exit code, a JUnit file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from solon import Project
from solon.cli.app import command_tree
from solon.config import Config, parse_config
from solon.errors import ConfigError, UsageError
from solon.eval.gate import Gate, GateCheck

if TYPE_CHECKING:
    from tests.eval.conftest import Known

ROOT = Path(__file__).parents[2]
Cli = Callable[..., tuple[int, str, str]]


def test_the_gate_goes_by_the_figures_of_the_suites(known: Known, tmp_path: Path) -> None:
    benchmark = tmp_path / "bench.txt"
    benchmark.write_text(
        "One line of a benchmark with more than thirteen words, of which no record has any at all.\n"
    )
    with Project(known.url, config=known.config) as project:
        audited = project.evaluate("audit").runs[-1].agreement  # type: ignore[attr-defined]
        alike = project.evaluate("duplicates").prompts  # type: ignore[attr-defined]
        judges = {one.name: one.accuracy for one in project.evaluate("judges").judges}  # type: ignore[attr-defined]
        bounds = {"agreement": audited.value, "judge": 0.01, "duplicates": alike.value, "contamination": 0.0}
        found = project.gate({**bounds, "benchmarks": (str(benchmark),)})
        assert found.passed, found
        figures = {(one.bound, one.name): one.figure for one in found.checks}
        assert figures.pop(("agreement", "")) == audited
        assert figures.pop(("duplicates", "")) == alike
        assert figures.pop(("contamination", "bench.txt")).value == 0  # type: ignore[union-attr]
        assert figures == {("judge", name): figure for name, figure in judges.items()}
        past = project.gate({"agreement": audited.value, "by": "interval"})
        assert not past.passed
        assert "by the lower end of its interval" in str(past)
        assert project.gate({"agreement": audited.low, "by": "interval"}).passed
        [certificate] = project.gate({"certificate": True}).checks
        promised = project.learned()["in_force"] is not None
        assert (certificate.name, certificate.passed) == (known.run_id, promised)


def test_what_cannot_be_known_fails_and_no_bound_is_refused(tmp_path: Path) -> None:
    with Project(
        f"sqlite:///{tmp_path}/solon.db", config={"models": {"default": {"model": "scripted:split"}}}
    ) as one:
        one.run("preference", [{"prompt": f"Explain thing {n}"} for n in range(2)])
        found = one.gate({"agreement": 0.1, "certificate": True, "judge": 0.1, "duplicates": 0.9})
        assert {check.bound for check in found.checks} == {"agreement", "certificate", "judge", "duplicates"}
        assert not any(check.passed for check in found.checks)
        assert all("n = " in check.told or check.bound == "certificate" for check in found.checks)
        assert all(check.next_step for check in found.checks)
        with pytest.raises(UsageError, match="no bound is set"):
            one.gate()
        with pytest.raises(UsageError, match="files that you name"):
            one.gate({"contamination": 0.0})
        with pytest.raises(ConfigError, match=r"gate.agreement: .*less than or equal to 1.*saw 80"):
            one.gate({"agreement": 80})
        with pytest.raises(ConfigError, match=r"gate.agreemnt: unknown key; did you mean 'agreement'"):
            one.gate({"agreemnt": 0.8})


def test_bounds_shape_no_run() -> None:
    bounded = parse_config({"gate": {"agreement": 0.8}})
    assert bounded.fingerprint() == Config().fingerprint()
    assert "gate" not in bounded.effective()


def test_the_command_ends_with_one_and_writes_junit(known: Known, solon: Cli, tmp_path: Path) -> None:
    (tmp_path / "solon.toml").write_text(f'store = "{known.url}"\n[gate]\nagreement = 0.5\n')
    assert solon("gate")[0] == 0
    code, out, err = solon("gate", "--duplicates", 0, "--agreement", 1, "--junit", "gate.xml", "--json")
    assert code == 1, err
    told = json.loads(out.splitlines()[-1])
    root = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert root.get("failures") == str(sum(not check["passed"] for check in told["checks"])) != "0"
    cases = {case.get("name"): case.find("failure") for case in root.iter("testcase")}
    assert cases.keys() == {"agreement", "duplicates"}
    failure = cases["agreement"]
    assert failure is not None
    assert "wanted at least 100.0%" in str(failure.get("message"))
    assert solon("gate", "--junit", tmp_path)[0] == 2


def test_hostile_names_leave_the_junit_file_well_formed() -> None:
    hostile = 'x"><failure/>\x00\x1b[31m\ud800\ufffe&'
    check = GateCheck(bound="judge", name=hostile, passed=False, told=hostile, figure=None, next_step=hostile)
    [case] = ElementTree.fromstring(Gate(checks=(check,)).junit()).iter("testcase")
    assert str(case.get("name")).startswith('judge x"><failure/>\\x00')
    assert len(case.findall("failure")) == 1


@pytest.mark.sqlite("a pytest process of its own, in which no database stands for the file")
def test_pytest_runs_the_bounds_and_the_fixture(known: Known, tmp_path: Path) -> None:
    bounds = "[gate]\nagreement = 0.5\nduplicates = 0.5\njudge = 1.0\n"
    (tmp_path / "solon.toml").write_text(f'store = "{known.url}"\n{bounds}')
    (tmp_path / "test_data.py").write_text(
        "def test_agreement(solon_gate):\n    assert solon_gate(judge=None).passed\n"
        "def test_past_it(solon_gate):\n    solon_gate(agreement=1.0, judge=None)\n"
        "def test_no_store(solon_gate):\n    solon_gate(store='sqlite:///none.db')\n"
    )
    plug_in = ("-p", "no:solon_gate", "-p", "solon.cli.pytest_gate", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plug_in, "-q", "--junitxml", "out.xml", "test_data.py", "solon.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    cases = ElementTree.parse(tmp_path / "out.xml").getroot().iter("testcase")
    told = {str(case.get("name")): case.find("failure") for case in cases}
    assert {name for name, failure in told.items() if failure is None} == {
        "test_agreement",
        "agreement",
        "duplicates",
    }
    failed = {name: str(failure.text) for name, failure in told.items() if failure is not None}
    assert failed.keys() == {"test_past_it", "test_no_store", "judge"}
    assert "wanted at least 100.0%" in failed["test_past_it"]
    assert "shares the experts' preference" in failed["judge"]
    assert "none.db" in failed["test_no_store"]
    assert "Traceback" not in done.stdout
    assert "another exception" not in done.stdout


def test_the_plug_in_is_announced_and_loads_nothing_of_solon() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"solon_gate": "solon.cli.pytest_gate"}
    code = "import sys, solon.cli.pytest_gate; print([m for m in sys.modules if m.startswith('solon')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(yaml.safe_load(loaded)) == {"solon", "solon.cli", "solon.cli.pytest_gate"}


def test_the_workflow_of_the_page_calls_what_there_is() -> None:
    [workflow] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "gate.md").read_text(), re.DOTALL)
    steps: list[dict[str, Any]] = yaml.safe_load(workflow)["jobs"]["data"]["steps"]
    lines = [
        line for step in steps for line in str(step.get("run", "")).splitlines() if line.startswith("solon ")
    ]
    assert lines
    command: Any = command_tree()
    for line in lines:
        name, *arguments = line.split()[1:]
        command.commands[name].make_context(name, arguments)
