"""Examples of what goes over the wire about law in the making, and of what is told of an item: lineage, explanation."""

from __future__ import annotations

from pydantic.config import JsonDict

from solon.review.schemas.examples import (
    ADA,
    AMENDED,
    ASSIGNMENT,
    BAD,
    CAREFUL,
    CARELESS,
    CHANGE,
    CONSTITUTION,
    DECISION,
    GOOD,
    ITEM,
    PROMPT,
    REVIEW,
    RUN,
    SIMILAR,
    UNITS,
    WHY,
)

PRECEDENT = "2c5b19e07d4f83a6915fe0b2"
CALL = "8c76610eb0c2e574b7c36a32"
SEAT = "1: a careful expert in the subject who checks every claim"
JOB: JsonDict = {
    "id": "19a2d10b228628e7f7acc",
    "kind": "impact",
    "state": "running",
    "problem": None,
    "created_at": 1767265000.0,
    "finished_at": None,
    "result": None,
    "progress": {"done": 21, "of": 60, "calls": 84, "cost": 0.0142},
    "limits": {"sample": 60, "max_calls": 300, "max_cost": None},
    "open": True,
}
REJUDGING: JsonDict = {"stale": 14, "waiting": 3, "works": True, "job": {**JOB, "kind": "rejudge"}}

# Amendments -------------------------------------------------------------------------------------------------------

AMENDMENT_LINE: JsonDict = {
    "id": AMENDED,
    "kind": "constitution",
    "name": "medical",
    "scope": "global",
    "state": "measured",
    "verdict": "green",
    "reason": "A dose without a unit was misread.",
    "created_at": 1767264900.0,
    "version": "1.1.0",
}
DRAFTED: JsonDict = {"id": AMENDED, "version": "1.1.0", "state": "drafted", "warnings": []}
STANDING: JsonDict = {
    "state": "measured",
    "in_favour": 1,
    "needed": 2,
    "missing": "1 more vote(s) of leads",
}
CHANGED: JsonDict = {**CHANGE, "place": 10}
FLIP: JsonDict = {
    "precedent_id": PRECEDENT,
    "item_id": ITEM,
    "decision_id": DECISION,
    "part": "seen",
    "decided": "A",
    "before": "B",
    "after": "A",
}
FLIP_CASE: JsonDict = {
    **FLIP,
    "amendment": AMENDED,
    "request": PROMPT,
    "answers": [{"place": "A", "text": GOOD}, {"place": "B", "text": BAD}],
    "choice": "prefer",
    "rationale": WHY,
    "principles": ["true-claims"],
}
SEEN: JsonDict = {
    "n": 30,
    "before": 0.7,
    "after": 0.8,
    "gained": 4,
    "lost": 1,
    "p_value": 0.375,
    "interval": [-0.0333, 0.2333],
}
HELD_OUT: JsonDict = {
    "n": 30,
    "before": 0.6,
    "after": 0.8667,
    "gained": 8,
    "lost": 0,
    "p_value": 0.0078125,
    "interval": [0.1333, 0.4333],
}
NONE_FRESH: JsonDict = {
    "n": 0,
    "before": None,
    "after": None,
    "gained": 0,
    "lost": 0,
    "p_value": 1.0,
    "interval": [-1.0, 1.0],
}
AMENDMENT: JsonDict = {
    "id": AMENDED,
    "kind": "constitution",
    "name": "medical",
    "scope": "global",
    "reason": "A dose without a unit was misread.",
    "cites": [DECISION],
    "overrules": [],
    "warnings": [],
    "state": "measured",
    "verdict": "green",
    "created_at": 1767264900.0,
    "measured_at": 1767265180.5,
    "closed_at": None,
    "impact": {
        "parts": {"seen": SEEN, "held_out": HELD_OUT, "fresh": NONE_FRESH},
        "unseen": HELD_OUT,
        "noise": None,
        "verdict": "green",
        "why": "agreement rises: 60% to 87% on 30 unseen precedents",
        "sample": 60,
        "eligible": 412,
        "judged_twice": 0,
        "calls": 480,
        "from_journal": 240,
        "cost": 0.0811,
        "stopped": None,
    },
    "stale_records": 0,
    "version": "1.1.0",
    "base": {"id": CONSTITUTION, "version": "1.0.0", "status": "in_force"},
    "proposer": "Dr Ada Lind",
    "proposer_actor": f"expert:{ADA}",
    "changes": [CHANGED],
    "parts": 10,
    "flips": [FLIP],
    "belongs": [],
    "belongs_unseen": 0,
    "job": None,
    "works": True,
    "votes": [
        {
            "choice": "for",
            "override": False,
            "reason": "We asked for it.",
            "created_at": 1767265400.0,
            "by": "Prof Bo Ek",
        }
    ],
    "standing": STANDING,
    "open": True,
}
UNUSED: JsonDict = {
    "cited": 0,
    "sided": 0,
    "won": 0,
    "rate": None,
    "interval": [0.0, 1.0],
    "decided_by_people": {"sided": 0, "won": 0},
}
USED: JsonDict = {
    "cited": 31,
    "sided": 20,
    "won": 17,
    "rate": 0.85,
    "interval": [0.6211, 0.9679],
    "decided_by_people": {"sided": 9, "won": 8},
}
PRINCIPLES: JsonDict = {
    "name": "medical",
    "version": "1.1.0",
    "principles": [
        {
            "id": "gives-every-amount",
            "text": UNITS,
            "in_force": True,
            "split_into": [],
            "critics": USED,
            "judges": UNUSED,
            "resolver": UNUSED,
            "experts": UNUSED,
        }
    ],
}

