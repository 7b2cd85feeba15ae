"""What other cameras, exports and hands do to a scan: each a small, known change of the full-size grey picture.

A perturbation acts before preprocessing, on uint8 `[h, w]`, and gives a picture that a hospital might have sent: the
same retina, narrower or wider, cropped, tilted, darker, noisier, blurred or written again. None of them changes the
class. What is random in it comes from a generator that the SHA-256 of the scan seeds, so a study is the same twice.
Where a picture is moved, black comes in from outside. NumPy and Pillow only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from oct_edge.scan import Scan

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Perturbation:
    """One `change` of a known strength; `group` is what it is a strength of."""

    group: str
    name: str
    change: Change

    def __call__(self, scan: Scan) -> Scan:
        """The changed scan; it keeps the identity of the one it came from."""
        seed = np.frombuffer(bytes.fromhex(scan.sha256), np.uint32).tolist()
        return replace(scan, pixels=self.change(scan.pixels, np.random.default_rng(seed)))


def wider(pixels: np.ndarray, _: np.random.Generator, *, factor: float) -> np.ndarray:
    """The same rows in `factor` times the columns, as another export of the same retina."""
    height, width = pixels.shape
    size = (max(1, round(width * factor)), height)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def cropped(
    pixels: np.ndarray,
    _: np.random.Generator,
    *,
    top: float = 0.0,
    bottom: float = 0.0,
    left: float = 0.0,
    right: float = 0.0,
) -> np.ndarray:
    """Without these shares of the rows and columns; one row and one column stay."""
    rows, columns = (_kept(n, *ends) for n, ends in zip(pixels.shape, ((top, bottom), (left, right)), strict=True))
    return pixels[rows, columns]


def shifted(pixels: np.ndarray, _: np.random.Generator, *, down: float = 0.0, right: float = 0.0) -> np.ndarray:
    """Moved by shares of height and width, up and left where negative."""
    height, width = pixels.shape
    moved = Image.new("L", (width, height))
    moved.paste(Image.fromarray(pixels), (round(right * width), round(down * height)))
    return np.asarray(moved)


def rotated(pixels: np.ndarray, _: np.random.Generator, *, degrees: float) -> np.ndarray:
    """Turned about its middle, counter-clockwise."""
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR))


def mirrored(pixels: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Left for right: the other eye."""
    return pixels[:, ::-1]


def with_gamma(pixels: np.ndarray, _: np.random.Generator, *, gamma: float) -> np.ndarray:
    """Grey values, as shares of white, to the power of `gamma`: above 1 darkens the middle."""
    return _mapped(pixels, 255 * (np.arange(256) / 255) ** gamma)


def with_contrast(pixels: np.ndarray, _: np.random.Generator, *, factor: float) -> np.ndarray:
    """Distances from the mean grey value times `factor`."""
    mean = float(pixels.mean())
    return _mapped(pixels, mean + factor * (np.arange(256) - mean))


def with_brightness(pixels: np.ndarray, _: np.random.Generator, *, levels: int) -> np.ndarray:
    """So many grey levels added, or taken away."""
    return _mapped(pixels, np.arange(256) + levels)


def with_speckle(pixels: np.ndarray, rng: np.random.Generator, *, deviation: float) -> np.ndarray:
    """Multiplied by normal noise of mean 1, each pixel apart."""
    noise = rng.normal(1.0, deviation, pixels.shape)
    return np.asarray((pixels * noise).clip(0, 255).round().astype(np.uint8))


def blurred(pixels: np.ndarray, _: np.random.Generator, *, sigma: float) -> np.ndarray:
    """Out of focus by a Gaussian of `sigma` pixels."""
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def written_again(pixels: np.ndarray, _: np.random.Generator, *, quality: int) -> np.ndarray:
    """Through another JPEG."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image)


def with_wedges(pixels: np.ndarray, rng: np.random.Generator, *, share: float) -> np.ndarray:
    """A white triangle in each corner, up to `share` of the width wide and a third as high, as registration leaves."""
    height, width = pixels.shape
    picture = Image.fromarray(pixels.copy())
    draw = ImageDraw.Draw(picture)
    for across, down in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        x, y = (0 if across > 0 else width - 1), (0 if down > 0 else height - 1)
        reach = rng.uniform(share / 3, share)
        draw.polygon([(x, y), (x + across * reach * width, y), (x, y + down * reach / 3 * height)], fill=255)
    return np.asarray(picture)


def _kept(length: int, before: float, after: float) -> slice:
    start = min(round(before * length), length - 1)
    return slice(start, max(start + 1, length - round(after * length)))


def _mapped(pixels: np.ndarray, curve: np.ndarray) -> np.ndarray:
    return np.asarray(curve.clip(0, 255).round().astype(np.uint8)[pixels])


def _crop(sides: str, share: float) -> Perturbation:
    top, bottom, left, right = (share if side in sides else 0.0 for side in ("top", "bottom", "left", "right"))
    change = partial(cropped, top=top, bottom=bottom, left=left, right=right)
    return Perturbation("crop", f"{100 * share:.0f} % off {sides}", change)


PERTURBATIONS: tuple[Perturbation, ...] = (
    *(Perturbation("aspect", f"width x {f:g}", partial(wider, factor=f)) for f in (0.5, 0.75, 1.5, 2)),
    *(_crop(sides, share) for sides in ("top", "bottom", "top and bottom") for share in (0.1, 0.2, 0.3)),
    *(_crop(sides, share) for sides in ("left", "right", "left and right") for share in (0.1, 0.2)),
    *(Perturbation("shift", f"{100 * s:+.0f} % down", partial(shifted, down=s)) for s in (-0.2, -0.1, 0.1, 0.2)),
    *(Perturbation("shift", f"{100 * s:+.0f} % right", partial(shifted, right=s)) for s in (-0.1, 0.1)),
    *(Perturbation("rotation", f"{d:+d} degrees", partial(rotated, degrees=d)) for d in (-10, -5, 5, 10)),
    Perturbation("mirror", "left for right", mirrored),
    *(Perturbation("gamma", f"{g:g}", partial(with_gamma, gamma=g)) for g in (0.6, 0.8, 1.25, 1.6)),
    *(Perturbation("contrast", f"x {f:g}", partial(with_contrast, factor=f)) for f in (0.6, 0.8, 1.25, 1.6)),
    *(Perturbation("brightness", f"{n:+d} levels", partial(with_brightness, levels=n)) for n in (-40, -20, 20, 40)),
    *(Perturbation("speckle", f"deviation {d:g}", partial(with_speckle, deviation=d)) for d in (0.1, 0.2, 0.4)),
    *(Perturbation("blur", f"sigma {s}", partial(blurred, sigma=s)) for s in (1, 2)),
    *(Perturbation("jpeg", f"quality {q}", partial(written_again, quality=q)) for q in (90, 50, 20, 10)),
    *(Perturbation("wedges", f"up to {100 * s:.0f} % wide", partial(with_wedges, share=s)) for s in (0.25, 0.5)),
)
