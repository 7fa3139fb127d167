"""Layouts of well-known sets and of common rows, as data: each a name and the maps of its variants, newest first.

What the public sets look like was read in their cards: openbmb/UltraFeedback, HuggingFaceH4/ultrafeedback_binarized,
argilla/ultrafeedback-binarized-preferences-cleaned, Anthropic/hh-rlhf, nvidia/HelpSteer, HelpSteer2 (also its folder
`preference`) and HelpSteer3, PKU-Alignment/PKU-SafeRLHF, berkeley-nest/Nectar, OpenAssistant/oasst1,
lmsys/chatbot_arena_conversations, lmsys-arena-human-preference-55k, lmarena-ai/arena-human-preference-140k,
mlabonne/orpo-dpo-mix-40k.
"""

from __future__ import annotations

from dataclasses import dataclass

from solon.config.sections import ImportMap


@dataclass(frozen=True, slots=True)
class Preset:
    """A layout by its name.

    Attributes:
        name: by which it is asked for.
        about: what its rows hold, in words.
        maps: its variants; the first whose answers a row has is taken.
        columns: what a row has beside what the maps name; it tells the set from others like it.
        transcripts: columns that hold a whole conversation as text.
    """

    name: str
    about: str
    maps: tuple[ImportMap, ...]
    columns: tuple[str, ...] = ()
    transcripts: tuple[str, ...] = ()


def _pairs(*sides: tuple[str, str]) -> tuple[ImportMap, ...]:
    return tuple(ImportMap(chosen=chosen, rejected=rejected) for chosen, rejected in sides)


_COMPLETIONS = {
    "prompt": "instruction",
    "answers": "completions[*].response",
    "models": "completions[*].model",
}
_RATED = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
CHOSEN = _pairs(
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("response_chosen", "response_rejected"),
    ("answer_chosen", "answer_rejected"),
    ("preferred", "rejected"),
    ("preferred", "dispreferred"),
    ("winner", "loser"),
)
ANSWERED = ("completion", "output", "response", "messages", "conversations", "conversation", "answer")

