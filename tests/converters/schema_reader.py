"""A model's TFLite Metadata as the published schema's own code reads them, printed as JSON.

Not a test: a script for the Python of `make mediapipe`, whose package holds that code.
"""

import json
import sys
from pathlib import Path
from typing import Any

from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
from mediapipe.tasks.metadata import schema_py_generated as schema


def plain(value: Any) -> Any:
    """What is set of a table, a vector or a text, as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list):
        return [plain(one) for one in value]
    if hasattr(value, "__dict__"):
        return {name: plain(field) for name, field in vars(value).items() if field is not None}
    return value


def read(content: bytes) -> dict[str, Any]:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (index,) = (entry.buffer for entry in model.metadata if entry.name == b"TFLITE_METADATA")
    buffer = bytes(model.buffers[index].data)
    assert metadata.ModelMetadata.ModelMetadataBufferHasIdentifier(buffer, 0)
    return plain(metadata.ModelMetadataT.InitFromPackedBuf(buffer, 0))


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]).read_bytes())))
