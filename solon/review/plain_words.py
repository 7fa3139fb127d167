"""What leads read in place of the codes that are stored: states, reasons, roles of answers, entries of the log."""

from __future__ import annotations

REASONS = {
    "split": "the judges disagree",
    "margin": "the panel is not sure enough",
    "flips": "a judge changes sides with the order",
    "samples": "a judge wavers",
    "critic": "a critic found a fault",
    "abstained": "a judge gave no verdict",
    "no_verdict": "no judge gave a verdict",
    "no_panel": "no panel judges this",
    "resolver": "the resolver handed it over",
    "step": "a step of the recipe asks",
    "pilot": "drawn at random for the pilot",
    "value": "worth the time under the budget",
}
"""Code of a reason why people are asked -> the same in words."""

STATES = {
    "opening": "being prepared",
    "held": "held back by the budget",
    "waiting": "waiting",
    "queued": "not begun",
    "running": "under way",
    "parked": "stopped by a failure",
    "forgotten": "erased",
    "contested": "left contested",
    "all": "any",
}
"""State of a review, an item or a disagreement -> the same in words; the others are words already."""

ACTIONS = {
    "adjudication.contested": "outcome contested",
    "adjudication.decided": "disagreement settled",
    "adjudication.opened": "disagreement seen",
    "adjudication.read": "disagreement read",
    "adjudication.reply": "outcome replied to",
    "adjudication.withdrawn": "disagreement withdrawn",
    "decision.undone": "answer taken back",
    "expert.sso": "single sign-on set",
    "known.picked": "golden questions picked",
    "link.made": "login link made",
    "review.late": "answer came too late",
    "review.second": "second opinion given",
    "reviews.bulk": "many reviews decided",
    "session.begun": "logged in",
    "session.ended": "logged out",
    "sso.used": "single sign-on used",
}
"""Entry of the log -> the same in words; the others are words, once the dot is a space."""


def spell_code(code: str) -> str:
    """Return a stored code in plain words."""
    told = REASONS.get(code) or STATES.get(code) or ACTIONS.get(code)
    return told or code.replace(".", " ").replace("_", " ")


SUBJECTS = {
    "adjudication": "/lead/adjudications/{}",
    "amendment": "/lead/amendments/{}",
    "constitution": "/lead/constitution",
    "decision": "/lead/items/{}",
    "expert": "/lead/reviewers",
    "export": "/lead/exports",
    "item": "/lead/items/{}",
    "principle": "/lead/proposals",
    "proposal": "/lead/proposals",
    "review": "/lead/items/{}",
    "rubric": "/lead/constitution",
    "run": "/lead/runs?run={}",
}
"""First part of an entry's action -> the page that shows what it is about. An item is found by its reviews and
decisions, too."""


def link_subject(action: str, subject: str) -> str:
    """Return the path of the page that shows what an entry of the log is about; empty where none does."""
    path = SUBJECTS.get(action.partition(".")[0], "") if subject else ""
    return path.format(subject)
