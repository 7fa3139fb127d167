"""Seeds in, a person's decision, training data out. The scripted fake answers here; leave `config` out for a model."""

from solon import Project
from solon.graphs.versions import draw_mermaid
from solon.recipes.preference import PREFERENCE

print(draw_mermaid(PREFERENCE))
config = {"models": {"default": {"model": "scripted:split"}}, "routing": {"policy": "always"}}
seeds = ["Why is the sky blue?", "How do I descale a kettle?", "Name three uses of vinegar."]

with Project("sqlite:///quickstart.db", config=config) as project:
    print(project.run("preference", seeds))
    reviews = project.reviews()
    for review in reviews:
        print(review.id, review.prompt, review.reasons)
    first = reviews[0]
    project.decide(first, "prefer", first.candidates[0], rationale="It answers the question that was asked.")
    print(project.resume())
    print(project.export("trl-preference", "pairs.jsonl").written, "pairs written")
