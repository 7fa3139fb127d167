"""pytest's side of `solon gate`: the fixture `solon_gate`, and `pytest solon.toml`, a test for each bound of `[gate]`.

pytest loads it by the entry point `solon_gate` wherever Solon is installed, so that it imports nothing of Solon until
it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from solon.eval.gate import Gate


@pytest.fixture
def solon_gate() -> Callable[..., Gate]:
    """Return a function that fails the test where the data of a store is past a bound.

    It takes the path of a configuration (`config`; default: `solon.toml`), the URL of a store (`store`; default: the
    configuration's) and bounds by the keys of `[gate]`, which go before the configuration's.
    """

    def hold(*, config: str | Path | None = None, store: str | None = None, **bounds: Any) -> Gate:
        found = _hold(config, store, bounds)
        if not found.passed:
            pytest.fail(str(found), pytrace=False)
        return found

    return hold


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a configuration that the command line of pytest names as tests; one that merely lies in a folder is none."""
    if file_path.suffix == ".toml" and parent.session.isinitpath(file_path):
        return GateFile.from_parent(parent, path=file_path)
    return None


class GateFile(pytest.File):
    """A configuration whose bounds are tests."""

    def collect(self) -> Iterator[GateItem]:
        """Yield a test for each bound that is set."""
        from solon.config import load_config
        from solon.errors import SolonError

        try:
            bounds = load_config(self.path).gate.in_use
        except SolonError as error:
            raise self.CollectError(str(error)) from None
        if not bounds:
            raise self.CollectError(
                f"{self.path}: [gate] sets no bound\n  -> set one, such as agreement = 0.8"
            )
        for name in bounds:
            yield GateItem.from_parent(self, name=name)

    @cached_property
    def gate(self) -> Gate:
        """What holds and what does not, measured once for all bounds."""
        return _hold(self.path, None, {})


class GateItem(pytest.Item):
    """One bound of `[gate]` as a test."""

    parent: GateFile

    def runtest(self) -> None:
        """Fail with what was found where it is past the bound."""
        checks = [check for check in self.parent.gate.checks if check.bound == self.name]
        failed = [str(check) for check in checks if not check.passed]
        if failed:
            pytest.fail("\n".join(failed), pytrace=False)
        self.add_report_section("call", "solon gate", "\n".join(map(str, checks)))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the bound stands, for pytest's reports."""
        return self.path, None, f"[gate] {self.name}"


def _hold(config: str | Path | None, store: str | None, bounds: dict[str, Any]) -> Gate:
    from solon.errors import SolonError
    from solon.project import Project

    try:
        with Project(store, config=config, create=False) as project:
            return project.gate(bounds)
    except SolonError as error:
        refused = str(error)
    pytest.fail(refused, pytrace=False)
