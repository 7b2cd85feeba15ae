"""`oct-convert inspect`: what a model file says of itself."""

import json
from typing import Annotated

import typer

from oct_edge.console import say


def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A bundled model or a .tflite file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One oct-edge/inspection@1 object.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="The card as a model card in Markdown.")] = False,
) -> None:
    """Verify a model file and print its card, its operators and the memory it needs. Needs no TensorFlow.

    A .tflite file of other people is shown without a card. One that was cut or edited is refused.
    """
    from oct_converters.inspection.inspect import inspect_model
    from oct_converters.inspection.model_card import model_card
    from oct_converters.inspection.text import to_text
    from oct_edge.labels import DISCLAIMER

    if as_json and markdown:
        raise typer.BadParameter("--json and --markdown are two answers; ask for one.")
    found = inspect_model(model)
    if as_json:
        say(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    elif markdown:
        say(model_card(found).rstrip())
    else:
        say(to_text(found.sections()))
        say(f"\n{DISCLAIMER}")
