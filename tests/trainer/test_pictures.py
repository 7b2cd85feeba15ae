"""Scans become arrays once, by split; what stands in the way is said of all of them together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oct_edge.errors import DataSetError
from oct_edge.preprocess import to_grey
from oct_edge.scan import read_scan
from oct_trainer.dataset import read_dataset
from oct_trainer.pictures import load_parts, load_pictures

Scans = Callable[[Path, str, str], list[Path]]


def deepen(path: Path) -> Path:
    """The scan as a PNG of 16 bits in the place of the JPEG."""
    with Image.open(path) as image:
        pixels = np.asarray(image).astype(np.uint16) * 257
    path.unlink()
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def test_the_pictures_of_a_split_are_those_of_its_samples_in_order(clean_phantoms: Path) -> None:
    data = read_dataset(clean_phantoms)
    parts = load_parts(tuple(reversed(data.samples)))
    assert list(parts) == ["train", "val", "test"]
    for name, part in parts.items():
        assert part.samples == tuple(reversed(data.split(name)))
        assert part.patients.tolist() == [s.patient for s in part.samples]
        assert part.labels.tolist() == [s.label for s in part.samples]
        for sample, grey, digest in zip(part.samples, part.grey, part.sha256, strict=True):
            scan = read_scan(sample.path)
            assert scan.sha256 == digest
            assert np.array_equal(to_grey(scan), grey)


def test_a_split_without_scans_has_no_pictures(clean_phantoms: Path) -> None:
    assert list(load_parts(read_dataset(clean_phantoms / "train").samples)) == ["train", "val"]


def test_all_damaged_scans_are_named_at_once_whatever_their_split(root: Path, scans: Scans) -> None:
    cut, empty, text = scans(root, "train", "CNV")[1], scans(root, "train", "NORMAL")[3], scans(root, "test", "DME")[0]
    cut.write_bytes(cut.read_bytes()[:2000])
    empty.write_bytes(b"")
    text.write_text("see the other folder")
    with pytest.raises(DataSetError) as caught:
        load_parts(read_dataset(root).samples)
    message = caught.value.message
    assert message.startswith("3 of 64 scans cannot be read: ")
    for path in (cut, empty, text):
        assert message.count(str(path)) == 1
    assert f"{empty}: the file is empty" in message
    assert "oct-train audit" in caught.value.hint


def test_one_damaged_scan_is_said_in_few_words(root: Path, scans: Scans) -> None:
    empty = scans(root, "train", "NORMAL")[3]
    empty.write_bytes(b"")
    with pytest.raises(DataSetError) as caught:
        load_pictures(read_dataset(root).samples)
    assert caught.value.message == f"{empty}: the file is empty."


def test_a_long_list_of_damaged_scans_is_cut(root: Path, scans: Scans) -> None:
    for path in scans(root, "train", "NORMAL")[:11]:
        path.write_bytes(b"")
    with pytest.raises(DataSetError, match=r"^11 of 64 .*; and 3 more\.$"):
        load_pictures(read_dataset(root).samples)


@pytest.mark.parametrize("split", ["train", "test"])
def test_scans_of_16_bits_among_others_are_named(root: Path, scans: Scans, split: str) -> None:
    odd = [deepen(path) for path in scans(root, split, "CNV")[:2]]
    with pytest.raises(DataSetError) as caught:
        load_parts(read_dataset(root).samples)
    assert caught.value.message == f"2 of 64 scans have 16 bits a pixel, not 8: {odd[0]}; {odd[1]}."
    assert "Export" in caught.value.hint


def test_a_scan_of_8_bits_among_deeper_ones_is_named(root: Path) -> None:
    shallow, *others = read_dataset(root, limit=4).samples
    samples = [shallow, *(replace(sample, path=deepen(sample.path)) for sample in others)]
    with pytest.raises(DataSetError, match=f"1 of 12 scans have 8 bits a pixel, not 16: {shallow.path}"):
        load_parts(samples)


def test_scans_that_all_have_16_bits_are_read_by_their_full_range(root: Path) -> None:
    samples = read_dataset(root, limit=4).samples
    before = load_pictures(samples)
    after = load_pictures([replace(sample, path=deepen(sample.path)) for sample in samples])
    assert np.array_equal(before.grey, after.grey)


def test_a_png_of_8_bits_goes_with_jpegs(root: Path, scans: Scans) -> None:
    path = scans(root, "train", "CNV")[0]
    with Image.open(path) as image:
        image.save(path.with_suffix(".png"))
    path.unlink()
    assert len(load_pictures(read_dataset(root).samples).grey) == 64
