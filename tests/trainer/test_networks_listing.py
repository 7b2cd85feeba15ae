"""`oct-train networks`: the table, for people and for machines, where there is no TensorFlow."""

import json
import subprocess
import sys

import pytest

from oct_trainer.networks import NETWORKS

COUNTS = {
    "mobilenet": (5_854_916, 2_626_052),
    "vgg16": (21_138_500, 6_423_812),
    "compact": (558_916, 557_636),
    "custom-vgg": (18_277_700, 18_267_204),
}


@pytest.fixture(scope="module")
def listed():
    """What the command prints where TensorFlow and Keras cannot be imported."""

    def run(*options: str) -> str:
        script = (
            "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras')))\n"
            "sys.argv[0] = 'oct-train'\n"
            "from oct_trainer.cli import main; main()"
        )
        command = [sys.executable, "-W", "error", "-c", script, "networks", *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    return run


def test_machines_get_the_articles_counts_and_accuracies(listed) -> None:
    document = json.loads(listed("--json"))
    assert document["schema"] == "oct-edge/networks@1"
    assert document["input"] == [224, 224, 3]
    assert "not a medical device" in document["disclaimer"]
    found = {entry["name"]: (entry["parameters"], entry["trainable"]) for entry in document["networks"]}
    assert found == COUNTS
    accuracies = [entry["article_accuracy_percent"] for entry in document["networks"]]
    assert accuracies == [71.27, 87.22, 94.45, 95.94]
    for entry in document["networks"]:
        assert entry.keys() == {
            *("name", "title", "layers", "parameters", "trainable", "multiply_adds", "embedding"),
            "article_accuracy_percent",
        }


def test_people_get_aligned_lines(listed) -> None:
    header, *lines, note = listed().splitlines()
    assert [line.split()[0] for line in lines] == list(NETWORKS)
    assert {len(line) for line in (header, *lines)} == {len(header)}
    assert "21,138,500" in lines[1]
    assert "validation set too" in note
