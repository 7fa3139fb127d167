"""A gate for continuous integration: is anything that the suites measure past the bounds of `[gate]`?

Works nothing out itself: agreement, judges, duplicates and contamination are the suites' figures, the certificate is
the promise that the report shows.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from solon.config.sections import GateConfig
from solon.display.text import clean
from solon.errors import UsageError
from solon.eval.report.headline import choose_agreement
from solon.eval.report.promise import read_promises, spell
from solon.eval.result import ASK_EXPERTS, Figure
from solon.eval.suites import agreement, audit, contamination, duplicates, judges

if TYPE_CHECKING:
    from solon.eval.material import Material


MORE_RECORDS = "hold it to a store with more records in force: `solon status` says where the runs stand"
"""What to do where a share of records cannot be told."""


class GateCheck(BaseModel):
    """One thing that was held to a bound.

    Attributes:
        bound: the key of `[gate]`.
        name: what was held to it: a judge, a run or a benchmark by name; empty where there is only one thing.
        passed: whether it is within the bound; what is not known is not.
        told: what was found and what is wanted, in words.
        figure: what was measured; None of a certificate.
        next_step: what to do where it did not pass.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bound: str
    name: str
    passed: bool
    told: str
    figure: Figure | None
    next_step: str

    def __str__(self) -> str:
        """One line: passed or failed, what was held to the bound, and what was found."""
        line = f"{'passed' if self.passed else 'FAILED'} {f'{self.bound} {self.name}'.strip()}: {self.told}"
        return clean(line if self.passed else f"{line}\n  -> {self.next_step}")


class Gate(BaseModel):
    """All that was held to a bound, in the order of the keys of `[gate]`.

    Attributes:
        checks: one for each thing that was looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is within its bound."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        """A line for each check, and what to do for each that failed."""
        return "\n".join(map(str, self.checks))

    def junit(self) -> str:
        """Return the checks as a JUnit file, which CI servers show: a test case for each."""
        failed = sum(not check.passed for check in self.checks)
        counts = {"tests": str(len(self.checks)), "failures": str(failed), "errors": "0"}
        root = ElementTree.Element("testsuites", counts)
        suite = ElementTree.SubElement(root, "testsuite", {"name": "solon gate", **counts})
        for check in self.checks:
            name = clean(f"{check.bound} {check.name}".strip())
            case = ElementTree.SubElement(suite, "testcase", {"classname": "solon.gate", "name": name})
            if check.passed:
                ElementTree.SubElement(case, "system-out").text = clean(check.told)
            else:
                failure = ElementTree.SubElement(case, "failure", {"message": clean(check.told)})
                failure.text = clean(f"next: {check.next_step}")
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def hold(material: Material, bounds: GateConfig) -> Gate:
    """Return what is within the bounds and what is not.

    Args:
        material: the runs and records to look at; its `against` are the benchmarks.
        bounds: those that are not set are not looked at.

    Raises:
        UsageError: no bound is set, or contamination has a bound and no benchmark is named.
    """
    if not bounds.in_use:
        raise UsageError(
            "no bound is set, so that nothing could fail",
            next_step="set one: `solon gate --agreement 0.8`, or agreement = 0.8 under [gate] in solon.toml",
        )
    return Gate(checks=tuple(check for name in bounds.in_use for check in _CHECKS[name](material, bounds)))


def _at_least(
    bound: str, name: str, figure: Figure, wanted: float, bounds: GateConfig, what: str, next_step: str
) -> GateCheck:
    """A rate that may not fall below a bound; by its interval, if that is what counts."""
    by_interval = bounds.by == "interval"
    held = figure.low if by_interval else figure.value
    end = ", by the lower end of its interval" if by_interval else ""
    return GateCheck(
        bound=bound,
        name=name,
        passed=figure.known and held is not None and held >= wanted,
        told=f"{what}: {spell(figure)}; wanted at least {wanted:.1%}{end}",
        figure=figure,
        next_step=next_step,
    )


def _at_most(bound: str, name: str, figure: Figure, wanted: float, what: str, next_step: str) -> GateCheck:
    """A share that may not rise above a bound. It is counted over records, not estimated: its value decides."""
    return GateCheck(
        bound=bound,
        name=name,
        passed=figure.known and figure.value is not None and figure.value <= wanted,
        told=f"{what}: {spell(figure)}; wanted at most {wanted:.1%}",
        figure=figure,
        next_step=next_step if figure.known else MORE_RECORDS,
    )


def _check_agreement(material: Material, bounds: GateConfig) -> Iterator[GateCheck]:
    audited, agreed = audit.evaluate(material), agreement.evaluate(material)
    what, figure, _ = choose_agreement(audited, agreed, labels=not audited.runs)
    step = "see where experts disagree, and with whom: `solon eval agreement`, `solon eval judges`"
    step = step if figure.known else agreed.next_step()
    yield _at_least("agreement", "", figure, bounds.agreement or 0.0, bounds, what, step)


def _check_certificate(material: Material, _bounds: GateConfig) -> Iterator[GateCheck]:
    newest = {run.recipe: run for run in material.runs}
    with material.store.connect() as connection:
        promises = read_promises(connection, list(newest.values()))
    if not promises:
        told, step = (
            "no panel judged any of these runs",
            "leave the bound out: what people alone say needs no certificate",
        )
        yield GateCheck(bound="certificate", name="", passed=False, told=told, figure=None, next_step=step)
    for one in promises:
        told = f"{one.sentence} {one.why}".strip()
        yield GateCheck(
            bound="certificate", name=one.run, passed=one.state == "in force", told=told, figure=None,
            next_step=one.returns or f"see `solon learn --status {one.run[:8]}`",
        )  # fmt: skip


def _check_judges(material: Material, bounds: GateConfig) -> Iterator[GateCheck]:
    found = judges.evaluate(material)
    what = "shares the experts' preference"
    for one in found.judges:
        step = found.next_step() if one.accuracy.known else ASK_EXPERTS
        yield _at_least("judge", one.name, one.accuracy, bounds.judge or 0.0, bounds, what, step)
    if not found.judges:
        told, step = "no judge gave a verdict in these runs", "leave the bound out where no panel judges"
        yield GateCheck(bound="judge", name="", passed=False, told=told, figure=None, next_step=step)


def _check_contamination(material: Material, bounds: GateConfig) -> Iterator[GateCheck]:
    found = contamination.evaluate(material)
    for file in found.files:
        what, step = "records that hold half of one of its texts or more", found.next_step()
        yield _at_most("contamination", file.name, file.dirty, bounds.contamination or 0.0, what, step)


def _check_duplicates(material: Material, bounds: GateConfig) -> Iterator[GateCheck]:
    found = duplicates.evaluate(material)
    what = "records with a request that nearly repeats another"
    yield _at_most("duplicates", "", found.prompts, bounds.duplicates or 0.0, what, found.next_step())


_CHECKS: Mapping[str, Callable[[Material, GateConfig], Iterator[GateCheck]]] = {
    "agreement": _check_agreement,
    "certificate": _check_certificate,
    "judge": _check_judges,
    "contamination": _check_contamination,
    "duplicates": _check_duplicates,
}
