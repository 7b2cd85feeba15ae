"""What does MediaPipe's ImageClassifier answer? Needs the environment of `make mediapipe`, and nothing of this project.

    .venv-mediapipe/bin/python benchmarks/mediapipe_answers.py MODEL PICTURE...

prints one JSON object a picture: `picture`, `heads` (the names of the outputs, in order) and `scores` (label to
probability, from the first). MediaPipe gets the decoded pixels and resizes them by itself.
"""

import json
import sys

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from PIL import Image


def answer(classifier: vision.ImageClassifier, path: str) -> dict[str, object]:
    with Image.open(path) as picture:
        pixels = np.ascontiguousarray(picture.convert("RGB"))
    shown = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
    heads = classifier.classify(shown).classifications
    return {
        "picture": path,
        "heads": [head.head_name for head in heads],
        "scores": {category.category_name: category.score for category in heads[0].categories},
    }


def main() -> None:
    model, *pictures = sys.argv[1:]
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for path in pictures:
            print(json.dumps(answer(classifier, path)), flush=True)


if __name__ == "__main__":
    main()
