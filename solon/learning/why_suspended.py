"""Why no certificate is in force for a run, and what brings one back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from solon.config.pinned import config_as_stored
from solon.consensus.probes import plan_probes
from solon.errors import ConfigError
from solon.learning.carrying import cannot_carry, count_probes, left_of_delta
from solon.learning.withdrawn import WITHDRAWN
from solon.store.learning import carries
from solon.store.learning.carries import ASKED
from solon.store.runs import certificates
from solon.store.runs.runs import config_payload

if TYPE_CHECKING:
    from solon.config import Config
    from solon.config.sections import ReviewersConfig
    from solon.store.database.engine import Connection
    from solon.store.runs.certificates import CertificateRow
    from solon.store.runs.run_row import RunRow


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why a certificate is not in force for a run, and what brings it back.

    Attributes:
        certificate: the certificate.
        why: in words.
        back: what would bring it back: words that follow "brought back by".
        probes: random probes that would, or that are asked; None where another look is needed.
    """

    certificate: str
    why: str
    back: str
    probes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {**asdict(self), "told": str(self)}

    def __str__(self) -> str:
        return f"certificate {self.certificate} is suspended: {self.why}; it is brought back by {self.back}"


def read_suspension(
    connection: Connection, run: RunRow, reviewers: ReviewersConfig | None = None
) -> Suspension | None:
    """Why no certificate is in force for a run that had one, or that an earlier one does not cover; None where one is,
    and where there never was any.

    Args:
        reviewers: whose answers decide; None: as the run was configured.
    """
    if certificates.certificate_of(connection, run) is not None:
        return None
    own = certificates.newest_granted(connection, run)
    name, plan = run.id[:8], carries.find_carry(connection, run.id)
    if plan is not None and plan.state == ASKED:
        people = reviewers or config_as_stored(config_payload(connection, run.config_id), run.id).reviewers
        found = count_probes(connection, plan, certificates.wanted_by(connection, run).target, people)
        back = f"{found.needed} of {found.asked} random probes that agree: {found.counted}"
        if own is None:
            return Suspension(plan.certificate_id, plan.why, back, found.asked)
        return Suspension(own.id, _why(own), back, found.asked)
    if own is not None:
        back = (
            f"those questions answered again, then `solon learn {name}`: the same look is repeated"
            if WITHDRAWN in own.figures
            else f"a further planned look, at more random questions: `solon learn {name} --more N`"
        )
        return Suspension(own.id, _why(own), back)
    row = carries.newest_elsewhere(connection, run)
    if row is None:
        return None
    why = carries.what_changed(connection, row, run)
    config = config_as_stored(config_payload(connection, run.config_id), run.id)
    probes, back = _tell_probes(connection, run, config, row, refused=plan is not None)
    return Suspension(row.id, why, back, probes)


def _why(own: CertificateRow) -> str:
    return str(own.figures.get(certificates.SUSPENDED, "no reason is noted"))


def _tell_probes(
    connection: Connection, run: RunRow, config: Config, row: CertificateRow, *, refused: bool
) -> tuple[int | None, str]:
    pilot = f"`solon learn {run.id[:8]}` says what that waits for"
    if refused:
        return None, f"the pilot alone, as random probes did not show it: {pilot}"
    if problem := cannot_carry(connection, run, config, row):
        return None, f"the pilot alone, as no probes can ({problem}): {pilot}"
    routing = config.routing
    try:
        probes = plan_probes(routing.alpha, left_of_delta(connection, run, routing), asked=routing.probes)
    except ConfigError as error:
        return None, f"the pilot alone ({error.cause}): {pilot}"
    assert probes is not None
    return probes.asked, (
        f"{probes.asked} random probes, if at most {probes.slips} of them disagree (probability "
        f"{probes.chance(0.97):.2f} where experts agree on 97%): `solon learn {run.id[:8]} --carry`"
    )
