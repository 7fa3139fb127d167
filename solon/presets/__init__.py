"""Presets: what `solon init NAME` begins a project with, a configuration with seeds. Imports nothing of Solon.

`NAME.toml` is the preset's part of solon.toml: a text in which `@model`, `@key`, `@url`, `@first`, `@second` (personas
of two judges) and `@labels` stand for what the project's author chose. `NAME.jsonl` holds its ten seeds, `NAME.md` its
guidelines for experts and `NAME.yaml` its rubric, where it does not begin with those of a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from json import dumps
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Preset:
    """What a project makes, and how.

    Attributes:
        name: its name.
        recipe: the recipe that it runs.
        makes: what comes of it, in words.
        leads: who decides most: `people`, `together` (panel and people by turns) or `panel`.
        format: the format that most people take it out in.
        models: whether any model takes part.
        paper: what it follows; empty without.
    """

    name: str
    recipe: str
    makes: str
    leads: str
    format: str
    models: bool = True
    paper: str = ""

    @property
    def seeds(self) -> Path | None:
        """Its ten seeds; None where it begins with those of a field."""
        return _file(f"{self.name}.jsonl")

    @property
    def guidelines(self) -> Path | None:
        """Its guidelines for experts; None without."""
        return _file(f"{self.name}.md")

    @property
    def rubric(self) -> Path | None:
        """Its rubric; None where it begins with that of a field."""
        return _file(f"{self.name}.yaml")

    def write(self, values: Mapping[str, str | list[str]]) -> str:
        """Its part of solon.toml with these values in the places of `@NAME`; a line whose value is empty becomes a
        comment that shows what could stand there."""
        written = (Path(str(resources.files(__name__))) / f"{self.name}.toml").read_text(encoding="utf-8")
        return "\n".join(_fill(line, values) for line in written.splitlines())


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "preference",
            "preference",
            "pairs of a better and a worse answer (DPO, reward models)",
            "panel",
            "trl-preference",
        ),
        Preset(
            "preference-scored",
            "preference",
            "pairs out of several models' answers, each scored by criterion (reward models, DPO)",
            "panel",
            "ultrafeedback",
            paper="Cui et al. 2024, UltraFeedback (arXiv 2310.01377); Pace et al. 2024, West-of-N (arXiv 2401.12086)",
        ),
        Preset(
            "preference-active",
            "preference",
            "pairs in rounds: people decide what the panel is least sure of, until a further round would not pay",
            "together",
            "trl-preference",
            paper="Lewis and Gale 1994 (arXiv cmp-lg/9407020); Houlsby et al. 2011, BALD (arXiv 1112.5745)",
        ),
        Preset(
            "preference-constitutional",
            "preference",
            "pairs of a draft and its revision by principles of the constitution, which the panel checks",
            "panel",
            "trl-preference",
            paper="Bai et al. 2022, Constitutional AI (arXiv 2212.08073), section 3",
        ),
        Preset(
            "preference-contrast",
            "preference-contrast",
            "pairs of an answer that follows a principle and one that breaks it, which the panel checks",
            "panel",
            "trl-preference",
            paper="Yang et al. 2023, RLCD (arXiv 2307.12950)",
        ),
        Preset(
            "preference-expert",
            "preference-expert",
            "pairs out of people's rankings of several answers, by one or several questions, and of answers they write",
            "people",
            "trl-preference",
            paper="Ouyang et al. 2022, InstructGPT (arXiv 2203.02155), section 3.5",
        ),
        Preset(
            "instruction",
            "instruction",
            "new instructions with their answers (fine-tuning)",
            "panel",
            "trl-sft",
        ),
        Preset(
            "instruction-curate",
            "instruction-curate",
            "experts' own instructions, checked, with fixes that a model proposes and a person takes or leaves",
            "people",
            "trl-sft",
            paper="Wang et al. 2022, Super-NaturalInstructions (arXiv 2204.07705)",
        ),
        Preset(
            "instruction-evolve",
            "instruction-evolve",
            "instructions evolved from the seeds by operators, generation after generation, with their answers",
            "together",
            "trl-sft",
            paper="Xu et al. 2023, Evol-Instruct (arXiv 2304.12244); Wang et al. 2023, Self-Instruct (2212.10560)",
        ),
        Preset(
            "instruction-backtranslate",
            "instruction-backtranslate",
            "requests for passages of documents, or questions whose answers quote them (fine-tuning)",
            "panel",
            "trl-sft",
            paper="Li et al. 2023, Self-Alignment with Instruction Backtranslation (arXiv 2308.06259)",
        ),
        Preset(
            "instruction-dialogue",
            "instruction-dialogue",
            "conversations of several turns, in which a model plays the user (fine-tuning of chat models)",
            "together",
            "trl-sft",
            paper="Xu et al. 2023, Baize (arXiv 2304.01196)",
        ),
        Preset(
            "instruction-schema",
            "instruction-schema",
            "requests out of an expert's task schemas, with answers whose constraints code verifies (fine-tuning)",
            "panel",
            "trl-sft",
            paper="Zhou et al. 2023, IFEval (arXiv 2311.07911)",
        ),
        Preset(
            "instruction-free",
            "instruction-free",
            "requests that a model writes as a user would, without any example, with their answers (fine-tuning)",
            "panel",
            "trl-sft",
            paper="Xu et al. 2024, Magpie (arXiv 2406.08464)",
        ),
        Preset(
            "label",
            "label",
            "texts with a label that people gave (classifiers, guards)",
            "people",
            "jsonl",
            models=False,
        ),
        Preset(
            "label-adjudicate",
            "label",
            "texts with a label that several people voted on, and a lead's where they stay in doubt",
            "people",
            "jsonl",
            models=False,
            paper="Dawid and Skene 1979 (Applied Statistics 28); Snow et al. 2008 (D08-1027)",
        ),
        Preset(
            "label-active",
            "label-panel",
            "texts with a label: people answer in rounds what models and a classifier are least sure of",
            "together",
            "jsonl",
            paper="Settles 2010, Active learning literature survey (Wisconsin, TR 1648)",
        ),
        Preset(
            "label-weak",
            "label-panel",
            "texts with a label: rules of your own, weighed by a label model and by decisions",
            "panel",
            "jsonl",
            models=False,
            paper="Ratner et al. 2017, Snorkel (arXiv 1711.10160)",
        ),
        Preset(
            "label-cascade",
            "label-panel",
            "texts with a label: rules and a classifier first, then a small model, a strong one, people",
            "panel",
            "jsonl",
            paper="Lu et al. 2025, AutoAnnotator (arXiv 2506.16393)",
        ),
        Preset(
            "label-spans",
            "label-spans",
            "texts with marked spans (entities): models read, people settle where readings differ",
            "together",
            "spans",
            paper="Wang et al. 2023, GPT-NER (arXiv 2304.10428)",
        ),
    )
}
"""Name -> preset, in the order in which they are listed."""
EXAMPLES = {"@key": "NAME_OF_A_VARIABLE", "@url": "http://127.0.0.1:8000/v1"}
"""What may be left out -> what could stand there."""


def _file(name: str) -> Path | None:
    path = Path(str(resources.files(__name__) / name))
    return path if path.is_file() else None


def _fill(line: str, values: Mapping[str, str | list[str]]) -> str:
    for mark, value in values.items():
        if f'"{mark}"' not in line:
            continue
        if value:
            line = line.replace(f'"{mark}"', dumps(value, ensure_ascii=False))
        else:
            line = f"# {line}".replace(mark, EXAMPLES.get(mark, ""))
    return line
