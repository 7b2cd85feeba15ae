"""Pictures that are no whole, upright B-scan: what the device's gate is measured with.

Some are made of nothing (noise, pages of text, gradients), some of a real or synthetic scan (upside down, inverted, cut
out, damaged). Each maker takes a generator of random numbers, so that the same seed gives the same pictures. They are
to measure with, and nothing is fitted to them.
"""

import string
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

HEIGHT, WIDTHS = 496, (512, 768, 1024)
CUT_OUT = 0.3  # of width and height that is left

Made = Callable[[np.random.Generator], np.ndarray]
Changed = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def noise(rng: np.random.Generator) -> np.ndarray:
    """Gaussian, uniform, speckle, or clouds of any size; uint8 `[496, w]`."""
    shape = (HEIGHT, int(rng.choice(WIDTHS)))
    kind = int(rng.integers(4))
    if kind == 0:
        return _grey(rng.normal(rng.uniform(40, 180), rng.uniform(10, 60), shape))
    if kind == 1:
        return rng.integers(0, 256, shape, np.uint8)
    if kind == 2:
        return _grey(rng.gamma(1, rng.uniform(20, 70), shape))
    blurred = Image.fromarray(rng.integers(0, 256, shape, np.uint8)).filter(
        ImageFilter.GaussianBlur(float(rng.uniform(1, 60)))
    )
    clouds = np.asarray(blurred, np.float32)
    return _grey((clouds - clouds.mean()) / max(float(clouds.std()), 1e-3) * rng.uniform(15, 60) + rng.uniform(50, 150))


def text_page(rng: np.random.Generator) -> np.ndarray:
    """A page of words that mean nothing, dark on light or light on dark."""
    paper, ink = (0, 255) if rng.random() < 0.5 else (255, 0)
    page = Image.new("L", (int(rng.integers(500, 900)), int(rng.integers(500, 1000))), paper)
    size = int(rng.integers(10, 28))
    font, draw = ImageFont.load_default(size), ImageDraw.Draw(page)
    for top in range(20, page.height - 2 * size, int(1.4 * size)):
        if rng.random() < 0.85:
            draw.text((20, top), " ".join(_word(rng) for _ in range(int(rng.integers(3, 14)))), fill=ink, font=font)
    return np.asarray(page)


def gradient(rng: np.random.Generator) -> np.ndarray:
    """Light that falls off sideways, downwards or from the middle, with a little noise or none."""
    rows, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1:1:512j]
    light = (columns, rows, 1 - np.hypot(rows, columns))[int(rng.integers(3))]
    return _grey(127 + rng.uniform(40, 120) * light + rng.normal(0, rng.uniform(0, 8), light.shape))


def upside_down(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(pixels[::-1])


def inverted(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(255 - pixels)


def sideways(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(pixels))


def cut_out(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Anywhere in the picture, `CUT_OUT` of its width and height: a tenth of the area."""
    height, width = (int(CUT_OUT * side) for side in pixels.shape)
    top, left = int(rng.integers(pixels.shape[0] - height)), int(rng.integers(pixels.shape[1] - width))
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def with_bit_errors(jpeg: bytes, rng: np.random.Generator) -> bytes:
    """A JPEG in which 64 bytes anywhere in the middle of its data are inverted, but for those that make markers."""
    start, end = jpeg.rfind(b"\xff\xda") + 14, jpeg.rfind(b"\xff\xd9")
    at = int(rng.integers(start + (end - start) // 10, end - (end - start) // 5))
    data = bytearray(jpeg)
    data[at : at + 64] = (byte ^ 0xFF if byte not in (0x00, 0xFF) else byte for byte in data[at : at + 64])
    return bytes(data)


MADE: dict[str, Made] = {"noise": noise, "text pages": text_page, "gradients": gradient}
CHANGED: dict[str, Changed] = {
    "upside down": upside_down,
    "inverted": inverted,
    "sideways": sideways,
    "cut out": cut_out,
}


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list(string.ascii_lowercase), int(rng.integers(2, 9))))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)
