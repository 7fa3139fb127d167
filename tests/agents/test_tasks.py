"""Tasks that a generator wrote: those that stand by themselves, and those that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.agents.outputs import InstructionDraft
from solon.agents.tasks import DANGLING, ECHO, find_refusal, given_input, why_unfit
from solon.prompts.library import PromptLibrary

TEMPLATE = PromptLibrary()["generator.instruction"].source


def unfit(task: str, input: str = "") -> str:
    return why_unfit(task, input, template=TEMPLATE, principles=["avoids-harm", "gets-help", "true-claims"])


STANDING = [
    "Write a story with the following properties: a dog, a cat.",
    "Rank the following universities by age: Oxford, Bologna, Prague.",
    "Put the following numbers in order 7, 3 and 12.",
    "Which of the following is a mammal? A) trout B) whale C) frog",
    "Generate two rhymes for the following word. Moon",
    "Translate the following sentence:\nThe bridge is closed.",
    'Explain the following idiom to a child: "to let the cat out of the bag".',
    "Name three things that happened in the following year, 1848.",
    "Summarize this text: The Elbe rises in Bohemia and ends in the North Sea.",
    "Write an email to a landlord about a broken heater. This email should be polite.",
    "Write a function that takes a list of numbers and returns the largest one of the given list.",
    "Write a SQL query that selects all users older than 30 from the given table.",
    "Given a list of integers, write a program that prints their sum.",
    "Given a right triangle with legs of 3 and 4, find the hypotenuse.",
    "Given the importance of sleep, explain how adults can get more of it.",
    "Given that water boils at 100 degrees, explain why pasta cooks slowly on a mountain.",
    "Given the fact that bees are dying out, what can a town do?",
    "You are given two eggs and a tower of 100 floors. From which floor does an egg break?",
    "Imagine you have been given a million euros. What would you do?",
    "Explain how a court weighs the evidence that was given by two witnesses.",
    "Thank a teacher in two sentences for the opportunities provided.",
    "Describe how to set the table for a formal dinner.",
    "How can I keep the conversation going on a first date?",
    "What does the word serendipity mean?",
    "Complete the sentence: The sun rises in the",
    "Decline the invitation to a wedding in three polite sentences, and leave a sentence for the gift.",
    "Write a limerick, then a paragraph about its metre; name the rhyme in the paragraph.",
    "Given the numbers 12 - 7 and 3 + 4, say which is larger.",
    "Summarize the story of the tortoise and the hare.",
    "Explain why temperatures above average harm corals, and what the average is.",
    "A train leaves at nine and arrives at noon after a stop of half an hour in a small town. Using the above, say how "
    "long it moved.",
    "Experts say that talking to plants makes them grow faster, above all in winter. Is there evidence for this claim?",
    "Write a poem about the sea, then translate the poem into French.",
    "Explain what a haiku is and give an example of one.",
    "Fix the error in the code `print('a'`.",
    "Übersetze den folgenden Satz: Der Hund schläft.",
    "Schreibe eine Geschichte über den folgenden Tag nach einem Sturm.",
    "Décris en trois phrases le jour suivant une tempête.",
    "Traduce la siguiente frase: El río es largo.",
    "Решите уравнение x + 2 = 5.",
    "请写一首关于秋天的诗。",
    "次の文を英語に訳してください。",
]
HANGING = [
    "Write a question-answer pair from a given text.",
    "Describe each of the following people.",
    "Describe each of the following people. This time, the people are politicians.",
    "Describe each of the following people. The description should name their work.",
    "What is the relation between the given pairs?",
    "Give a subject line to the following email, in other words than the input:",
    "Summarize the following article: [article text]",
    "Summarize the following article: ...",
    "Summarize the text below.",
    "Translate this sentence into French.",
    "Rewrite this email in a friendlier tone.",
    "What can be concluded from this table?",
    "Find the bug in this code.",
    "Sort this list by length.",
    "Continue this story.",
    "Using the above, write a conclusion.",
    "As described above, list three risks.",
    "Answer with the help of the passage above.",
    "Generate a haiku using a different word from the example.",
    "Given a list of symptoms, name the most likely illness.",
    "Given a sentence, count its verbs.",
    "You are given a paragraph. Extract all names.",
    "You are given two questions and have to decide which is harder.",
    "Using the facts given, write a quiz question.",
    "Summarize the document you have been given.",
    "Review the book that was given to you.",
    "Complete the sentence with the given information.",
    "Write a story in four sentences that contains the given words.",
    'Classify the following message as "spam" or "not spam".',
    "Classify the following tweet as Positive, Negative or Neutral.",
    "Reply to the email and decline politely.",
    "Tell me if the sentence is grammatical.",
    "Extract all names of places in the paragraph.",
    "Proofread the provided text.",
    "Convert the provided JSON into a table.",
    "Explain the attached diagram.",
    "IN THE FOLLOWING SENTENCE, FIND THE NOUN.",
    "Translate The Following Text Into German.",
    "Translate the following English sentence into German.",
    "Explain the following Python code.",
    "Fasse den folgenden Text zusammen.",
    "Traduis la phrase suivante en anglais.",
    "Corrige el siguiente párrafo.",
    "Given a list of breakfast options, choose one that has protein and roughly 700-1000 calories.",
    "Given a list of loans, choose the cheapest one for a sum of 10,000 euros.",
    "Given a description of a symptom, name the illness. However, do not frighten the patient.",
    "You are given a statement. Which fallacy does it hold?",
    "Draw a dependency tree for the sentence.",
    "What is the mood of the passage?",
    "Refuse the invitation in a friendly way.",
    "Write a plan for the town, using the principles provided.",
]


@pytest.mark.parametrize("task", STANDING)
def test_a_task_that_brings_what_it_speaks_of_stands(task: str) -> None:
    assert unfit(task) == ""


@pytest.mark.parametrize("task", HANGING)
def test_a_task_that_speaks_of_what_is_not_there_is_refused_unless_it_has_an_input(task: str) -> None:
    assert unfit(task) == DANGLING
    assert unfit(task, "Something to work on.") == ""


@pytest.mark.parametrize(
    "stands_for_one", ["", " ", "None", "n/a", "[email text]", "<table>", "{input}", "...", '""', "<noinput>"]
)
def test_what_only_stands_for_an_input_is_none(stands_for_one: str) -> None:
    assert given_input("Summarize the following email.", stands_for_one) == ""


def test_an_input_that_the_task_holds_already_is_not_kept_twice() -> None:
    assert given_input("Write a haiku about the following word: summer", " summer\n") == ""
    assert given_input("Write a haiku about the following word.", "summer") == "summer"
    assert given_input("Classify the following word.", "word") == "word"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (["a", "b"], "a\nb"), ("a", "a"), ([], "")])
def test_a_model_may_give_no_input_or_a_list(value: object, text: str) -> None:
    draft = InstructionDraft.model_validate({"instruction": "i", "input": value, "response": "r"})
    assert draft.input == text


ECHOES = [
    sentence
    for line in TEMPLATE.splitlines()
    for sentence in line.split(". ")
    if len(sentence.split()) > 8 and "{" not in sentence and not line.startswith("variables")
]


@pytest.mark.parametrize("sentence", ECHOES)
def test_the_templates_own_sentences_are_no_task(sentence: str) -> None:
    assert unfit(sentence) == ECHO
    assert unfit(f"{sentence.upper()}!", "with an input") == ECHO


def test_a_sentence_of_the_template_with_a_word_changed_is_no_task() -> None:
    assert ECHOES
    first = next(sentence for sentence in ECHOES if sentence.startswith("Write one new task"))
    assert unfit(first.replace("Write one", "Write a")) == ECHO
    assert unfit(f"Please do this. {first}") == ECHO
    assert unfit("Describe three ways to store tea.", first) == ECHO


def test_the_list_of_principles_is_no_task() -> None:
    assert unfit("Write a haiku that avoids harm, gets help and makes true claims.") == ECHO
    assert unfit("Write a haiku that avoids harm.") == ""


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_has_a_verdict(task: str, input: str) -> None:
    kept = given_input(task, input)
    assert kept in ("", input.strip())
    assert unfit(task, kept) in ("", DANGLING, ECHO)


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I have no body.",
        "I'm sorry, but I can't help with that.",
        "I’m afraid I cannot do so.",
        "I am unable to browse the web.",
        "Well, as a large language model I never slept.",
        "I am just an AI assistant.",
        "I am sorry, but I cannot assist with that task.",
    ],
)
def test_declining_and_speaking_of_being_a_model_is_found(answer: str) -> None:
    words = find_refusal(answer)
    assert words
    assert words in answer


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that your heater is broken.",
        "I am sorry for being late, and I will make up for it.",
        "She works as an AI engineer in Oslo.",
        "You cannot help with that if you are away.",
        "A language model predicts the next word.",
        "Dear Ms Lee, I am afraid of heights.",
    ],
)
def test_ordinary_answers_decline_nothing(answer: str) -> None:
    assert find_refusal(answer) == ""