SETS = (
    Preset(
        "ultrafeedback",
        "completions with scores",
        tuple(
            ImportMap(**_COMPLETIONS, scores=scores)
            for scores in (
                ("completions[*].overall_score",),
                ("completions[*].fine-grained_score",),
                ("completions[*].annotations.helpfulness.Rating",),
            )
        ),
    ),
    Preset(
        "ultrafeedback-binarized",
        "chosen and rejected with scores",
        tuple(
            ImportMap(chosen=chosen, rejected=rejected, scores=scores, models=models)
            for chosen, rejected in (("chosen", "rejected"), ("chosen_response", "rejected_response"))
            for scores, models in (
                (("score_chosen", "score_rejected"), ()),
                (("chosen_avg_rating", "rejected_avg_rating"), ("chosen_model", "rejected_model")),
                (("chosen-rating", "rejected-rating"), ("chosen-model", "rejected-model")),
                (("chosen_rating", "rejected_rating"), ("chosen_model", "rejected_model")),
                (("rating_chosen", "rating_rejected"), ("chosen_model", "rejected_model")),
                (("chosen_score", "rejected_score"), ("chosen_model", "rejected_model")),
            )
        ),
    ),
    Preset(
        "helpsteer",
        "rated answers (1, 2), or two answers and how much better one is (2, 3)",
        (
            ImportMap(prompt="context", answers=("response1", "response2"), strength="overall_preference"),
            ImportMap(prompt="prompt", answers=("response_1", "response_2"), strength="preference_strength"),
            ImportMap(prompt="context", chosen="good_edited_response", rejected="bad_edited_response"),
            *(
                ImportMap(prompt="prompt", answers="response", scores=_RATED[:number], accept_from=3)
                for number in (5, 2, 1)
            ),
        ),
    ),
    Preset(
        "pku-saferlhf",
        "two answers and the number of the better one",
        (
            ImportMap(
                prompt="prompt",
                answers=("response_0", "response_1"),
                models=("response_0_source", "response_1_source"),
                index="better_response_id",
            ),
        ),
    ),
    Preset(
        "nectar",
        "ranked answers",
        (
            ImportMap(
                prompt="prompt",
                answers="answers[*].answer",
                ranks="answers[*].rank",
                models="answers[*].model",
            ),
        ),
    ),
    Preset(
        "oasst",
        "trees of messages with ranked replies, or one message a line",
        (ImportMap(tree="prompt"), ImportMap(tree="message_tree.prompt"), ImportMap(tree="message_tree")),
    ),
    Preset(
        "arena",
        "answers of two models and which won",
        (
            ImportMap(
                answers=("conversation_a", "conversation_b"), models=("model_a", "model_b"), winner="winner"
            ),
            ImportMap(
                prompt="prompt[*]",
                answers=("response_a[*]", "response_b[*]"),
                models=("model_a", "model_b"),
                winner=("winner_model_a", "winner_model_b", "winner_tie"),
            ),
            ImportMap(prompt="prompt", answers=("response_a", "response_b"), winner="winner"),
        ),
    ),
    Preset(
        "orpo-dpo-mix",
        "chosen and rejected as whole conversations, with source and prompt",
        _pairs(("chosen", "rejected")),
        columns=("source", "prompt", "question"),
    ),
    Preset(
        "hh-rlhf",
        "chosen and rejected as transcripts",
        _pairs(("chosen", "rejected")),
        transcripts=("chosen", "rejected"),
    ),
)
_ANSWERS = ("response", "answer", "output", "completion", "reply")
_MARKS = (("_0", "_1"), ("_1", "_2"), ("_a", "_b"), ("_A", "_B"), ("1", "2"))
_WINNERS = ("winner", "preferred", "choice", "better", "preference", "label")
_LISTS = (
    ("responses", "scores"),
    ("completions", "scores"),
    ("answers", "scores"),
    ("generations", "ratings"),
    ("all_generated_responses", "all_rm_scores"),
)
ALIKE = (
    Preset(
        "choice",
        "two answers and a column that names the better one",
        tuple(
            ImportMap(answers=(f"{name}{first}", f"{name}{second}"), winner=winner)
            for name in _ANSWERS
            for first, second in _MARKS
            for winner in _WINNERS
        ),
    ),
    Preset(
        "scored",
        "several answers with scores, ratings or ranks",
        (
            *(
                ImportMap(answers=f"{column}[*].{text}", **{of: f"{column}[*].{number}"})
                for column in ("completions", "responses", "answers", "candidates")
                for text in ("text", "response", "answer", "content")
                for of, number in (("scores", "score"), ("scores", "rating"), ("ranks", "rank"))
            ),
            *(ImportMap(answers=f"{texts}[*]", scores=f"{scores}[*]") for texts, scores in _LISTS),
        ),
    ),
)
"""Layouts like those of public sets, under other names."""

PAIRS = ("trl-preference", "trl-preference-standard", "llama-factory", "axolotl", "openrlhf")
LABELLED = ("trl-unpaired-preference", "trl-unpaired-preference-standard")
SINGLES = ("trl-sft", "trl-sft-standard", "sharegpt", "llama-factory-sft", "axolotl-sft", "openrlhf-sft")
COMMON = (
    *(
        Preset(
            name,
            "answers with label true or false",
            tuple(
                ImportMap(answers=answer, label=label)
                for label in ("label", "kto_tag")
                for answer in ANSWERED
            ),
        )
        for name in LABELLED
    ),
    *(Preset(name, "pairs: prompt, chosen, rejected", CHOSEN) for name in PAIRS),
)
"""Rows with decisions, as trainers read them."""

ANSWERS_ONLY = (
    Preset("alpaca", "instruction, input, output", (ImportMap(answers="output"),), columns=("instruction",)),
    *(
        Preset(
            name,
            "conversations or prompts with one answer",
            tuple(ImportMap(answers=answer) for answer in ANSWERED),
        )
        for name in SINGLES
    ),
)
"""Rows as trainers read them that say nothing of their answers: a row of any other layout has more."""
