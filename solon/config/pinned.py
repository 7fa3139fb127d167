"""The configuration that a run was begun under: held against today's, and put in force again for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from solon.config import NOT_SHAPING, Config, parse_config
from solon.config.sections import ModelConfig, PrivacyConfig
from solon.errors import UsageError

if TYPE_CHECKING:
    pass


def check_prices(config: Config) -> None:
    """A limit on cost can only hold where every price is known: an unknown cost is not zero."""
    if config.limits.cost is None:
        return
    for name in config.models_in_use():
        if config.models[name].price is None:
            raise UsageError(
                f"a limit on cost needs the price of every model, and {config.models[name].model} has none",
                next_step=f"add [models.{name}.price] with input and output per million tokens (0 where it costs "
                "nothing), or limit calls or tokens",
            )


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """Which keys differ, with both values."""
    told = []
    for key in sorted({*old, *new} - {"fingerprint", *NOT_SHAPING}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            inner = list_differences(before, after, f"{prefix}{key}.")
            told += [inner] if inner else []
        elif before != after:
            told.append(f"{prefix}{key} was {before!r:.60}, now {after!r:.60}")
    return "; ".join(told) or ("" if prefix else "its constitution, rubric or prompts were others")


def config_of_run(stored: Mapping[str, Any], own: Config, run_id: str) -> Config:
    """What shapes the data comes from the run; limits, concurrency, tracing and where texts may go are this session's.
    The class of the seeds is the stricter one of both."""
    plain = {key: value for key, value in stored.items() if key != "fingerprint"}
    config = parse_config({**plain, "limits": {}}, source=f"the configuration of run {run_id}")
    run = config.run.model_copy(update={"concurrency": own.run.concurrency})
    privacy = _no_looser(own.privacy, config.privacy)
    models = {name: _with_headers(model, own.models.get(name)) for name, model in config.models.items()}
    update = {"limits": own.limits, "tracing": own.tracing, "run": run, "privacy": privacy, "models": models}
    return config.model_copy(update=update)


def _no_looser(own: PrivacyConfig, before: PrivacyConfig) -> PrivacyConfig:
    """The session's section with the stricter class of both: it is tightened in the middle of a run, never loosened."""
    order = ("synthetic", "deidentified", "personal")
    stricter = max(own.class_, before.class_, key=order.index)
    return own if stricter == own.class_ else own.model_copy(update={"class_": stricter})


def _with_headers(model: ModelConfig, own: ModelConfig | None) -> ModelConfig:
    """Headers may hold keys: they are not stored with a run, and come from this session's model of the same name."""
    if "headers" not in model.options:
        return model
    headers = own.options.get("headers", {}) if own is not None else {}
    missing = sorted(set(model.options["headers"]) - set(headers))
    if missing:
        raise UsageError(
            f"the run was begun with the header {missing[0]!r} of {model.model}, whose value is not stored",
            next_step="give it again in `options.headers` of this model",
        )
    return model.model_copy(update={"options": {**model.options, "headers": headers}})
