"""Frames over real pipes."""

import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct_edge.worker.channel import Channel, Frame


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    there, back = os.pipe(), os.pipe()
    pair = Channel(back[0], there[1]), Channel(there[0], back[1])
    yield pair
    for end in pair:
        end.close()
        end.close()


@given(st.lists(st.tuples(st.dictionaries(st.text(), st.integers()), st.binary()), max_size=5))
def test_frames_arrive_whole_and_in_order(frames: list[tuple[dict, bytes]]) -> None:
    there = os.pipe()
    channel = Channel(*there)
    for header, data in frames:
        channel.send(header, data)
    assert [channel.receive() for _ in frames] == [Frame(header, data) for header, data in frames]
    channel.close()


def test_a_name_that_is_no_text_arrives_as_it_was(ends: tuple[Channel, Channel]) -> None:
    ends[0].send({"name": "\udcff.jpeg"})
    assert ends[1].receive().header == {"name": "\udcff.jpeg"}


def test_what_no_pipe_holds_is_on_its_way_while_an_answer_is_waited_for(ends: tuple[Channel, Channel]) -> None:
    here, there = ends

    def echo() -> None:
        there.send({}, there.receive().data)
        there.flush()

    thread = threading.Thread(target=echo)
    thread.start()
    here.send({}, b"x" * 2**23)
    assert len(here.receive(20).data) == 2**23
    thread.join()


def test_a_silent_other_end_is_a_timeout_and_one_that_is_gone_is_the_end(ends: tuple[Channel, Channel]) -> None:
    here, there = ends
    with pytest.raises(TimeoutError):
        here.receive(0.0)
    there.send({"last": 1})
    there.close()
    assert here.receive(0.0).header == {"last": 1}
    with pytest.raises(EOFError):
        here.receive()
    with pytest.raises(EOFError):
        here.send({}, b"x" * 2**22)
