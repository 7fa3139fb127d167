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
    "injection": "words that give orders to models",
    "injection_turns": "the panel chooses otherwise without such words",
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


_WORDS = (
    "rank; write; all bad; "
    "accept; reject; tie; both bad; edit; redraft; prefer; skip; decline; escalate; none; changed; stands; "
    "contested; go on; stop; drafts; plan; unsafe; factually wrong; outdated; personal data; reason; not my "
    "field; needs context; broken; minor; major; fatal; abstained; prefers; accepts; maintains; open; taken; "
    "declined; withdrawn; decided; accepted; rejected; failed; parked; queued; done; running; waiting; erased; "
    "finished; stopped; interrupted; vote; second; skipped; escalated; released; expired; worker; expert; "
    "lead; admin; guidelines; practice; calibration; proven; green; red; for; against; drafted; measured; "
    "ratified; in force; draft; superseded; constitution; rubric; rules; global; added; retired; split; text; "
    "priority; name; seen; held out; fresh; critics; judges; resolver; experts; generator; critic; judge; "
    "revision; given; ok; replayed; audit; overlap; golden; repeat; doubt; sample; interrupt; waiting for "
    "people; not done yet; page; api; cli; below; above; at the level; cannot tell; cannot tell yet; meets it; "
    "does not meet it; cannot tell: near the wanted level; This did not work; item read; review decided; "
    "review created; review voted; draft saved; decision carried; constitution ratified; amendment drafted; "
    "amendment measured; amendment vote; worker stopped; similar read; settings changed; run recipe adopted; "
    "review released; review read; review revealed; review explained; review checked; queue read; proposals "
    "read; privacy held; privacy forgotten; principle proposed; principle taken; principle declined; principle "
    "withdrawn; pilot strata; pilot drawn; known retired; known imported; item repaired; guidelines read; "
    "instruction written; no result; "
    "guidelines acknowledged; export written; export read; export previewed; export asked; expert trust; "
    "expert stage; expert rotated; expert revoked; expert added; diff read; decision overruled; certificate "
    "suspended; constitution in force; rubric in force; rules in force; run begun; run ask again; there is no "
    "such page; review skip; review decline; review escalate; aside undone; vote undone; disputed; flagged; pending; "
    "empty; identical; no pair; multi turn; tool calls; turns do not alternate; overlapping; not scored; no rubric; "
    "not revised; not criticised; no response; fault without place"
)
WORDS = tuple(_WORDS.split("; "))
"""Codes that are words already, as the pages show them: a language has them, too."""
