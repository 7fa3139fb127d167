"""The description of the API: FastAPI's, with every example as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from solon.review.schemas.queue import Wire


class DescribedApi(FastAPI):
    """FastAPI, with examples as they were written: it would leave out their nulls, which are keys of an answer."""

    def openapi(self) -> dict[str, Any]:
        """Return the description as FastAPI makes it, with our models' own examples put back in."""
        described = super().openapi()
        schemas = described["components"]["schemas"]
        for model in wire_models():
            extra = model.model_config.get("json_schema_extra")
            if model.__name__ in schemas and isinstance(extra, dict):
                schemas[model.__name__] |= extra
        return described


def wire_models(model: type[Wire] = Wire) -> Iterator[type[Wire]]:
    """Yield every model of what goes over the wire, as far as their modules were imported; `model` is their root."""
    for one in model.__subclasses__():
        yield one
        yield from wire_models(one)
