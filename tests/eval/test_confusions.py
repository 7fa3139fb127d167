"""Who confuses what with what: what audits say of judges has a table of its own."""

from __future__ import annotations

from pathlib import Path

from solon import Project, judge
from solon.store.reviewing.experts import add_expert


@judge("always-card", "1")
def careless(answer: str) -> str:
    return "card"


def test_audits_tell_what_a_judge_confuses_on_accepted_records(tmp_path: Path) -> None:
    config = {
        "models": {"default": {"model": "scripted:default"}},
        "label": {"labels": ["card", "transfer"]},
        "judges": [{"python": f"{__name__}:careless"}],
        "routing": {"policy": "threshold", "threshold": 0.0, "audit_share": 0.5},
    }
    words = ("the card is gone", "money was sent")
    with Project(f"sqlite:///{tmp_path}/s.db", config=config) as project:
        project.plugins = {f"{__name__}:careless": careless}
        project.store.key = "5a" * 32
        project.run("label-panel", [{"id": f"t{n}", "prompt": f"{words[n % 2]} {n}"} for n in range(20)])
        _, token = add_expert(project.store, "Lea", role="lead", by="local:test")
        audits = project.reviews()
        assert audits
        for review in audits:
            right = "card" if "card" in review.prompt else "transfer"
            project.decide(review, right, rationale="as it says", expert=token)
        found = project.evaluate("confusions")
    [voter] = found.voters
    wrong = sum("money" in review.prompt for review in audits)
    assert voter.name.endswith(", in audits")
    assert (voter.counts["transfer"]["card"], voter.right.n) == (wrong, len(audits))
    assert "in audits judges look better" in " ".join(found.notes)
