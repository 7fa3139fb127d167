"""What a version or a certificate moves: items to come follow it, those that wait may be settled, and accepted ones are
confirmed or doubted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from solon.consensus.panel import Consensus
from solon.consensus.settled import judge_stopped
from solon.consensus.tiers import tier_reached, up_to
from solon.consensus.worth import weigh_decision
from solon.graphs.routing import Cuts, Standing, choose_route, is_covered, stand, stops_here
from solon.store.learning import adoption
from solon.store.reviewing.budget import asked_items
from solon.store.runs.verdicts import RESOLVER

if TYPE_CHECKING:
    from solon.config import Config
    from solon.consensus.model import ConsensusModel
    from solon.questions import Question
    from solon.store.database.store import Store
    from solon.store.learning.evidence import JudgedItem
    from solon.store.runs.run_row import RunRow


def adopt(
    store: Store,
    run: RunRow,
    config: Config,
    question: Question,
    model: ConsensusModel,
    judged: Sequence[JudgedItem],
    version_id: str,
    certificate_id: str | None,
    cuts: Cuts,
    presumed: str | None,
) -> tuple[int, int, int, int, int]:
    """Apply a version to items to come, to those that wait and to those accepted; how many of each it moved."""
    settled = doubted = turned = confirmed = 0
    kept_waiting: dict[str, float] = {}
    pins = {"consensus_id": version_id, "certificate_id": certificate_id}
    with store.transaction() as connection:
        queued = adoption.adopt_for_queued(connection, run.id, version_id, certificate_id)
        ordered = frozenset(asked_items(connection, run.id, rule="injection"))
    for item in judged:
        consensus, standing, tier = rest(model, item, config, cuts)
        route = choose_route(consensus, config.routing, standing, can_resolve=False, presumed=presumed)
        # no version makes a text harmless that gives orders to models
        accepts = route.where == "accept" and not (item.state == "waiting" and item.item_id in ordered)
        if item.state == "waiting" and not accepts:
            kept_waiting[str(item.review_id)] = weigh_decision(
                consensus.confidence, consensus.signals["model_change"], decisions=model.n_decisions
            ).value
            continue
        # What a budget left over stays accepted while the panel chooses the same: there is no threshold to fall under.
        other = item.state != "waiting" and chooses_other(question, consensus, item)
        stays = (accepts or (config.routing.policy == "budget" and not consensus.open)) and not other
        with store.transaction() as connection:
            if item.state == "waiting":
                why = f"settled by consensus version {version_id}"
                settled += adoption.send_again(connection, item, pins, why=why)
            elif not stays:
                if adoption.send_again(connection, item, pins, why="doubted"):
                    adoption.note_doubted(connection, item.item_id, version_id, turned=other)
                    doubted, turned = doubted + 1, turned + other
            else:
                confirmed += 1
                sure = is_covered(consensus, standing, presumed)
                adoption.confirm_record(
                    connection,
                    item,
                    version_id,
                    certificate_id if sure else None,
                    margin=consensus.margin,
                    confidence=consensus.confidence,
                    tier=tier,
                )
    with store.transaction() as connection:
        adoption.reorder(connection, kept_waiting)
    return queued, settled, doubted, turned, confirmed


def rest(
    model: ConsensusModel, item: JudgedItem, config: Config, cuts: Cuts
) -> tuple[Consensus, Standing, int]:
    """Where the cascade would stop on an item now, of the tiers that have spoken: what it finds, by which cut.

    A certificate speaks of the panel alone: the pilot, which it was made from, never has the resolver's vote.
    """
    tiers = config.tiers
    votes = item.votes if cuts is None else [vote for vote in item.votes if vote.seat != RESOLVER]
    reached = tier_reached(votes, tiers)
    for tier in range(reached + 1):
        missing = item.not_asked if tier == reached else ()
        consensus = judge_stopped(
            model.at(tier), up_to(votes, tier, tiers), missing, against=item.against, traits=item.traits
        )
        standing = stand(item.pilot, cuts, tier)
        if tier == reached or stops_here(consensus, config.routing, standing):
            break
    return consensus, standing, tier


def chooses_other(question: Question, found: Consensus, item: JudgedItem) -> bool:
    return found.best != question.said_by(item.chosen_id, item.label, item.shown)
