"""All that is written of a result outside the ledger: files, lines, and what is kept of a scan without an answer.

A file is named after the scan and the digest of its bytes, so what a crash makes us write twice lands under one name;
files are written whole, synced and renamed, several together, and the folders synced once for all of them. Lines are
never written twice (`lines`). So all of it may be said again, from the first result on that the ledger does not know to
be exported. Everything is written before the first sync: it then costs few, and the card few bytes.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from oct_edge.errors import ConfigurationError
from oct_edge.exports import columns
from oct_edge.exports.folders import hold, name_for, prepare, remove_left_overs
from oct_edge.exports.lines import LineFile
from oct_edge.exports.quarantine import Mode, Quarantine
from oct_edge.files import remove_together, write_together
from oct_edge.result import SCHEMA, Result

_TOGETHER = 16  # files that are synced together
_JSON = f'{{"schema": "{SCHEMA.split("@")[0]}@'.encode()


class Exports:
    """The folder of results, held against every other process until `close`, the quarantine, and files of lines.

    `jsonl` gets each result as the line that is printed, `csv` some of it. `mode` is what the quarantine keeps, found
    again in `inbox`, whose files results call by `naming`; a function is asked each time. After an error it has to be
    opened anew.

    Raises:
        ConfigurationError: one of them cannot be used, or another process writes there.
        OutputUnavailable: `jsonl` or `csv` cannot be opened now.
    """

    def __init__(
        self,
        results: Path,
        quarantine: Path,
        *,
        jsonl: Path | None = None,
        csv: Path | None = None,
        mode: Mode | Callable[[], Mode] = "note",
        inbox: Path | None = None,
        naming: Callable[[str], str] = str,
    ) -> None:
        self.results, self.quarantine = results, quarantine
        self._lines: list[tuple[LineFile, Callable[[Result], bytes]]] = []
        prepare(results, "--output")
        with ExitStack() as stack:
            stack.callback(os.close, _held(results))
            remove_left_overs(results)
            self._kept = Quarantine(quarantine, mode if callable(mode) else lambda: mode, inbox, naming)
            if jsonl:
                file = LineFile(jsonl, "--jsonl", _JSON)
                stack.callback(file.close)
                self._lines.append((file, _json_line))
            if csv:
                header = columns.header()
                file = LineFile(csv, "--csv", header, header)
                stack.callback(file.close)
                self._lines.append((file, columns.line))
            self._held = stack.pop_all()

    def close(self) -> None:
        """Let others write. Closing twice is no error."""
        self._held.close()

    def found(self) -> Iterator[Result]:
        """The results that are files already; files that are none are passed over."""
        for path in sorted(self.results.glob("[!.]*.json")):
            with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
                result = Result.from_json(path.read_text(encoding="utf-8"))
                if result.schema == SCHEMA and result.source.sha256:
                    yield result

    def write(self, results: Sequence[Result]) -> None:
        """Make the results durable outside the ledger: all that it does not know to be exported, in its order.

        A file takes the place of an earlier one of the same content.

        Raises:
            OutputUnavailable: they are not, and must not be reported.
        """
        with ExitStack() as undone:
            for file, line in self._lines:
                undone.callback(file.close)  # only one that is opened anew tells what it holds
                file.append([line(result) for result in results])
            for start in range(0, len(results), _TOGETHER):
                self._write_files(results[start : start + _TOGETHER])
            for file, _ in self._lines:
                file.sync()
            undone.pop_all()

    def remove(self, contents: Iterable[tuple[str, str]]) -> None:
        """Remove the files about contents of these names and digests, as far as nobody took them away. Lines stay.

        Raises:
            OutputUnavailable: they are still there, or a folder is gone and may come back with them.
        """
        paths = ((self._path(*content), *self._kept.paths(*content)) for content in contents)
        remove_together(path for some in paths for path in some)

    def _write_files(self, results: Sequence[Result]) -> None:
        latest = {(result.source.name, str(result.source.sha256)): result for result in results}
        files = {self._path(*content): _json_line(result) for content, result in latest.items()}
        write_together(files | self._kept.notes(latest.values()))
        answered = [content for content, result in latest.items() if result.status == "classified"]
        outdated = [path for content in answered for path in self._kept.paths(*content) if path.exists()]
        remove_together(outdated)

    def _path(self, name: str, sha256: str) -> Path:
        return self.results / f"{name_for(name, sha256)}.json"


def _json_line(result: Result) -> bytes:
    return f"{result.to_json()}\n".encode()


def _held(results: Path) -> int:
    try:
        return hold(results, os.O_RDONLY | os.O_DIRECTORY)
    except BlockingIOError as error:
        raise ConfigurationError(
            f"{results}: another process writes its results there.",
            hint="Let one process watch, or give each its own --output.",
        ) from error
