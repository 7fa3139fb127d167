"""Law of a project: what is in force, its history, drafts, their impact and the vote on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solon.errors import UsageError
from solon.law.documents import diff
from solon.lawmaking import drafting
from solon.lawmaking.reading import list_documents, load_document, read_document
from solon.lawmaking.weights import weigh
from solon.reading import read_text
from solon.store.lawmaking.amendments import list_amendments, visible_flips, vote
from solon.store.lawmaking.principles import count_uses
from solon.store.lawmaking.splits import belongings, split_notes
from solon.store.records.overview import law_versions
from solon.store.reviewing.experts import TOKEN_VARIABLE
from solon.store.runs import laws
from solon.store.runs.runs import find_run
from solon.sync import run_sync

if TYPE_CHECKING:
    from solon.law.documents import Change
    from solon.lawmaking.drafting import Legislated
    from solon.lawmaking.weights import Weighed
    from solon.store.lawmaking.amendments import AmendmentRow, Standing
    from solon.store.lawmaking.principles import PrincipleUse
    from solon.store.lawmaking.splits import Belonging
    from solon.store.runs.laws import Document, Kind, LawVersion
    from solon.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LawHistory:
    """Every version that was in force, and every amendment.

    Attributes:
        versions: the oldest first.
        amendments: drafts in every state, the newest first.
        splits: id of a version -> what it split, and into what.
    """

    versions: tuple[LawVersion, ...]
    amendments: tuple[AmendmentRow, ...]
    splits: dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a draft would change among earlier decisions.

    Attributes:
        amendment: the draft with its figures in `impact` and its colour in `verdict`.
        flips: decisions that changed sides, as ids of item and decision; held-out ones only once it is ratified.
        belongs: decisions that cited what the draft splits, each with where it may belong.
        belongs_unseen: how many more of them are held out.
    """

    amendment: AmendmentRow
    flips: list[dict[str, Any]]
    belongs: tuple[Belonging, ...]
    belongs_unseen: int


class Law:
    """One kind of law of a project, see `Constitutions`, `Rubrics` and `Rulebook`."""

    kind: Kind

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def list(self) -> Sequence[dict[str, Any]]:
        """What ships with Solon, is configured, or was used by runs: name, version, fingerprint, source, in_force."""
        stored = law_versions(self._workspace.store, self.kind)
        return list_documents(self._workspace.config, self.kind, stored)

    def show(self, named: str | None = None) -> Document:
        """The document behind `NAME`, `NAME@VERSION`, an id, an amendment's id, a starter or a file.

        Args:
            named: default: the version in force of the configured name.

        Raises:
            UsageError: nothing is named, and the store has none in force: its first run brings one.
            ConfigError: it is none of these.
        """
        return read_document(self._workspace.store, self._workspace.config, self.kind, named)

    def diff(self, old: str, new: str | None = None) -> Sequence[Change]:
        """What applies differently under the new document, change by change.

        Args:
            old: as for `show`.
            new: as for `show`; default: the version in force.

        Raises:
            UsageError, ConfigError: as of `show`.
        """
        return diff(self.show(old), self.show(new))  # type: ignore[type-var]

    def history(self, name: str | None = None) -> LawHistory:
        """Every version that was in force, and every amendment.

        Args:
            name: of this document only; default: of every name.
        """
        with self._workspace.store.connect() as connection:
            versions = laws.history(connection, self.kind, name)
            drafts = list_amendments(connection, kind=self.kind)
        amendments = tuple(draft for draft in drafts if name in (None, draft.name))
        return LawHistory(tuple(versions), amendments, split_notes(versions))

    def import_(self, source: str | Path, *, in_force: bool = False, reason: str = "") -> LawVersion:
        """Bring a document into force: the first of its name at once, a later one only with `in_force` and a reason.

        Args:
            source: a YAML file, or a starter's name.
            in_force: replace the version in force, unmeasured and without a vote.
            reason: why; kept with the version.

        Raises:
            UsageError: one is in force and is not to be replaced, or no reason is given.
            ConfigError: the file cannot be read, or is no such document.
        """
        project = self._workspace
        document = load_document(self.kind, str(source))
        drafting.check_rules(project.store, project.config, document)
        return drafting.import_law(
            project.store, document, by=project.actor(), replace_in_force=in_force, reason=reason
        )

    def propose(
        self,
        file: str | Path | None = None,
        *,
        cites: str | Sequence[str] = (),
        reason: str = "",
        amends: str | None = None,
        model: str | None = None,
    ) -> Legislated:
        """Draft an amendment from a file, or let the legislator read the decisions that the law does not cover.

        Args:
            file: YAML with edits, or the whole next document; without it the legislator drafts.
            cites: ids of decisions that a draft from a file rests on, beside those that it names itself.
            reason: why, where the file does not say it itself.
            amends: what the legislator amends, a name or an id; default: the configured document.
            model: who drafts, a name in [models]; default: the resolver's model.

        Returns:
            The drafts in `amendments`; in `problems` why other clusters of decisions gave none.

        Raises:
            UsageError: the file cannot be read, or an edit does not fit the version in force.
        """
        project = self._workspace
        if file is None:
            work = drafting.legislate(
                project.store,
                project.config,
                kind=self.kind,
                named=amends,
                model=model,
                models=project.models,
            )
            return run_sync(work)
        about: dict[str, Any] = {
            "kind": self.kind,
            "cites": [cites] if isinstance(cites, str) else [*cites],
            "reason": reason,
            "by": project.actor(),
        }
        text = _read(Path(file))
        draft = drafting.propose(project.store, project.config, text, source=str(file), **about)
        return drafting.Legislated(amendments=[draft])

    def impact(
        self,
        amendment: str,
        *,
        sample: int = drafting.SAMPLE,
        max_calls: int | None = None,
        max_cost: float | None = None,
    ) -> Impact:
        """Let the panel re-judge earlier decisions under a draft, and say what the draft would change.

        Args:
            amendment: its id or the beginning of it.
            sample: precedents at most.
            max_calls: stop after so many model calls; what is known by then is kept.
            max_cost: stop at this cost, in the currency of the prices.

        Raises:
            UsageError: the amendment is closed, its base was replaced, or a limit on cost and a model without a price.
        """
        project = self._workspace
        work = drafting.measure_impact(
            project.store,
            project.config,
            amendment,
            by=project.actor(),
            models=project.models,
            recipes=project.recipes,
            sample=sample,
            max_calls=max_calls,
            max_cost=max_cost,
        )
        draft = run_sync(work)
        with project.store.connect() as connection:
            flips = visible_flips(connection, draft)
            base = laws.load_version(connection, draft.kind, draft.base_id).document
            belongs, unseen = belongings(connection, base, draft.document, unseen=draft.state == "ratified")
        return Impact(draft, flips, tuple(belongs), unseen)

    def ratify(
        self,
        amendment: str,
        *,
        against: bool = False,
        override: bool = False,
        reason: str = "",
        expert: str | None = None,
    ) -> Standing:
        """Vote on a draft as a lead; the vote that completes the quorum brings it into force.

        Args:
            amendment: its id or the beginning of it.
            against: vote against it.
            override: for it although its impact is not green; needs a reason.
            reason: why; kept with the vote.
            expert: token of the lead who votes; default: the project's, then that in SOLON_TOKEN.

        Returns:
            Where the draft stands; in `missing` what it still needs.

        Raises:
            UsageError: no token, not a lead, the proposer, not open, not measured, or an override without a reason.
        """
        project = self._workspace
        lead = project.acting_expert(expert)
        if lead is None:
            raise UsageError(
                "a vote needs a lead's own token",
                next_step=f"set {TOKEN_VARIABLE} to it and run the command again",
            )
        with project.store.transaction() as connection:
            return vote(
                project.store,
                connection,
                amendment,
                lead,
                quorum=project.config.law.quorum,
                in_favour=not against,
                override=override,
                reason=reason,
            )


