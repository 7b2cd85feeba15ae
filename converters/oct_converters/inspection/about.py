"""The parts of a card that say what a model is, what it is for, where it comes from, and where it ends."""

from collections.abc import Iterator
from typing import Any

from oct_converters.inspection.document import Block, Bullets, Text
from oct_converters.inspection.outline import cell, facts, grid
from oct_converters.inspection.part import Card, part
from oct_edge.labels import GRADES

_DATA = ("scans", "patients")
_ABOUT_DATA = ("split_sha256", "class_prior", "leak", "phantoms", "phantom_scans")


@part("Model", "name", "network", "classes", "preprocessing")
def model(card: Card) -> Iterator[Block]:
    meanings = {grade.label: f"{grade.label} ({grade.meaning})" for grade in GRADES}
    yield facts(
        {
            "name": card["name"],
            "network": card["network"],
            "classes, in order": [meanings[name] for name in card["classes"]],
            "preprocessing": card["preprocessing"],
        }
    )


@part("Intended use", "intended_use")
def intended_use(card: Card) -> Iterator[Block]:
    yield Text(cell(card["intended_use"]))
    yield Text(
        "Out of scope is all that this does not name. A network gives one of its classes to whatever it is shown: what "
        "is no macular OCT B-scan has to be kept away from it."
    )


@part("Training and evaluation data", "training")
def data(card: Card) -> Iterator[Block]:
    training = card["training"]
    yield Text(
        "The network learnt from train alone. No patient of one split is in another, unless a leak is named here."
    )
    known = {key: training[key] for key in _ABOUT_DATA if key in training}
    yield facts({"data set": training["name"], **known})
    patients = training["patients"]
    yield grid("scans", {split: {**counts, "patients": patients[split]} for split, counts in training["scans"].items()})


@part("Training", "training")
def training(card: Card) -> Iterator[Block]:
    shown = {key: value for key, value in card["training"].items() if key not in ("name", *_DATA, *_ABOUT_DATA)}
    recipe = dict(shown.pop("recipe"))
    yield facts({**shown, "recipe": recipe.pop("name"), **recipe})


@part("Quantization", "quantization")
def quantization(card: Card) -> Iterator[Block]:
    yield facts(card["quantization"])


@part("Limits", "training", "operating_point")
def limits(card: Card) -> Iterator[Block]:
    yield Bullets(tuple(_limits(card)))


@part("Licences and attributions", "licences")
def licences(card: Card) -> Iterator[Block]:
    if not isinstance(card["licences"], list):
        raise TypeError("no list of licences")
    yield Bullets(tuple(map(cell, card["licences"])))


@part("Software", "software")
def software(card: Card) -> Iterator[Block]:
    yield facts(card["software"])


def _limits(card: Card) -> Iterator[str]:
    training, chosen_on = card["training"], card["operating_point"]["fitted_on"]
    yield f"Temperature and threshold were chosen on {chosen_on}: what is said of the decision there is optimistic."
    for split, counts in training["scans"].items():
        if split != "train":
            yield _scarce(split, {name: count for name, count in counts.items() if count})
    yield (
        "Intervals resample the patients at hand. They know nothing of other scanners, hospitals or populations, and "
        "there are no figures by age, sex or ancestry."
    )
    yield "Where classes occur with other frequencies than in training, the same probability means something else."
    if training["phantoms"]:
        yield "Synthetic phantoms are among its data: they prove nothing about people's eyes."


def _scarce(split: str, counts: dict[str, Any]) -> str:
    name = min(counts, key=lambda label: counts[label])
    return (
        f"The rarest class of {split} is {name}, with {counts[name]} of {sum(counts.values())} scans: one scan moves "
        f"its sensitivity by {100 / counts[name]:.1f} points."
    )
