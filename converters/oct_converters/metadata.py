"""TFLite Metadata: what other readers (MediaPipe, Netron) want to be told about a model. No TensorFlow.

The schema is `metadata_schema.fbs`, as published in google-ai-edge/mediapipe (mediapipe/tasks/metadata) and before in
tensorflow/tflite-support, version 1.5.0. The packages that hold its writer lack a compiled part or stop at Python
3.11, so the tables are written here, with the `flatbuffers` package alone. They stand in a buffer of the model that
the model's own list of metadata calls `TFLITE_METADATA`; the labels stand behind the model, in the zip tail.

MediaPipe takes each output for the scores of a classifier, and names them by the first one's labels: `scores` has to
be output 0, and all outputs uint8 or float, since an int8 one is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from oct_converters.flatbuffer import pack_model
from oct_edge.bundle import LABELS_FILE

NAME = b"TFLITE_METADATA"
IDENTIFIER = b"M001"

_FIELDS = {  # in the order of the schema: the position is the slot
    "ModelMetadata": (
        "name",
        "description",
        "version",
        "subgraph_metadata",
        "author",
        "license",
        "associated_files",
        "min_parser_version",
    ),
    "SubGraphMetadata": ("name", "description", "input_tensor_metadata", "output_tensor_metadata"),
    "TensorMetadata": (
        "name",
        "description",
        "dimension_names",
        "content",
        "process_units",
        "stats",
        "associated_files",
    ),
    "Content": ("content_properties_type", "content_properties", "range"),
    "FeatureProperties": (),
    "ImageProperties": ("color_space",),
    "ProcessUnit": ("options_type", "options"),
    "NormalizationOptions": ("mean", "std"),
    "Stats": ("max", "min"),
    "AssociatedFile": ("name", "description", "type"),
}
_MIN_PARSER_VERSION = "1.0.0"  # the oldest: no field above is younger, the first such one came with 1.0.1
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_NORMALIZATION = 1  # ProcessUnitOptions
_RGB = 1  # ColorSpaceType
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType

_PIXELS = (
    "A retinal OCT B-scan as the network sees it: cut to the retina and stretched to the network's square, grey in "
    "three equal channels, 0 to 255. A picture that was only resized is another picture."
)
_OUTPUTS = {
    "scores": "Probability of each class before calibration, in the order of the labels.",
    "logits": "What the probabilities are the softmax of; the temperature in card.json calibrates them.",
    "embedding": "Pooled features of the picture; no classes.",
    "cam": "Where in the picture each class was seen: a map a class, in the order of the labels; no classes.",
}

_Table = dict[int, Any]
"""Slot to value: text, a number that fits a byte, floats, tables, or one table."""


@dataclass(frozen=True)
class About:
    """What a reader shows of the model as a whole."""

    name: str
    description: str
    version: str
    author: str
    licence: str


def add_metadata(tflite: bytes, about: About) -> bytes:
    """The model with these metadata, in place of any it has; nothing that computes is changed.

    Outputs are described in the order of the model's outputs, by their signature names.
    """
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    entry = schema.MetadataT()
    entry.name, entry.buffer = NAME, _buffer_for_metadata(model)
    model.buffers[entry.buffer].data = _serialised(_model_metadata(model, about))
    model.metadata = [*(other for other in model.metadata or () if other.name != NAME), entry]
    return pack_model(model, len(tflite))


def _buffer_for_metadata(model: Any) -> int:
    """Index of the buffer that holds metadata already, or of a new one."""
    for entry in model.metadata or ():
        if entry.name == NAME:
            return int(entry.buffer)
    model.buffers.append(schema.BufferT())
    return len(model.buffers) - 1


def _table(kind: str, **values: Any) -> _Table:
    return {_FIELDS[kind].index(name): value for name, value in values.items()}


def _model_metadata(model: Any, about: About) -> _Table:
    signature = model.signatureDefs[0]
    outputs = {entry.tensorIndex: entry.name.decode() for entry in signature.outputs}
    graph = _table(
        "SubGraphMetadata",
        input_tensor_metadata=[_image(entry.name.decode()) for entry in signature.inputs],
        output_tensor_metadata=[_features(outputs[index]) for index in model.subgraphs[0].outputs],
    )
    return _table(
        "ModelMetadata",
        name=about.name,
        description=about.description,
        version=about.version,
        subgraph_metadata=[graph],
        author=about.author,
        license=about.licence,
        min_parser_version=_MIN_PARSER_VERSION,
    )


def _image(name: str) -> _Table:
    """The input: pixels without any arithmetic before them, since rescaling is a layer of the network."""
    normalization = _table("NormalizationOptions", mean=[0.0], std=[1.0])
    colours = _table("ImageProperties", color_space=_RGB)
    return _table(
        "TensorMetadata",
        name=name,
        description=_PIXELS,
        content=_table("Content", content_properties_type=_IMAGE, content_properties=colours),
        process_units=[_table("ProcessUnit", options_type=_NORMALIZATION, options=normalization)],
        stats=_table("Stats", max=[255.0], min=[0.0]),
    )


def _features(name: str) -> _Table:
    content = _table("Content", content_properties_type=_FEATURE, content_properties=_table("FeatureProperties"))
    tensor = _table("TensorMetadata", name=name, description=_OUTPUTS[name], content=content)
    return tensor | _of_scores() if name == "scores" else tensor


def _of_scores() -> _Table:
    labels = _table(
        "AssociatedFile", name=LABELS_FILE, description="The classes, one a line.", type=_TENSOR_AXIS_LABELS
    )
    return _table("TensorMetadata", stats=_table("Stats", max=[1.0], min=[0.0]), associated_files=[labels])


def _serialised(root: _Table) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, root), IDENTIFIER)
    return bytes(builder.Output())


def _write(builder: Any, value: Any) -> int:
    """Write text, a vector or a table, and all that it refers to before it; returns its offset."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        return _write_table(builder, value)
    if isinstance(value[0], float):
        return _write_vector(builder, value, builder.PrependFloat32)
    return _write_vector(builder, [_write(builder, one) for one in value], builder.PrependUOffsetTRelative)


def _write_vector(builder: Any, items: list[Any], prepend: Any) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        prepend(item)
    return int(builder.EndVector())


def _write_table(builder: Any, table: _Table) -> int:
    offsets = dict(_offsets(builder, table))
    builder.StartObject(max(table, default=-1) + 1)
    for slot, value in table.items():
        if slot in offsets:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return int(builder.EndObject())


def _offsets(builder: Any, table: _Table) -> Iterator[tuple[int, int]]:
    """Slot and offset of everything that does not stand in the table itself."""
    for slot, value in table.items():
        if not isinstance(value, int):
            yield slot, _write(builder, value)