# An item ----------------------------------------------------------------------------------------------------------

EXPLANATION: JsonDict = {
    "review": REVIEW,
    "kind": "interrupt",
    "reasons": [
        "the two judges disagree (3 for answer 1, 1 for answer 2)",
        "the first choice is ahead by 0.12, needed 0.20",
    ],
    "margin": 0.12,
    "confidence": 0.56,
    "candidates": [{"id": CAREFUL, "place": 1}, {"id": CARELESS, "place": 2}],
    "findings": [
        {
            "candidate": CARELESS,
            "place": 2,
            "of_draft": False,
            "principle": "true-claims",
            "quote": "Ibuprofen is fine",
            "severity": "fatal",
            "suggestion": "Name the risk of bleeding.",
        }
    ],
    "verdicts": [
        {
            "judge": "openai:panel-small",
            "seat": SEAT,
            "order": "1, 2",
            "outcome": "prefers",
            "favours": 1,
            "p": 0.88,
            "scores": None,
            "abstained": None,
            "rationale": "The second answer overlooks the interaction.",
            "evidence": [],
        }
    ],
    "resolution": {
        "favours": 1,
        "outcome": None,
        "cites": ["true-claims"],
        "handed_over": None,
        "text": "Only the first answer is true as far as is known.",
    },
    "decision": {"yours": True, "choice": "prefer", "place": 1, "principles": ["true-claims"]},
    "known": None,
    "similar": [SIMILAR],
}
LINEAGE: JsonDict = {
    "record": {
        "id": "e1c0a97b35d24f6880b7c2d4",
        "item_id": ITEM,
        "run_id": RUN,
        "attempt": 0,
        "place": 0,
        "recipe": "preference",
        "kind": "prefer",
        "chosen_id": CAREFUL,
        "rejected_id": CARELESS,
        "pair_key": "5a8f0c3e9b7d214f6a1c2e3d",
        "shown": [CAREFUL, CARELESS],
        "weight": None,
        "question": None,
        "label": None,
        "margin": 0.12,
        "confidence": 0.56,
        "soft_label": 0.56,
        "shares": {"A": 0.56, "B": 0.44},
        "tier": 0,
        "scores": None,
        "route": "decided",
        "provisional": False,
        "certificate_id": None,
        "consensus_id": "ec5a8ad47959582b1a64d316",
        "constitution_id": CONSTITUTION,
        "rubric_id": "6305c81b9e04321e83128b71",
        "decision_id": DECISION,
        "superseded_at": None,
        "stale_at": None,
        "created_at": 1767262312.0,
        "principles": [],
    },
    "item": {
        "id": ITEM,
        "state": "accepted",
        "route": "decided",
        "reason": None,
        "attempt": 0,
        "graph_version": "325b98f8c178357a",
    },
    "run": {
        "id": RUN,
        "recipe": "preference",
        "config_id": "a62b25ac3b41e6d2ef81aa91",
        "actor": "local:ada",
        "created_at": 1767261600.0,
    },
    "seed": {"external_id": "case-6", "licence": "CC-BY-4.0", "prompt": PROMPT},
    "law": {
        "constitution": f"medical 1.0.0 ({CONSTITUTION})",
        "rubric": "general 1.0.0 (6305c81b9e04321e83128b71)",
        "consensus": "0 prior (ec5a8ad47959582b1a64d316)",
        "prompts": {"judge.pair": "1 (55dedecc2a935f8a)"},
    },
    "candidates": [
        {
            "id": CAREFUL,
            "attempt": 0,
            "round": 0,
            "kind": "draft",
            "author": "openai:writer",
            "parent_id": None,
            "call_id": "1f5ad0c8e2b74693a0d1c7e5",
            "model": "openai:writer",
            "text": GOOD,
        }
    ],
    "critiques": [
        {
            "candidate_id": CAREFUL,
            "worst": "none",
            "principles": [],
            "abstained": None,
            "call_id": "65651789cdb9d5e19f586c0a",
            "model": "openai:critic",
            "text": "[]",
        }
    ],
    "verdicts": [
        {
            "attempt": 0,
            "a_id": CAREFUL,
            "b_id": CARELESS,
            "judge": "openai:panel-small",
            "seat": SEAT,
            "order": "AB",
            "sample": 0,
            "outcome": "A",
            "p": 0.88,
            "scores": None,
            "shares": None,
            "abstained": None,
            "basis": "letter",
            "call_id": CALL,
            "model": "openai:panel-small",
            "rationale": None,
            "evidence": [],
        }
    ],
    "seed_rubric": {
        "version": "46032506a13804d2",
        "criteria": [
            {"id": "C1", "name": "tonight", "text": "Says what to do tonight.", "weight": 0.75},
            {"id": "C2", "name": "", "text": "Names the tools.", "weight": 0.25},
        ],
    },
    "confirmed_rubrics": [],
    "first_votes": [],
    "not_asked": [],
    "shortlist": [
        {
            "attempt": 0,
            "a_id": CAREFUL,
            "b_id": None,
            "judge": "openai:panel-small",
            "seat": SEAT,
            "order": "",
            "sample": 0,
            "outcome": "accept",
            "p": None,
            "scores": {"correctness": 5.0, "clarity": 4.0},
            "shares": None,
            "abstained": None,
            "basis": "json",
            "call_id": CALL,
            "model": "openai:panel-small",
            "rationale": None,
            "evidence": [],
        }
    ],
    "resolutions": [],
    "reviews": [
        {
            "id": REVIEW,
            "attempt": 0,
            "state": "decided",
            "rule": "threshold",
            "reasons": [
                {"code": "split", "text": "the two judges disagree (3 for A, 1 for B)"},
                {
                    "code": "margin",
                    "text": "the first choice is ahead by 0.12, needed 0.20",
                    "value": 0.12,
                    "limit": 0.2,
                },
            ],
            "margin": 0.12,
            "confidence": 0.56,
            "decision_id": DECISION,
        }
    ],
    "decisions": [
        {
            "id": DECISION,
            "actor": f"expert:{ADA}",
            "channel": "api",
            "choice": "prefer",
            "candidate_id": CAREFUL,
            "principles": ["true-claims"],
            "flags": {CARELESS: ["unsafe"]},
            "scores": None,
            "strength": 3,
            "evidence": [{"candidate": CARELESS, "start": 0, "end": 5, "flag": "unsafe", "quote": "Do it"}],
            "decided_at": 1767262310.5,
            "undone_at": None,
            "carried_from": None,
            "suggestion": None,
            "checked": None,
            "rationale": WHY,
            "guidance": None,
            "edit": None,
            "rankings": {},
        }
    ],
    "set_aside": [
        {
            "id": ASSIGNMENT,
            "review_id": REVIEW,
            "actor": f"expert:{ADA}",
            "state": "declined",
            "reason": "not_my_field",
            "closed_at": 1767262210.5,
            "choice": None,
            "candidate_id": None,
            "rationale": "A question for a pharmacist.",
        }
    ],
    "calls": [
        {
            "id": CALL,
            "role": "judge",
            "seat": "0/AB",
            "sample": 0,
            "round": 0,
            "model": "openai:panel-small",
            "template": "judge.pair",
            "outcome": "ok",
            "input_tokens": 412,
            "output_tokens": 9,
            "estimated": False,
            "cost": 0.0002,
            "seconds": 0.8,
            "error": None,
            "reasoning": None,
        }
    ],
}
