"""Is this a whole, readable OCT B-scan like those that the model knows? Asked before any class is named.

Three looks, each cheaper than what comes after it: at the pixels as they were read (`pixels`), at a few figures of the
network's picture (`picture`), and at the embedding that comes with the answer (`known`). The limits of all of them, and
what the known scans look like, travel with the model (docs/gate.md).
"""
