"""HTML that cannot be forgotten to escape: text becomes markup only through `tag`, which escapes it."""

import re
from html import escape

from oct_edge.table import printable
from oct_trainer.plots.style import BLUE, FAINT, INK

_VOID = frozenset({"img", "br"})
_COLOURS = {INK: "ink", FAINT: "faint", BLUE: "mark"}  # those that a dark page has others for
_OWN_LOOK = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"')
_IDS = re.compile(r'(\bid="|url\(#|xlink:href="#)')


class Markup(str):
    """HTML that is safe as it stands."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """An element. Children that are no `Markup` are text; `class_` is `class`, and `_` in an attribute is `-`."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{named}>")
    return Markup(f"<{name}{named}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    return Markup("".join(child if isinstance(child, Markup) else _text(child) for child in children))


def inline_svg(svg: str, prefix: str, label: str) -> Markup:
    """A plot inside the page: in the page's colours and width, with ids that no other plot has."""
    content = svg[svg.index("<svg") :]
    content = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", content, flags=re.DOTALL)
    content = re.sub(
        r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', rf'\1 role="img" aria-label="{_text(label)}"', content
    )
    content = _IDS.sub(rf"\g<1>{prefix}-", content)
    for colour, name in _COLOURS.items():
        content = content.replace(colour, f"var(--{name})")
    return Markup(content)


def _text(text: str) -> str:
    return escape(printable(text))
