"""A card from top to bottom, in the order of a model card (Mitchell et al. 2019).

A new section is a function marked with `part`, and its name in `PARTS`. Entries that no part owns come last.
"""

from collections.abc import Iterator

from oct_converters.inspection import about, measured
from oct_converters.inspection.document import Section, Text
from oct_converters.inspection.outline import outline
from oct_converters.inspection.part import Card

PARTS = (
    about.model,
    about.intended_use,
    about.data,
    about.training,
    measured.metrics,
    measured.decision,
    about.quantization,
    measured.parity,
    measured.golden,
    measured.gate,
    about.limits,
    about.licences,
    about.software,
)
_OF_THE_FILE = ("schema", "disclaimer", "tflite")


def card_sections(card: Card | None) -> Iterator[Section]:
    """Everything that the card says but for its schema, disclaimer and hash; or that there is none."""
    if card is None:
        none = "There is none in this file, so no device serves it: `oct-convert --int8` writes one."
        yield Section("Card", (Text(none),))
        return
    yield from (section for known in PARTS if (section := known.section(card)) is not None)
    owned = {key for known in PARTS for key in known.keys} | set(_OF_THE_FILE)
    rest = {key: value for key, value in card.items() if key not in owned}
    if rest:
        yield Section("Other entries", tuple(outline(rest)))