class Constitutions(Law):
    """The principles that agents apply: `project.constitutions`."""

    kind: Kind = "constitution"

    def stats(self, named: str | None = None, *, runs: str | Sequence[str] = ()) -> Sequence[PrincipleUse]:
        """How often each principle was cited by critics, judges, resolver and experts, and how often it won.

        Args:
            named: NAME for every version of it, NAME@VERSION for items under that one; default: the one in force.
            runs: ids of runs to count; default: all.

        Raises:
            UsageError: there is no such constitution or run in the store.
        """
        project = self._workspace
        with project.store.connect() as connection:
            law = drafting.law_in_force(connection, project.config, self.kind, named)
            only = [find_run(connection, run).id for run in ((runs,) if isinstance(runs, str) else runs)]
            return count_uses(connection, law, version_only="@" in (named or ""), run_ids=only)


class Rubrics(Law):
    """The criteria that are scored: `project.rubrics`."""

    kind: Kind = "rubric"

    def weights(
        self,
        named: str | None = None,
        *,
        dry_run: bool = False,
        max_calls: int | None = None,
        max_cost: float | None = None,
    ) -> Weighed:
        """Fit the weights of the criteria to decisions, and propose them as an amendment if they do better.

        Args:
            named: a rubric of the store; default: the configured one.
            dry_run: fit and tell, propose nothing.
            max_calls: stop after so many model calls.
            max_cost: stop at this cost, in the currency of the prices.

        Raises:
            UsageError: there is no such rubric, or a limit on cost and a model without a price.
        """
        project = self._workspace
        work = weigh(
            project.store,
            project.config,
            named=named,
            models=project.models,
            recipes=project.recipes,
            max_calls=max_calls,
            max_cost=max_cost,
            dry_run=dry_run,
        )
        return run_sync(work)


class Rulebook(Law):
    """The ratified rules, which vote in new runs beside `[[rules]]` of the configuration: `project.rulebook`. Their
    impact is replayed on stored texts and verdicts, so that it asks no model."""

    kind: Kind = "rules"

    def leave_out(self, amendment: str, names: str | Sequence[str]) -> AmendmentRow:
        """The draft again without some of its new rules, such as those that are not right on unseen decisions. It is
        measured anew, and each rule in it that was measured before has to be the surer.

        Args:
            amendment: its id or the beginning of it.
            names: of the rules to leave out.

        Raises:
            UsageError: it is of no rules, or closed; it has no such rule; or none would be left.
        """
        wanted = (names,) if isinstance(names, str) else tuple(names)
        store = self._workspace.store
        with store.transaction() as connection:
            return drafting.leave_out(store, connection, amendment, wanted)

    def list(self) -> Sequence[dict[str, Any]]:
        """Every version that was ever in force: name, version, fingerprint, source, in_force."""
        return [
            {
                "name": version.name,
                "version": version.version,
                "fingerprint": version.document.fingerprint(),
                "source": "store",
                "in_force": version.status == "in_force",
            }
            for version in self.history().versions
        ]


def _read(file: Path) -> str:
    return read_text(file, next_step="give a YAML file")
