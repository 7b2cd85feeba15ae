"""What is said about one scan, and its one JSON form (`oct-edge/result@1`).

`json_schema` is derived from the dataclasses below, so code and schema cannot drift apart.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from oct_edge.errors import OctEdgeError
from oct_edge.labels import BASIS, DISCLAIMER, LABELS, Group

SCHEMA = "oct-edge/result@1"
Status = Literal["classified", "ungradable", "rejected"]


@dataclass(frozen=True)
class Source:
    """Where the picture came from. `sha256` (of the bytes read) is null where they could not be read.

    `frame` is its number in a volume, from 1.
    """

    name: str
    sha256: str | None
    frame: int | None = None
    laterality: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why a scan has no label, or why its label is left to a person."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Referral:
    """What the answer leads to. `p_urgent` is p(CNV)+p(DME); at `threshold` and above the group is `urgent`.

    A scan without a class goes to a person, and has no `p_urgent`.
    """

    group: Group
    p_urgent: float | None
    threshold: float
    basis: str = BASIS


@dataclass(frozen=True)
class ModelIdentity:
    """Which file answered, in which runtime."""

    name: str
    sha256: str
    runtime: str
    delegate: str | None = None


@dataclass(frozen=True)
class Timing:
    """Milliseconds of wall time."""

    decode: float
    inference: float
    total: float


@dataclass(frozen=True)
class Result:
    """One scan's answer.

    `label` and `probabilities` are null unless `status` is `classified`, `referral` where it is `rejected`.
    """

    time: str
    source: Source
    status: Status
    model: ModelIdentity
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    label: str | None = None
    probabilities: dict[str, float] | None = None
    referral: Referral | None = None
    overrides: dict[str, float] = field(default_factory=dict)
    timing_ms: Timing | None = None
    schema: str = SCHEMA
    disclaimer: str = DISCLAIMER

    def to_json(self) -> str:
        """One line of ASCII, which every locale and line reader leaves whole, in the order of the contract."""
        return self._line

    @cached_property
    def _line(self) -> str:  # the ledger, a file, the files of lines and the terminal all get it
        return line_of(self, _ORDER)

    @classmethod
    def from_json(cls, line: str) -> "Result":
        """The result that `to_json` wrote; its `to_json` is that line again."""
        given = json.loads(line)
        referral, timing = given["referral"], given["timing_ms"]
        return cls(
            **given
            | {
                "source": Source(**given["source"]),
                "model": ModelIdentity(**given["model"]),
                "reasons": tuple(Reason(**reason) for reason in given["reasons"]),
                "notes": tuple(given["notes"]),
                "referral": referral and Referral(**referral),
                "timing_ms": timing and Timing(**timing),
            }
        )


_ORDER = (
    *("schema", "time", "source", "status", "reasons", "notes", "label", "probabilities", "referral"),
    *("model", "overrides", "timing_ms", "disclaimer"),
)


def line_of(answer: Any, order: Iterable[str]) -> str:
    """A dataclass as one line of ASCII, its fields in this order."""
    content = asdict(answer, dict_factory=_all_readable)
    return json.dumps({key: content[key] for key in order}, allow_nan=False)


def _all_readable(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: readable(value) if isinstance(value, str) else value for key, value in entries}


def readable(value: str) -> str:
    """The text, where a byte of a file's name that is no UTF-8 reads `\\udcff`, as in the table.

    Bare, as the lone surrogate by which Python remembers it, strict parsers and databases refuse it.
    """
    return value.encode("utf-8", "backslashreplace").decode()


def rejected(error: OctEdgeError, source: Source, model: ModelIdentity) -> Result:
    """The result of an input that did not become a scan."""
    reason = Reason(error.code, error.message, error.hint)
    return Result(utc_now(), source, "rejected", model, (reason,))


def ungradable(
    reason: Reason, source: Source, model: ModelIdentity, threshold: float, notes: tuple[str, ...] = ()
) -> Result:
    """The result of a picture that gets no class; `threshold` is that of the model for what is urgent."""
    referral = Referral("human_review", None, threshold)
    return Result(utc_now(), source, "ungradable", model, (reason,), notes, referral=referral)


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of one result."""
    schema = schema_of(Result, SCHEMA)
    schema["properties"]["label"] = {"enum": [*LABELS, None]}
    return schema


def schema_of(kind: type, name: str) -> dict[str, Any]:
    """JSON Schema of a dataclass that says its `schema`, which has this name, and its `disclaimer`."""
    schema = _object(kind)
    schema["properties"]["schema"] = {"const": name}
    schema["properties"]["disclaimer"] = {"const": DISCLAIMER}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **schema}


def _object(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind)]
    return {
        "type": "object",
        "description": (kind.__doc__ or "").split("\n")[0],
        "properties": {name: _type(hints[name]) for name in names},
        "required": names,
        "additionalProperties": False,
    }


def _type(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return {"anyOf": [_type(argument) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(arguments[1])}
    if is_dataclass(hint):
        return _object(hint)  # type: ignore[arg-type]
    return {"type": {str: "string", float: "number", int: "integer", type(None): "null"}[hint]}
