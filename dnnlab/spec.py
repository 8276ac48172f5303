"""The words in which settings are written: `Spec`, bounds, shorthands, durations. No torch here.

A setting is written once, as a field of a `Spec`: its name is the YAML key, its type and bounds are
the validation, the string under it is its meaning. Everything else that speaks of the setting (the
errors, `dnnlab describe`, the JSON Schema, the reference) is derived from that one place.
"""

import ast
import inspect
import os
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SMALLEST, LARGEST = 1e-30, 1e30
"""Of all numbers with a point, but 0: nets compute in float32, which ends at 1e-38 and 3e38."""


class Spec(BaseModel):
    """A frozen group of settings. Unknown keys, nan, inf and values of another type are refused,
    and so are numbers with which nets cannot compute.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True
    )

    @field_validator("*")
    @classmethod
    def _fits_float32(cls, value: Any) -> Any:
        if isinstance(value, float) and value and not SMALLEST <= abs(value) <= LARGEST:
            bound = (
                f"beyond {LARGEST:g}" if abs(value) > LARGEST else f"nearer to 0 than {SMALLEST:g}"
            )
            raise ValueError(f"{value:g} is {bound}, and nets compute in float32")
        return value

    @classmethod
    def field_meanings(cls) -> dict[str, str]:
        """Returns the sentence under each field, read from the source only when someone asks."""
        meanings: dict[str, str] = {}
        for owner in reversed(cls.__mro__):
            if issubclass(owner, Spec) and owner is not Spec:
                meanings |= _strings_under_fields(owner)
        return {name: meanings[name] for name in cls.model_fields if name in meanings}


def _strings_under_fields(owner: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found


# --- choices and families ------------------------------------------------------------------------


class Choice(Spec):
    """One thing a config can name. A family is a direct subclass that lists its members.

    A family says what all its members can do and is never an object itself. Where it stands as the
    type of a setting, the key `name` picks a member, or the name stands alone for it. Members are
    imported when they are named: each costs a third of a millisecond, and there are many.
    """

    family: ClassVar[str]
    """The word for the family, in `dnnlab describe` and in messages."""
    members: ClassVar[dict[str, str]]
    """Where each member stands, by its name: "module.Class", in the package of the family."""

    name: str

    @classmethod
    def is_family(cls) -> bool:
        """Whether this is a family and not a member of one."""
        return "members" in vars(cls)

    @classmethod
    def member(cls, name: str) -> type[Self]:
        """Returns the member of that name, which must be one."""
        module, _, word = cls.members[name].rpartition(".")
        package = sys.modules[cls.__module__].__package__
        found: type[Self] = getattr(import_module(f"{package}.{module}"), word)
        return found

    @classmethod
    def may_have(cls, setting: str) -> bool:
        """Whether a member of this family can have a setting of that name: a look into the files,
        which takes a hundredth of the time that importing all members does.
        """
        folder = Path(inspect.getfile(cls)).parent
        line = f"\n    {setting}: "
        return any(line in path.read_text(encoding="utf-8") for path in folder.glob("*.py"))

    @classmethod
    def named(cls, name: str, **settings: Any) -> Self:
        """Returns the member of that name with these settings."""
        return cls.member(name).model_validate({"name": name, **settings})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not cls.is_family():
            return handler(source)
        return core_schema.with_info_plain_validator_function(cls._pick)

    @classmethod
    def _pick(cls, value: Any, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        settings = {"name": value} if isinstance(value, str) else value
        known = {"family": cls.family, "names": list(cls.members)}
        if not isinstance(settings, dict):
            raise PydanticCustomError("choice_type", "not a choice", known)
        if "name" not in settings:
            raise PydanticCustomError("choice_missing", "no name", known)
        if settings["name"] not in known["names"]:
            raise PydanticCustomError("choice_unknown", "unknown name", known)
        return cls.member(settings["name"]).model_validate(settings, context=info.context)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if not cls.is_family():
            return handler(schema)
        # The definitions that these refer to are added by whoever generates the whole schema.
        names = [cls.member(name).__name__ for name in cls.members]
        return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}


# --- bounds -----------------------------------------------------------------------------------

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]
"""A share that stays below 1: momentum, a dropout rate, the decay of a moving average."""


# --- ways of writing a value -------------------------------------------------------------------


@dataclass(frozen=True)
class Shorthand:
    """Lets one value stand for a mapping with one key: `dropout: 0.2` for `{rate: 0.2}`."""

    key: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def expand(value: Any) -> Any:
            short = not isinstance(value, dict | list | Spec) and value is not None
            return {self.key: value} if short else value

        return core_schema.no_info_before_validator_function(expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        whole = handler(schema)
        short = dict(handler.resolve_ref_schema(whole)["properties"][self.key])
        short.pop("default", None)
        return {"anyOf": [short, whole]}


Conflict = tuple[tuple[str | int, ...], str]
"""Where in the config something cannot be, and why."""

Auto = Literal["auto"]


@dataclass(frozen=True)
class OrAuto:
    """Lets `auto` stand beside the values of a type, and keeps that type's own error messages."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        (inner,) = (arg for arg in get_args(source) if get_origin(arg) is not Literal)

        def validate(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
            if value == "auto":
                return value
            try:
                return check(value)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                context = {"kind": first["type"], "limits": first.get("ctx", {})}
                raise PydanticCustomError("or_auto", "not auto", context) from None

        return core_schema.no_info_wrap_validator_function(
            validate,
            handler.generate_schema(inner),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": "auto"}, handler(schema)]}


def device_word(word: str) -> str:
    """Returns the word if it names a device, there or not. Raises ValueError."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", word):
        raise ValueError(f'"{word}" is not auto, cpu, cuda or cuda:1')
    return word


Device = Annotated[str, AfterValidator(device_word)]
"""Where to compute: auto, cpu, cuda (the current one) or cuda:N."""


LONGEST_NAME = 255
"""Bytes that file systems have for the name of one file."""


def _beside_the_config(path: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f'"{path}" begins with a user who has no home folder') from None
    found = str(expanded) if folder is None else os.path.realpath(Path(folder) / expanded)
    try:
        longest = max(len(name.encode()) for name in found.split(os.sep))
    except UnicodeEncodeError:
        raise ValueError(f"{found!r} is not UTF-8, and a config cannot keep it") from None
    if longest > LONGEST_NAME:
        raise ValueError(f"a name of {longest} bytes; no file has one over {LONGEST_NAME}")
    return found


InputPath = Annotated[str, Field(min_length=1), AfterValidator(_beside_the_config)]
"""A file or folder to read. A relative one starts at the folder of the config that is read."""


class Duration(Spec):
    """A length of training, in epochs (passes over the training split) or in updates."""

    epochs: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Passes over the training split; a part of one is allowed."""
    updates: Annotated[int, Field(ge=1, le=10**12)] | None = None
    """Applications of the optimizer."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.epochs is None) == (self.updates is None):
            raise ValueError("give either epochs or updates")
        return self

    def in_updates(self, per_epoch: int) -> int:
        """Converts to updates, rounded to the nearest, at least one."""
        if self.updates is not None:
            return self.updates
        assert self.epochs is not None
        return max(1, round(self.epochs * per_epoch))


Epochs = Annotated[Duration, Shorthand("epochs")]
"""A duration; a plain number counts epochs."""


# --- looking into a type -----------------------------------------------------------------------


def specs_in(annotation: Any, named: str | None = None) -> Iterator[type[Spec]]:
    """Yields the Specs that an annotation allows, through Annotated, unions, tuples and None.

    For a family these are its members, which are imported; of them only the one that is `named`, if
    a member is.
    """
    if family := family_of(annotation):
        yield from map(family.member, [named] if named in family.members else family.members)
    elif isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
    elif get_origin(annotation) in {Annotated, Union, types.UnionType, tuple}:
        parts = get_args(annotation)
        for part in parts[:1] if get_origin(annotation) is Annotated else parts:
            yield from specs_in(part, named)


def families_in(annotation: Any) -> Iterator[type[Choice]]:
    """Yields the families that an annotation allows a member of; none is imported for it."""
    if family := family_of(annotation):
        yield family
    for part in get_args(annotation) if get_origin(annotation) else ():
        yield from families_in(part)


def family_of(annotation: Any) -> type[Choice] | None:
    """Returns the family that an annotation is, or None."""
    is_choice = isinstance(annotation, type) and issubclass(annotation, Choice)
    return annotation if is_choice and annotation.is_family() else None


def choice_name(choice: type[Spec]) -> str | None:
    """Returns the word that selects this Spec in its family, or None where it is no choice."""
    field = choice.model_fields.get("name")
    words = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    return str(words[0]) if words else None
