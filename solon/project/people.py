"""The people of a project, the questions that try them, and the seeds that somebody must answer for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from solon.display.notebook import Listing
from solon.learning.people import check_people
from solon.operations.golden import add_questions, pick_questions, retire_questions
from solon.store.database.local_actor import local_actor
from solon.store.reviewing import experts, sessions
from solon.store.reviewing.known import count_known
from solon.store.reviewing.served import server_address
from solon.store.runs.holds import HELD, REJECTED, RELEASED, close_hold, list_holds
from solon.store.runs.runs import find_run

if TYPE_CHECKING:
    from solon.learning.people import PeopleCheck
    from solon.operations.golden import Picked
    from solon.store.reviewing.experts import ExpertRow
    from solon.store.reviewing.known_import import Imported
    from solon.store.runs.holds import HoldRow
    from solon.workspace.seeds import Seeds
    from solon.workspace.workspace import Workspace


class Experts:
    """Who may answer reviews: `project.experts`. People are named by their name or their id."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def add(
        self,
        name: str,
        *,
        role: str = "expert",
        specialties: Sequence[str] = (),
        languages: Sequence[str] = (),
        credential: str = "",
        trust: str = "",
        email: str = "",
        ready: bool | None = None,
    ) -> str:
        """Add a person who may answer; returns their token, which is shown this once and stored hashed only.

        Args:
            name: how leads see this person.
            role: worker (answers are votes), expert, lead or admin.
            specialties: fields whose reviews come to them first, such as `cardiology`.
            languages: codes of the languages that they read, such as `en`.
            credential: what makes them an expert, in a few words.
            trust: proven (answers decide) or unproven (answers are votes); empty: by the role.
            email: for the daily digest.
            ready: answers at once; default: as `onboarding` in [review] says.

        Raises:
            UsageError: the name is empty or taken, or a fact is none that there is.
        """
        return self._workspace.add_expert(
            name,
            role=role,
            specialties=specialties,
            languages=languages,
            credential=credential,
            trust=trust,
            email=email,
            ready=ready,
        )

    def list(self) -> Listing[ExpertRow]:
        """Everyone by name, those whose access was revoked too."""
        with self._workspace.store.connect() as connection:
            rows = experts.list_experts(connection)
        return Listing(rows, columns=("name", "role", "trust", "stage", "specialties", "languages"))

    def test(self, wanted: float | None = None) -> PeopleCheck:
        """Test whether each person answers as many golden questions rightly as is wanted, and tell who may not read.

        Nothing follows from it by itself: nobody is blocked.

        Args:
            wanted: share of right answers; default: `wanted` in [reviewers].

        Raises:
            ConfigError: the wanted level is not between 0.5 and 1.
        """
        store = self._workspace.store
        level = self._workspace.config.reviewers.wanted if wanted is None else wanted
        with store.connect() as connection:
            return check_people(connection, store.key, level)

    def trust(self, name: str, trust: str) -> ExpertRow:
        """Say whether a person's decisions are final; returns the person as they stand now.

        Args:
            trust: proven (decisions are final), unproven (answers are votes), or measured (by role and comparisons).

        Raises:
            UsageError: there is no such person, or no such trust.
        """
        said = "" if trust == "measured" else trust
        return experts.set_trust(self._workspace.store, name, said, by=local_actor())

    def revoke(self, name: str) -> ExpertRow:
        """End a person's access at once; what they decided stays. Returns the person as they stand now.

        Raises:
            UsageError: there is no such person.
        """
        return sessions.revoke_expert(self._workspace.store, name, by=local_actor())

    def rotate(self, name: str) -> str:
        """Give a person a new token and return it; the old one ends at once. It is still the same person.

        Raises:
            UsageError: there is no such person.
        """
        return experts.rotate_token(self._workspace.store, name, by=local_actor())[1]

    def link(self, name: str, *, address: str | None = None) -> str:
        """A link that logs a person in; it works once, for ten minutes.

        Args:
            address: of the review server, as the person reaches it; None: as it is configured, or where one ran last.

        Raises:
            UsageError: there is no such person.
        """
        store, configured = self._workspace.store, self._workspace.config.review.address
        secret = sessions.make_login_link(store, name, by=local_actor())
        with store.connect() as connection:
            return f"{server_address(connection, address or configured)}/login?link={secret}"


