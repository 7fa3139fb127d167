"""Looks at a run's sample: which is the next, whether it is due, and what it shows, granted or refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solon.consensus.looks import look_needed
from solon.consensus.target import Target, read_target
from solon.learning.certificates import Judged, certify_sample
from solon.learning.sample import draw_sample
from solon.learning.withdrawn import WITHDRAWN
from solon.store.learning import carries
from solon.store.runs import certificates
from solon.store.runs.interactive import is_interactive
from solon.store.runs.pilot import count_items, count_pilot, drawn_at_first

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import RoutingConfig
    from solon.learning.certificates import Crossfit
    from solon.learning.evidence import Evidence
    from solon.learning.sample import Sample
    from solon.questions import Question
    from solon.store.database.engine import Connection
    from solon.store.runs.certificates import CertificateRow
    from solon.store.runs.run_row import RunRow


GAPS = (
    ", though later ones are answered (they wait, were skipped, declined, taken back, carried over or answered without "
    "a token, or are in nobody's field)"
)
"""What questions without an answer may be, where nobody waits for further ones to be drawn."""


@dataclass(frozen=True, slots=True)
class FittedVersion:
    """A version that a look may certify.

    Attributes:
        config: the run's.
        fits: the version, with the fits that left out a fold each.
        evidence: with what the fits go by of the judged items.
        question: that the run asks.
        presumed: see `certify_sample`.
    """

    config: Config
    fits: Crossfit
    evidence: Evidence
    question: Question
    presumed: str | None


@dataclass(frozen=True, slots=True)
class Looking:
    """Where a run stands with its looks.

    Attributes:
        run: the run.
        routing: its routing.
        target: whom its promise speaks of.
        before: every look over the same seeds and scope, the oldest first.
        own: the planned ones among them that were this run's.
        delta: probability of error that its planned looks may spend together: what other runs over the same seeds,
            looks that were not planned yet, and probes have left.
    """

    run: RunRow
    routing: RoutingConfig
    target: Target
    before: list[CertificateRow]
    own: list[CertificateRow]
    delta: float

    @classmethod
    def at(cls, connection: Connection, run: RunRow, routing: RoutingConfig) -> Looking:
        """Where a run stands."""
        seeds = run.seeds_fingerprint
        before = [
            row for row in certificates.looks(connection, run.scope) if row.covers.get("source") == seeds
        ]
        own = [row for row in before if row.covers.get("run") == run.id and "planned" in row.figures]
        others = sum(row.spent_delta for row in before if row not in own)
        others += carries.reserved(connection, run.scope, seeds)
        left = max(routing.delta - others, 0.0)
        return cls(run, routing, read_target(routing.target), before, own, left)

    @property
    def over(self) -> list[CertificateRow]:
        """The planned looks that are over: those taken when no question was left open, but for certificates that fell
        with decisions that were withdrawn: their look is repeated."""
        return [
            row for row in self.own if not row.figures.get("passed_over") and not row.figures.get(WITHDRAWN)
        ]

    @property
    def idle(self) -> int:
        """How many of them tested nothing."""
        return sum(not row.figures.get("tests") for row in self.over)

    def draw(self, connection: Connection, evidence: Evidence, *, fresh: Collection[str] = ()) -> Sample:
        """The sample of the next look. `fresh`: items whose newest decision is not learned from yet."""
        return draw_sample(
            connection,
            self.run,
            evidence,
            self.target,
            self.routing,
            delta=self.delta,
            looked=len(self.over),
            idle=self.idle,
            fresh=fresh,
        )

    def is_due(self, sample: Sample) -> bool:
        """Whether the look may be taken: not while so many questions are passed over that they would fail it whatever
        the answers are, which follows from who answers what, not from agreement, so that waiting costs nothing. One
        that counted fewer as disagreement may be repeated when they are answered: what is missing can only have counted
        against the panel, so that nothing is gained by the first."""
        if not sample.decisions or sample.missing or self._has_gaps(sample) or not self.delta:
            return False
        last = self.own[-1] if self.own else None
        if last is None:
            return True
        if (
            last.figures["planned"]["number"] != sample.look.number
        ):  # of a budget where it has drawn more since
            return self.routing.draws_pilot or last.figures["planned"]["size"] < sample.look.size
        answered = float(last.figures.get("sample", 0)) - float(last.figures.get("passed_over", 0))
        return sample.answered > answered or bool(last.figures.get(WITHDRAWN))

    def tell_next(self, sample: Sample) -> str:
        """What the next look waits for, in words."""
        size, open_ = sample.look.size + sample.further, sample.unanswered
        gaps = not sample.missing and self._has_gaps(sample)
        if not (sample.missing or gaps):
            return ""
        if not self.routing.draws_pilot:
            return f"the sample is looked at when {open_} more of it are answered"
        if self.over and not sample.drawn:
            more = f"solon learn {self.run.id[:8]} --more"
            return (
                f"the next look is planned at {sample.look.size} questions of the sample: `{more}` draws them"
            )
        are = "is" if open_ == 1 else "are"
        beyond = f", {sample.further} of them drawn for strata," if sample.further else ""
        told = f"the pilot is looked at when all {size} of it{beyond} are answered: {open_} {are} open"
        return told + GAPS if gaps else told

    def test(self, version: FittedVersion, sample: Sample) -> dict[str, Any]:
        """What the sample shows, as plain values. It takes a while, and needs nothing of the store."""
        judged = version.evidence.judged
        if version.evidence.is_partial:  # a place among confidences is one only where all were asked
            judged = [one for one in judged if one.pilot]
        pool = [Judged(j.item_id, j.votes, j.against, j.traits, j.pilot) for j in judged]
        return certify_sample(version.fits, version.config, sample, pool, version.question, version.presumed)

    def keep(
        self,
        connection: Connection,
        result: dict[str, Any],
        sample: Sample,
        version: FittedVersion,
        version_id: str,
    ) -> dict[str, Any]:
        """Take the look: keep what its sample shows.

        Args:
            result: as of `test`.
            version_id: the version that was tested.
        """
        result = self._explain(connection, result, sample)
        again = any(
            row.spent_delta and row.figures["planned"]["number"] == sample.look.number for row in self.own
        )
        # What is repeated spent it before, and what tested nothing asked nothing.
        spent = 0.0 if again or not result["tests"] else sample.look.delta
        return self._keep(connection, result, sample, spent, version.evidence, version_id)

    def _has_gaps(self, sample: Sample) -> bool:
        """Whether so many questions were passed over that they alone break the promise."""
        return sample.passed_over > self.routing.alpha * len(sample.decisions)

    def _explain(self, connection: Connection, result: dict[str, Any], sample: Sample) -> dict[str, Any]:
        """The result, where it is a refusal with what would do."""
        why = result["why"]
        if sample.passed_over:
            why += (
                f"; {sample.passed_over} of the {len(sample.decisions)} have no answer that counts yet, and count as "
                "disagreement: the look is repeated when they have"
            )
        elif result["threshold"] is None and self.routing.draws_pilot and "agreed_in_all" in result:
            why += f"; {self._tell_needed(connection, result, sample)}"
        return {**result, "why": why}

    def _tell_needed(self, connection: Connection, result: dict[str, Any], sample: Sample) -> str:
        """The number of questions that would do, if panel and experts go on agreeing as often."""
        items = count_items(connection, self.run.id)
        first = drawn_at_first(connection, self.run.id, self.routing, grows=is_interactive(self.run))
        (top, rest), share = _rates(result), result["tested"] / max(len(sample.decisions), 1)
        together = result["together"] / max(result["tested"], 1)
        idle = self.idle + (not result["tests"])
        needed = look_needed(
            first, sample.look, self.routing.alpha, self.delta, top, rest, items,
            share=share, together=together, idle=idle,
        )  # fmt: skip
        if needed is None:
            return (
                f"at that rate no look within the {items} items of this run is likely to certify: a better panel, more "
                "items, or a larger alpha in the next run"
            )
        chance = needed.test(self.routing.alpha, share, together).chance(top, rest)
        told = (
            f"if panel and experts go on agreeing so often, the look at {needed.size} questions certifies with "
            f"probability {chance:.2f}"
        )
        more = needed.size - count_pilot(connection, self.run.id)
        return (
            f"{told}: solon learn {self.run.id[:8]} --more {more}"
            if more > 0
            else f"{told}; they are drawn already"
        )

    def _keep(
        self,
        connection: Connection,
        result: dict[str, Any],
        sample: Sample,
        spent: float,
        evidence: Evidence,
        version_id: str,
    ) -> dict[str, Any]:
        outcome = {
            **result,
            "delta": self.routing.delta,
            "target": self.target.name,
            "look": len(self.before) + 1,
            "planned": {"number": sample.look.number, "size": sample.look.size, "delta": sample.look.delta},
            "passed_over": sample.passed_over,
            "inclusion": sorted({round(d.inclusion or 1.0, 6) for d in sample.decisions}),
            "ceiling": _ceiling(evidence, self.target, self.routing.alpha),
        }
        granted = outcome["threshold"] is not None
        certificate_id = certificates.add_certificate(
            connection,
            scope=self.run.scope,
            source=self.run.seeds_fingerprint,
            granted=granted,
            spent_delta=spent,
            consensus_id=version_id,
            outcome=outcome,
            covers={
                "recipe": self.run.recipe,
                "seeds": self.run.seeds_name,
                "target": self.target.name,
                "run": self.run.id,
                "made": certificates.wanted_by(connection, self.run).made,
            },
        )
        return {"id": certificate_id, "status": "granted" if granted else "refused", **outcome}


def _rates(result: dict[str, Any]) -> tuple[float, float]:
    """Agreement on the most confident decisions, where a refusal stopped, and on the others."""
    n, size = int(result["tested"]), int(result["n"])
    rest = (result["agreed_in_all"] - result["agreed"]) / (n - size) if n > size else 0.0
    return (result["agreed"] / size if size else rest), rest


def _ceiling(evidence: Evidence, target: Target, alpha: float) -> dict[str, Any]:
    """How often experts agree with each other, and with the target at best."""
    from solon.consensus.ceiling import measure_ceiling

    ceiling = measure_ceiling([list(by_person.values()) for by_person in evidence.answers.values()])
    low, high = (target.best_possible(right) for right in ceiling.single_interval)
    return {
        "experts_agree": ceiling.agreement,
        "interval": list(ceiling.interval),
        "items": ceiling.items,
        "best_possible": None if ceiling.single is None else target.best_possible(ceiling.single),
        "best_possible_interval": [low, high],
        "reaches": high >= 1.0 - alpha,
    }
