"""What a command needs besides the core of the package: there, or asked for by name."""

import logging
import os
from importlib import import_module
from importlib.util import find_spec

from oct_edge.errors import MissingExtra


def require_tensorflow(command: str) -> None:
    """Import TensorFlow without its chat; raise `MissingExtra` where it is not installed."""
    require_installed("TensorFlow", command)
    from oct_edge.quiet import silenced

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(2):
        import_module("tensorflow")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each network more makes it warn of retracing


def require_installed(package: str, command: str) -> None:
    if find_spec(package.lower()) is None:
        raise MissingExtra(
            f"`{command}` needs {package}, which is not installed.", hint="pip install 'oct-edge[train]'"
        )