class GoldenQuestions:
    """Questions whose answer is known: `project.golden`. They count in reliability only, and make no record."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def import_(self, seeds: Seeds, *, purpose: str = "golden", recipe: str = "preference") -> Imported:
        """Add questions; returns how many were `added`, and how many were `known` already.

        Args:
            seeds: as for a run, with the candidates in `responses`, what is right in `answer`, and `why`.
            purpose: golden (mixed into the queue), practice or calibration (for new experts).
            recipe: whose reviews they look like.

        Raises:
            UsageError: there is no such purpose or recipe.
            SeedError: naming the row and what is wrong; nothing was added.
        """
        return add_questions(self._workspace, seeds, purpose=purpose, recipe=recipe)

    def pick(
        self,
        n: int = 20,
        *,
        recipe: str | None = None,
        source: str = "decided",
        seed: int = 0,
        dry_run: bool = False,
    ) -> Picked:
        """Make golden questions of those whose answer people have settled surely, balanced over the answers.

        Nobody is asked one that they answered themselves; answers to them teach the panel nothing.

        Args:
            n: so many at most.
            recipe: of the items; default: of all.
            source: decided (a lead's blind answer or ruling, two experts who agree, an audit that confirms its record)
                or certain (two experts who agree, and nobody answered otherwise).
            seed: draws which.
            dry_run: only say which; store nothing.

        Raises:
            UsageError: there is no such source or recipe, or n is under 1.
        """
        return pick_questions(self._workspace, n, recipe=recipe, source=source, seed=seed, dry_run=dry_run)

    def retire(self, purpose: str) -> int:
        """Ask the questions of a purpose no more; the answers to them stay. Returns how many questions there were.

        Raises:
            UsageError: there is no such purpose.
        """
        return retire_questions(self._workspace, purpose)

    def count(self) -> dict[str, int]:
        """How many questions are in use, by purpose."""
        with self._workspace.store.connect() as connection:
            return count_known(connection)


class HeldSeeds:
    """Seeds that the privacy scan holds back until a named person decides: `project.privacy`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def list(self, *, run_id: str | None = None, closed: bool = False) -> Listing[HoldRow]:
        """Held seeds with the kinds that were found and their places in the seed, never the text.

        Args:
            run_id: seeds of this run only; default: of all runs.
            closed: those that were released or rejected, too.

        Raises:
            UsageError: there is no such run.
        """
        states = (HELD, RELEASED, REJECTED) if closed else (HELD,)
        with self._workspace.store.connect() as connection:
            run = find_run(connection, run_id).id if run_id else None
            rows = list_holds(connection, run_id=run, states=states)
        return Listing(rows, columns=("item_id", "external_id", "state", "findings"))

    def release(self, *items: str, by: str, reason: str) -> Listing[HoldRow]:
        """Let held seeds go to the models, in the name of a person; `resume` then works on them.

        Args:
            items: ids of items, or their beginnings.
            by: who answers for it; the log keeps it.
            reason: why; kept with the seed.

        Raises:
            UsageError: one of them is no held item, or there is no name or reason. Nothing was changed.
        """
        return self._close(items, by, reason, release=True)

    def reject(self, *items: str, by: str, reason: str) -> Listing[HoldRow]:
        """Reject held seeds: they are never sent, their text stays until it is forgotten. Arguments as of `release`.

        Raises:
            UsageError: one of them is no held item, or there is no name or reason. Nothing was changed.
        """
        return self._close(items, by, reason, release=False)

    def _close(self, items: Sequence[str], by: str, reason: str, *, release: bool) -> Listing[HoldRow]:
        store, actor = self._workspace.store, local_actor()
        with store.transaction() as connection:
            rows = [
                close_hold(store, connection, item, release=release, by=by, actor=actor, reason=reason)
                for item in items
            ]
        return Listing(rows, columns=("item_id", "external_id", "state"))
