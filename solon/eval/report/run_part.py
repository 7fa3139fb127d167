"""A run as a report tells it: what it made, under which configuration and versions, and where its learning stands."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from solon.config.sections import FiltersConfig
from solon.display.text import moment
from solon.eval.report.standing import Standing
from solon.eval.result import Figure, rate
from solon.formats.records import plain_model
from solon.store.learning.adoption import TakenOut
from solon.store.records import counts, evaluation
from solon.store.records.overview import count_filtered
from solon.store.runs import runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from solon.store.database.engine import Connection
    from solon.store.records.evaluation import Accepted
    from solon.store.runs.run_row import RunRow


class RunPart(BaseModel):
    """A run as it stands.

    Attributes:
        id: of the run.
        recipe: that made its records.
        seeds: name of the file of seeds.
        started: when.
        status: of the run.
        states: number of items by state.
        records: accepted records in force.
        certified: those that were accepted under a certificate.
        provisional: those that were accepted while no certificate was in force.
        stale: records in doubt, since their law was amended and nobody judged them again.
        decided: records that a person decided.
        models: who answered, by role; empty where people alone decide.
        judges: seats whose verdicts are in force and came from a call, each with its model.
        recorded: verdicts in force that came with the seeds.
        protocol: what its configuration says about routing and panel.
        versions: of prompts, graph and consensus -> items pinned to each.
        filtered: texts that each configured filter dropped, of the requests or answers that there were.
        taken_out: records that learning took out of the set, so that their items were judged or asked anew; None where
            there are none.
        standing: what was learned for it, and what is promised.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    recipe: str
    seeds: str
    started: str
    status: str
    states: dict[str, int]
    records: int
    certified: int
    provisional: int
    stale: int
    decided: int
    models: dict[str, str]
    judges: tuple[str, ...]
    recorded: int
    protocol: dict[str, Any]
    versions: dict[str, dict[str, int]]
    filtered: dict[str, Figure]
    taken_out: TakenOut | None
    standing: Standing

    @property
    def people_alone(self) -> bool:
        """No panel judged any of it: its records are what people said."""
        return not self.judges and not self.recorded


def read_run(connection: Connection, run: RunRow, standing: Standing) -> RunPart:
    """Return the part of a report on one run."""
    config = runs.config_payload(connection, run.config_id)
    own = Counter[str]()
    for row in evaluation.accepted(connection, [run.id]):
        own.update(tell_standing(row))
    findings = Counter[tuple[str, str, bool]]()
    for (seat, judge, came), number in evaluation.count_votes(connection, run.id).items():
        findings[seat, plain_model(judge), came] += number
    routing = config.get("routing", {})
    kept = ("policy", "pilot", "pilot_share", "alpha", "delta", "audit_share", "threshold")
    named = FiltersConfig.model_validate(config.get("filters") or {}).names()
    filtered = count_filtered(connection, run.id, named)
    return RunPart(
        id=run.id,
        recipe=run.recipe,
        seeds=PurePath(run.seeds_name).name,
        started=moment(run.created_at),
        status=run.status,
        states=counts.count_by(connection, [run.id], "state"),
        records=own["record"],
        certified=own["certified"],
        provisional=own["provisional"],
        stale=own["stale"],
        decided=own["decided"],
        models=_models(connection, run.id),
        judges=tuple(f"{seat} [{judge}]" for seat, judge, came in sorted(findings) if not came),
        recorded=sum(number for (_, _, came), number in findings.items() if came),
        protocol={name: routing[name] for name in kept if name in routing},
        versions={
            name: counts.count_by(connection, [run.id], column)
            for name, column in (
                ("prompts", "prompts_id"),
                ("graph", "graph_version"),
                ("consensus", "consensus_id"),
            )
        },
        filtered={one.name: rate(one.dropped, one.texts) for one in filtered},
        taken_out=counts.count_taken_out(connection, run.id),
        standing=standing,
    )


def tell_standing(row: Accepted) -> Iterator[str]:
    """Yield under what a record in force is counted."""
    yield "record"
    if row.certificate_id is not None and not row.provisional:
        yield "certified"
    for name, held in (
        ("provisional", row.provisional),
        ("stale", row.stale),
        ("decided", row.route == "decided"),
    ):
        if held:
            yield name


def _models(connection: Connection, run_id: str) -> dict[str, str]:
    asked = evaluation.authors_by_role(connection, run_id)
    return {
        role: ", ".join(sorted({plain_model(model) for model in models})) for role, models in asked.items()
    }
