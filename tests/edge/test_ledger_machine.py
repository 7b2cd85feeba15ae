"""Whatever is done to a ledger in any order, and killed: one state a content, a whole chain, and no lost commit.

A kill leaves the files as they are: they are copied away from under the open ledger, also in the middle of a
transaction, and the next start reads the copy.
"""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oct_edge.ledger.batch import Batch
from oct_edge.ledger.query import WAITING, Query
from oct_edge.ledger.reader import reading
from oct_edge.ledger.request import Request
from oct_edge.ledger.schema import FINAL
from oct_edge.ledger.store import Ledger
from oct_edge.result import ModelIdentity, Result, Source

MEMORY = Path("/dev/shm")  # nothing here is about a disk
CONTENTS = [letter * 64 for letter in "abcdef"]
content = st.sampled_from(CONTENTS)
name = st.sampled_from(["x", "y", "z"])
letter = st.sampled_from("mn")
status = st.sampled_from(FINAL)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.starts = self.requests = 0
        self.state: dict[str, str] = {}  # of every content that was ever taken
        self.model: dict[str, str] = {}  # that answered last, while the ledger holds the answer
        self.asked: set[str] = set()  # contents that wait for another answer
        self.ledger = Ledger(self.root / "0")

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.root)

    @rule(content=content, name=name, model=letter)
    def take(self, content: str, name: str, model: str) -> None:
        with self.ledger.batch() as batch:
            batch.sighted(content, name)
            batch.taken(content, model * 64, name)
        self.state.setdefault(content, "pending")

    @rule(content=content, name=name, model=letter, status=status, exported=st.booleans())
    def answer(self, content: str, name: str, model: str, status: str, exported: bool) -> None:
        with self.ledger.batch() as batch:
            batch.answered(answer(content, name, model, status))
            if exported:
                batch.exported()
        if self.state.get(content) not in FINAL or content in self.asked:
            self.state[content], self.model[content] = status, model
            self.asked.discard(content)

    @rule(model=letter, also_same=st.booleans(), again=st.booleans())
    def ask(self, model: str, also_same: bool, again: bool) -> None:
        self.requests += not (again and self.requests)
        request = Request(str(self.requests), Query(), also_same)
        with self.ledger.batch() as batch:
            before = batch._one("SELECT count(*) FROM events WHERE body = ?", request.mark())
            asked = batch.asked(request, model * 64)
        found = {scan for scan, last in self.model.items() if also_same or last != model} - self.asked
        assert asked == (0 if before and before[0] else len(found))
        self.asked |= found if asked else set()

    @rule(answers=st.integers(0, 3), most=st.integers(1, 20))
    def retain(self, answers: int, most: int) -> None:
        until = self.ledger.over(None, answers, most)
        leaving = {scan for _, scan in self.ledger.leaving(until)}
        self.asked -= {scan for scan, seq in self.ledger._rows(WAITING) if seq <= until}
        with self.ledger.batch() as batch:
            batch.forgotten(until)
        for scan in leaving:
            del self.model[scan]

    @rule()
    def vacuum(self) -> None:
        self.ledger._open().executescript("PRAGMA incremental_vacuum(2)")

    @rule(content=content, status=status, finish=st.booleans())
    def kill(self, content: str, status: str, finish: bool) -> None:
        """The power goes in the middle of a transaction, or right after it."""
        self.starts += 1
        place = self.root / str(self.starts)
        with suppress(ZeroDivisionError), self.ledger.batch() as batch:
            batch.taken(content, "k" * 64, "killed")
            batch.answered(answer(content, "killed", "k", status))
            batch.forgotten(self.ledger.over(None, 0, 5))
            shutil.copytree(self.ledger.folder, place)
            raise ZeroDivisionError
        self.ledger.close()
        self.ledger = Ledger(place)
        assert list(place.glob("*damaged*")) == []

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.ledger.folder)

    @invariant()
    def every_content_has_the_one_state_that_was_committed_last(self) -> None:
        batch = Batch(self.ledger._open(), self.ledger.head)
        assert {scan: batch.state(scan) for scan in CONTENTS} == {scan: self.state.get(scan) for scan in CONTENTS}
        due = {scan for scan in CONTENTS if self.state.get(scan) not in FINAL or scan in self.asked}
        assert {scan for scan in CONTENTS if batch.is_due(scan)} == due

    @invariant()
    def the_chain_is_whole_and_those_who_ask_see_the_same(self) -> None:
        with reading(self.ledger.folder) as reader:
            assert reader.verify() == self.ledger.head
            status = reader.status()
        known = len(self.state) - sum(status["states"].values())
        assert known >= 0
        assert sum(status["to_regrade"].values()) == len(self.asked)
        finals = sum(count for state, count in status["states"].items() if state in FINAL)
        assert finals == len(self.model) == self.ledger._mark("held")

    @invariant()
    def no_answer_was_given_that_nobody_asked_for(self) -> None:
        kinds = "SELECT scan, sum(kind IN {}), sum(kind = 'regrade') FROM events WHERE scan <> '' GROUP BY scan"
        for _, answers, asked in self.ledger._rows(kinds.format(FINAL)):
            assert answers <= 1 + asked


def answer(content: str, name: str, model: str, status: str) -> Result:
    identity = ModelIdentity(model, model * 64, "none")
    return Result("2026-11-23T10:11:12Z", Source(name, content), status, identity)  # type: ignore[arg-type]


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLedger = Machine.TestCase
