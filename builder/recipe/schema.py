"""The JSON Schema of a recipe, by which editors complete and check one as it is written.

shotscribe schema > recipes/recipe.schema.json
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import GenericAlias
from typing import Annotated, Union

from pydantic import BaseModel, Field, create_model

from ..contract.identity import Json
from . import discovery
from .recipe import Head

_OWN_FILE = {
    "type": "object",
    "description": "A step, source or engine of your own: a Python file, relative to the recipe, and its options.",
    "properties": {"use": {"type": "string", "pattern": r"\.py$"}},
    "required": ["use"],
}


def recipe_schema() -> Json:
    """Draft 2020-12, with every step and source that is there; descriptions are the classes' docstrings."""
    blocks: Json = {
        "sources": (_list_of(discovery.sources().values()), Field(min_length=1, description="The corpora, in order.")),
        "engines": (
            GenericAlias(dict, (str, _any_of(discovery.engines().values()))),
            Field(default={}, description="What answers the captioners, each by a name of your own."),
        ),
        "steps": (_list_of(discovery.steps().values()), Field(description="What is done with the clips, in order.")),
    }
    recipe = create_model("Recipe", __base__=Head, **blocks)
    schema = recipe.model_json_schema()
    for block in (one for one in (schema, *schema["$defs"].values()) if "properties" in one):
        block["required"] = sorted({*block.get("required", []), *(["use"] if "use" in block["properties"] else [])})
    for listed in ("sources", "engines", "steps"):
        block = schema["properties"][listed]
        any_of = block["items"] if listed != "engines" else block["additionalProperties"]
        any_of["oneOf"].append(_OWN_FILE)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A shotscribe recipe"}


def _list_of(classes: Iterable[type[BaseModel]]) -> object:
    """A list of any of the classes, each chosen by its `use`."""
    return GenericAlias(list, (_any_of(classes),))


def _any_of(classes: Iterable[type[BaseModel]]) -> object:
    return Annotated[Union[tuple(classes)], Field(discriminator="use")]  # noqa: UP007  (at run time)


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
