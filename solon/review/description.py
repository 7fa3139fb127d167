"""The description of the API: FastAPI's, with every example as it was written, and what each field means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from fastapi import FastAPI

from solon.review.schemas.queue import Wire


class DescribedApi(FastAPI):
    """FastAPI, with examples as they were written: it would leave out their nulls, which are keys of an answer."""

    def openapi(self) -> dict[str, Any]:
        """Return the description as FastAPI makes it, with our models' own examples put back in, and the lines that
        their docstrings have on fields beside those fields."""
        described = super().openapi()
        schemas = described["components"]["schemas"]
        for model in wire_models():
            schema = schemas.get(model.__name__, {})
            extra = model.model_config.get("json_schema_extra")
            if schema and isinstance(extra, dict):
                schema |= extra
            if schema:
                _explain_fields(schema, model)
        return described


def _explain_fields(schema: dict[str, Any], model: type[Wire]) -> None:
    """Put what the docstring of a model, or of one that it extends, says of a field beside the field."""
    for one in model.__mro__:
        about, _, lines = cleandoc(one.__doc__ or "").partition("\n\nAttributes:\n")
        if lines and issubclass(one, Wire):
            for line in re.split(r"^ {4}(?! )", lines, flags=re.MULTILINE)[1:]:
                name, _, meaning = line.partition(": ")
                meaning = " ".join(meaning.split()).removesuffix(".")
                schema["properties"][name].setdefault("description", meaning)
        if lines and one is model:
            schema["description"] = about


def wire_models(model: type[Wire] = Wire) -> Iterator[type[Wire]]:
    """Yield every model of what goes over the wire, as far as their modules were imported; `model` is their root."""
    for one in model.__subclasses__():
        yield one
        yield from wire_models(one)
