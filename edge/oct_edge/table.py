"""Results for people: one aligned line a scan, printed as soon as it is known."""

from typing import TYPE_CHECKING

from oct_edge.reading import VOLUMES
from oct_edge.result import Result

if TYPE_CHECKING:
    from oct_edge.volume import Volume

_COLUMNS = "{name:<{width}}  {label:<10}  {p:>5}  {group:<12}  {why}"
_WIDEST = 44
_FRAME = " #999"
_PLAIN = "\x1b[0m"
_COLOURS = {
    "urgent": "\x1b[31m",
    "routine": "\x1b[33m",
    "observe": "\x1b[32m",
    "human_review": "\x1b[35m",
    "-": "\x1b[2m",
}


class Table:
    """Lines of the results table; `names` are all names that will occur, so the first line is already aligned.

    `coloured` shows the referral in the line's colour.
    """

    def __init__(self, names: list[str], *, coloured: bool = False) -> None:
        self._coloured = coloured
        self._width = min(_WIDEST, max(map(_needed, names), default=4))

    def header(self) -> str:
        return self._line("scan", "label", "p", "referral", "")

    def row(self, result: Result) -> str:
        name = printable(result.source.name)
        if result.source.frame is not None:
            frame = f" #{result.source.frame}"  # is what tells the lines apart, and stays where a name is cut
            room = self._width - len(frame)
            name = (name if len(name) <= room else name[: room - 1] + "…") + frame
        why = "; ".join(f"{reason.code}: {reason.message} {reason.hint}" for reason in result.reasons)
        group = result.referral.group if result.referral else "-"
        if result.label is None or result.probabilities is None:
            line = self._line(name, result.status, "-", group, printable(why))
        else:
            p = f"{result.probabilities[result.label]:.2f}"
            line = self._line(name, result.label, p, group, printable(why))
        return f"{_COLOURS[group]}{line}{_PLAIN}" if self._coloured else line

    def volume(self, volume: "Volume") -> str:
        return self._line(printable(volume.source.name), "volume", "-", "-", volume.text())

    def _line(self, name: str, label: str, p: str, group: str, why: str) -> str:
        if len(name) > self._width:
            name = name[: self._width - 1] + "…"
        return _COLUMNS.format(name=name, width=self._width, label=label, p=p, group=group, why=why).rstrip()


def _needed(name: str) -> int:
    """Characters of a name, and of a frame's number where the file may turn out to be a volume."""
    return len(printable(name)) + (len(_FRAME) if name.lower().endswith(VOLUMES) else 0)


def printable(text: str) -> str:
    """The text with everything escaped that could move a cursor or end a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
