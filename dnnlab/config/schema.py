"""The JSON Schema (draft-07) by which editors complete, explain and check a config."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from dnnlab.choices import FAMILIES, members
from dnnlab.experiment import Experiment
from dnnlab.spec import Spec, specs_in

FILE_NAME = "dnnlab.schema.json"
HEADER = f"# yaml-language-server: $schema={FILE_NAME}"
"""The first line of a config by which editors find the schema that lies beside it."""


def json_schema() -> dict[str, Any]:
    """Builds the schema of a config from the Specs: types, bounds, defaults, meanings."""
    specs = _specs_below(Experiment)
    for spec in specs:
        spec.model_rebuild()
    choices = [choice for family in FAMILIES for choice in members(family).values()]
    models: list[type[Spec]] = [Experiment, *choices]
    _, whole = models_json_schema([(spec, "validation") for spec in models])
    definitions = whole["$defs"]
    for spec in specs:
        _describe(definitions[spec.__name__], spec)
    schema: dict[str, Any] = definitions.pop("Experiment")
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "A config to start from, relative to this file; its keys are overridden.",
    }
    # A config that extends another may leave out what the base has.
    schema["required"], schema["anyOf"] = [], [{"required": schema["required"]}]
    schema["anyOf"].append({"required": ["extends"]})
    for family in FAMILIES:
        _let_the_name_stand_alone(family, schema, definitions)
    draft7: dict[str, Any] = _as_draft7({**schema, "definitions": definitions})
    return {**draft7, "$schema": "http://json-schema.org/draft-07/schema#", "title": "dnnlab"}


def _specs_below(spec: type[Spec]) -> list[type[Spec]]:
    found = [spec]
    for each in found:
        for field in each.model_fields.values():
            found += [below for below in specs_in(field.annotation) if below not in found]
    return found


def _describe(definition: dict[str, Any], spec: type[Spec]) -> None:
    definition["description"] = (spec.__doc__ or "").strip().split("\n\n")[0]
    for name, meaning in spec.field_meanings().items():
        definition["properties"][name]["description"] = " ".join(meaning.split())
    for name, field in definition["properties"].items():
        field.pop("title", None)
        if name == "name":  # not required: a config that extends may change a choice's settings
            field.pop("default", None)


def _let_the_name_stand_alone(
    family: str, schema: dict[str, Any], definitions: dict[str, Any]
) -> None:
    """Where a family may stand, so may the bare name of a member that has no required setting."""
    wanted = [f"#/$defs/{choice.__name__}" for choice in members(family).values()]
    bare = [
        name
        for name, choice in members(family).items()
        if all(not field.is_required() for field in choice.model_fields.values())
    ]

    def visit(part: Any) -> None:
        if isinstance(part, dict):
            forms = part.get("anyOf")
            named = [form.get("$ref") for form in forms or () if form.get("type") != "null"]
            if forms and named == wanted and bare:
                part["anyOf"] = [{"enum": bare, "type": "string"}, *forms]
            for value in part.values():
                visit(value)
        elif isinstance(part, list):
            for value in part:
                visit(value)

    visit([schema, definitions])


def _as_draft7(part: Any) -> Any:
    """Rewrites what 2020-12 says differently: $defs; a $ref with neighbours."""
    if isinstance(part, list):
        return [_as_draft7(each) for each in part]
    if not isinstance(part, dict):
        return part
    part = {key: _as_draft7(value) for key, value in part.items()}
    if "$ref" in part:
        reference = {"$ref": part.pop("$ref").replace("#/$defs/", "#/definitions/")}
        return {"allOf": [reference], **part} if part else reference
    return part
