"""A Pillow image becomes grey values: every mode has one defined meaning or is refused, and nothing is clipped."""

import numpy as np
from PIL import ExifTags, Image

from oct_edge.errors import UnsupportedPixels

COLOUR_TOLERANCE = 48  # grey levels between channels; JPEG chroma noise and tinted exports stay below
COLOURED = 0.01  # share of the pixels beyond it that makes a picture coloured

_WITH_ALPHA = ("LA", "PA", "RGBA")
_BAND = 256  # rows: a colour picture is looked at in pieces, since three channels of 16 million pixels are much memory
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def grey_of(image: Image.Image, name: str, *, bits: int = 16) -> np.ndarray:
    """uint8 `[height, width]`. A mode of 16 bits holds values of `bits` bits, whose full range maps to 0..255."""
    see_through = image.mode in _WITH_ALPHA or "transparency" in image.info
    if image.mode == "L" and not see_through:
        return np.asarray(image)
    if image.mode.startswith("I;16") and not see_through:
        return _of_16_bits(np.asarray(image), bits)
    if image.mode not in ("L", "P", "RGB", *_WITH_ALPHA):
        raise UnsupportedPixels(f"{name}: pixel mode {image.mode} has no defined grey value here.")
    if see_through:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            raise UnsupportedPixels(f"{name}: parts of the picture are transparent.")
    return grey_of_colour(image.convert("RGB"), name)


def grey_of_colour(image: Image.Image, name: str) -> np.ndarray:
    """A B-scan saved as colour is still grey; a coloured picture is something else."""
    coloured = 0
    for top in range(0, image.height, _BAND):
        band = np.asarray(image.crop((0, top, image.width, min(top + _BAND, image.height))))
        red, green, blue = band[..., 0], band[..., 1], band[..., 2]
        spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        coloured += int((spread > COLOUR_TOLERANCE).sum())
    if coloured > COLOURED * image.width * image.height:
        raise UnsupportedPixels(f"{name}: a colour picture, not a grey B-scan.")
    return np.asarray(image.convert("L"))


def upright(grey: np.ndarray, image: Image.Image) -> np.ndarray:
    """The pixels turned as the EXIF orientation says. `ImageOps.exif_transpose` also rewrites the EXIF, and trips."""
    method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return grey if method is None else np.asarray(Image.fromarray(grey).transpose(method))


def _of_16_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Pillow's own convert("L") clips at 255. The full range maps to 0..255, as PNG defines samples."""
    return np.round(values.astype(np.float32) * np.float32(255 / ((1 << bits) - 1))).astype(np.uint8)
