"""One card, a machine, and what is looked at after each power cut.

The card itself goes from power-on to power-on. What is examined is a copy, mounted here, where the file system replays
its journal; and on the copy the daemon goes on as it would after a boot.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from powercut.check import Card, Known, name_in
from powercut.disk import Disk, Loss
from powercut.machine import Machine, MachineFailed, System

_SIZE = "512M"
_MOMENTS = ("start", "work", "answer", "answer")
_LONGEST = {"start": 60, "work": 300, "answer": 16}


@dataclass(frozen=True)
class Row:
    """What one power-on did to the card, and what was wrong afterwards.

    Of the scans that were put there some were synced; of the others some are gone, and some of those had been graded.
    """

    seconds: float
    writes: int
    flushes: int
    loss: Loss
    acknowledged: int
    put: int
    synced: int
    gone: int
    graded: int
    faults: tuple[str, ...]


class Laboratory:
    """A new card in `folder`, which is emptied."""

    def __init__(self, system: System, folder: Path, seed: int, mutant: str = "") -> None:
        self.folder = folder
        self._system, self._seed, self._mutant = system, seed, mutant
        self._known = Known()
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "blank" / "inbox").mkdir(parents=True)
        (folder / "mounted").mkdir()
        self._card = folder / "card.img"
        options = ("-q", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0")
        _run("mke2fs", *options, "-d", folder / "blank", self._card, _SIZE)

    def cut(self, cycle: int) -> Row:
        """Power on, and off at a random moment."""
        random = Random(f"{self._seed}/{cycle}")
        return self._power_on("watch", cycle, lambda machine: self._cut_power(machine, random), random)

    def finish(self, cycle: int) -> Row:
        """Power on, and let it answer all that is there and switch itself off."""
        return self._power_on("finish", cycle, Machine.until_off, Random(f"{self._seed}/{cycle}"))

    def _cut_power(self, machine: Machine, random: Random) -> None:
        """While it starts, while it works, or as soon as a result was acknowledged, when nothing is to be done for it
        any more. A mutant has to break something first."""
        moment = random.choice(_MOMENTS[bool(self._mutant) :])
        count = random.randint(1, _LONGEST[moment])
        if moment == "answer":
            machine.cut_when(lambda: machine.answers() >= count)
        else:
            machine.until(lambda: moment == "start" or machine.answers() > 0)
            count += machine.touched()
            machine.cut_when(lambda: machine.touched() >= count)

    def _power_on(self, task: str, cycle: int, action: Callable[[Machine], None], random: Random) -> Row:
        began, faults = time.monotonic(), []
        with Disk(self._card) as disk:
            machine = Machine(self._system, disk, self.folder, TASK=task, CYCLE=cycle, MUTANT=self._mutant)
            try:
                action(machine)
            except MachineFailed as error:
                faults.append(f"I5: the machine {error}")
            finally:
                machine.kill()
            loss = disk.lose_power(random)
        answers, (put, kept) = machine.lines("acknowledged"), _heard(machine.lines("dropped"))
        self._known.acknowledged += answers
        self._known.kept |= kept
        gone, broken = self._examine(put - kept, finished=task == "finish")
        scans = (len(put), len(kept), len(gone), len(gone & {name_in(line) for line in answers}))
        seconds = time.monotonic() - began
        return Row(seconds, disk.writes, disk.flushes, loss, len(answers), *scans, (*faults, *broken))

    def _examine(self, unsynced: set[str], *, finished: bool) -> tuple[set[str], list[str]]:
        """Which of the unsynced scans are gone, and what is wrong with a copy of the card: as it was left, and after
        what was left undone is done."""
        known = self._known
        gone: set[str] = set()
        faults: list[str] = []
        try:
            with self._mounted_copy() as folder:
                card = Card(folder)
                faults += card.as_left(known)
                gone = card.gone(unsynced)
                if not faults:
                    faults += card.settled(known, known.acknowledged) if finished else card.after_catching_up(known)
        except subprocess.CalledProcessError as error:
            faults.append(f"I1: {error.cmd[0]}: {' '.join(error.stdout.split())[-300:]}")
        except OSError as error:
            faults.append(f"I1: the file system is damaged: {error}")
        return gone, faults

    @contextmanager
    def _mounted_copy(self) -> Iterator[Path]:
        copy, place = self.folder / "copy.img", self.folder / "mounted"
        _run("cp", "--sparse=always", self._card, copy)
        _run("mount", "-o", "loop,noatime", copy, place)
        try:
            yield place
        finally:
            _run("umount", place)
        _run("e2fsck", "-f", "-n", copy)


def _heard(lines: list[str]) -> tuple[set[str], set[str]]:
    """The scans that were put into the inbox, and those of them that were synced."""
    said = [line.split() for line in lines]
    return {name for verb, name in said if verb == "put"}, {name for verb, name in said if verb == "kept"}


def _run(*command: object) -> None:
    """Raises: CalledProcessError, with all that was said in its `stdout`."""
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
