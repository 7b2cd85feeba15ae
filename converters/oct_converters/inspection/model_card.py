"""Cards as Markdown, and `docs/model-card.md` from those of the bundled models (`make cards`)."""

import sys
from pathlib import Path

from oct_converters.inspection.inspect import Inspection, inspect_model
from oct_converters.inspection.markdown import escaped, to_markdown
from oct_converters.inspection.outline import cell
from oct_converters.inspection.sections import card_sections
from oct_edge.console import EPILOG
from oct_models import bundled_models

_HEAD = f"""# Model cards of the bundled models

<!-- Made by `make cards` from the cards inside the model files; a test holds it to them. Do not edit. -->

{EPILOG} The sections follow Mitchell et al. 2019, "Model cards for model
reporting". What is said of a model stands in its file: `oct-convert inspect NAME` prints it, with the operators and the
memory they need.
"""


def model_card(found: Inspection, level: int = 1) -> str:
    """The card of one file, under a heading of this level. No card, no more than that."""
    title = f"{'#' * level} {escaped(cell(found.card['name']) if found.card else found.name)}"
    identity = f"SHA-256 of the file: `{found.sha256}`. {EPILOG}"
    return f"{title}\n\n{identity}\n\n{to_markdown(card_sections(found.card), level + 1)}"


def bundled_cards() -> str:
    """The page for all bundled models."""
    return "\n".join([_HEAD, *(model_card(inspect_model(name), 2) for name in bundled_models())])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(bundled_cards(), encoding="utf-8")
