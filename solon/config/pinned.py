"""The configuration that a run was begun with: compared with today's, and read again to go on with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solon.config import NOT_SHAPING, Config, parse_config
from solon.config.sections import DELIVERY, ModelConfig, PrivacyConfig
from solon.errors import UsageError

LAW_DIFFERS = "its constitution, rubric or prompts were others"
"""What differs where no key does."""
SHOWN = 60
"""Characters of a value that differs."""


def check_prices(config: Config) -> None:
    """Refuse a limit on cost that cannot hold because a model in use has no price: an unknown cost is not zero.

    Raises:
        UsageError: there is such a limit and such a model.
    """
    if config.limits.cost is None:
        return
    for name in config.models_in_use():
        price, batch = config.models[name].price, config.models[name].batch
        if price is not None and price.cost(0, 0, batch=batch) is None:
            raise UsageError(
                f"a limit on cost needs the price of every model, and that of {config.models[name].model} by the batch "
                "API is not given",
                next_step=f"write [models.{name}.price] batch, the share of the prices that such calls cost, e.g. 0.5",
            )
        if price is None:
            raise UsageError(
                f"a limit on cost needs the price of every model, and {config.models[name].model} has none",
                next_step=f"add [models.{name}.price] with input and output per million tokens (0 where it costs "
                "nothing), or limit calls or tokens",
            )


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """Return in words which keys of two stored configurations differ, with both values; `prefix` is their table."""
    differences: list[str] = []
    for key in sorted({*old, *new} - {"fingerprint", *NOT_SHAPING}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            differences.append(list_differences(before, after, f"{prefix}{key}."))
        elif before != after and (_are_tables(before) or _are_tables(after)):
            differences.append(_list_entries(before or [], after or [], f"{prefix}{key}"))
        elif before != after and (
            key in old or after not in ({}, [], "")
        ):  # else it is new in this version, and empty
            differences.append(_spell_change(f"{prefix}{key}", before, after))
    return "; ".join(filter(None, differences)) or ("" if prefix else LAW_DIFFERS)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _list_entries(old: list[Any], new: list[Any], prefix: str) -> str:
    """Which entries of a list of tables differ. Each is known by its `name`, else by its place, from 1."""
    before, after = ({_name_entry(entry, n): entry for n, entry in enumerate(many, 1)} for many in (old, new))
    differences = []
    for name in {**before, **after}:
        if name not in after:
            differences.append(f"{prefix}[{name}] was removed")
        elif name not in before:
            differences.append(f"{prefix}[{name}] was added")
        elif before[name] != after[name]:
            differences.append(list_differences(before[name], after[name], f"{prefix}[{name}]."))
    if list(before) != list(after) and not differences:
        differences.append(f"the order of {prefix} was another")
    return "; ".join(filter(None, differences))


def _name_entry(entry: Mapping[str, Any], place: int) -> str:
    return str(entry.get("name") or place)


def _spell_change(key: str, before: Any, after: Any) -> str:
    """Both values from shortly before the place where they begin to differ, if they are long."""
    old, new = repr(before), repr(after)
    if max(len(old), len(new)) <= SHOWN:
        return f"{key} was {old}, now {new}"
    pairs = enumerate(zip(old, new, strict=False))
    differ = next((n for n, (one, other) in pairs if one != other), min(len(old), len(new)))
    begin = max(0, differ - SHOWN // 3)
    return f"{key} was {_cut(old, begin)}, now {_cut(new, begin)}"


def _cut(value: str, begin: int) -> str:
    end = begin + SHOWN
    return f"{'...' if begin else ''}{value[begin:end]}{'...' if end < len(value) else ''}"


def config_as_stored(stored: Mapping[str, Any], run_id: str) -> Config:
    """Return the configuration that was stored with a run, without its limits.

    Args:
        stored: with or without its `fingerprint`.
        run_id: the run, for errors.

    Raises:
        ConfigError: this version of Solon cannot read what was stored.
    """
    plain = {key: value for key, value in stored.items() if key != "fingerprint"}
    return parse_config({**plain, "limits": {}}, source=f"the configuration of run {run_id}")


def config_of_run(stored: Mapping[str, Any], own: Config, run_id: str) -> Config:
    """Return the configuration under which this session goes on with a run.

    What shapes the data comes from the run; limits, concurrency, patience, how servers are reached, tracing and where
    texts may go are this session's. The class of the seeds is the stricter one of both.

    Args:
        stored: the configuration as it was stored with the run.
        own: the configuration of this session.
        run_id: the run, for errors.

    Raises:
        ConfigError: this version of Solon cannot read what was stored.
        UsageError: a model's header, whose value is never stored, is missing in this session's configuration.
    """
    config = config_as_stored(stored, run_id)
    session = {"concurrency": own.run.concurrency, "patience": own.run.patience}
    run = config.run.model_copy(update=session)
    privacy = _no_looser(own.privacy, config.privacy)
    models = {name: _as_reached(model, own.models.get(name)) for name, model in config.models.items()}
    for model in [*models.values()]:
        if model.fallback and model.fallback not in models:  # named in this session alone
            models[model.fallback] = own.models[model.fallback]
    update = {"limits": own.limits, "tracing": own.tracing, "run": run, "privacy": privacy, "models": models}
    return config.model_copy(update=update)


def _no_looser(own: PrivacyConfig, before: PrivacyConfig) -> PrivacyConfig:
    """The session's section with the stricter class of both: it is tightened in the middle of a run, never loosened."""
    order = ("synthetic", "deidentified", "personal")
    stricter = max(own.class_, before.class_, key=order.index)
    return own if stricter == own.class_ else own.model_copy(update={"class_": stricter})


def _as_reached(model: ModelConfig, own: ModelConfig | None) -> ModelConfig:
    """The model of a run, reached as this session's model of the same name is."""
    ways = {key: getattr(own, key) for key in DELIVERY} if own is not None else {}
    return _with_headers(model, own).model_copy(update=ways)


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
