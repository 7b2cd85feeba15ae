"""What a terminal is spared: libraries in C++ that write about themselves to whatever is stdout or stderr."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced(*descriptors: int) -> Iterator[None]:
    """Nothing from inside reaches these file descriptors (1 is stdout, 2 is stderr), not from C++ either; no warnings.

    Exceptions pass, and are all that matters of what these libraries have to say. What another thread writes meanwhile
    is lost, so this is for the start of a program. With `OCT_EDGE_NATIVE_LOGS` in the environment nothing is silenced.
    """
    if "OCT_EDGE_NATIVE_LOGS" in os.environ:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in descriptors}
    try:
        with open(os.devnull, "w") as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for descriptor in descriptors:
                os.dup2(sink.fileno(), descriptor)
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)
