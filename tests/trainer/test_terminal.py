"""What reaches stderr: one line an epoch in a log file, and nothing of what TensorFlow says to itself."""

import os
import warnings

import pytest

from oct_edge.quiet import silenced


def test_nothing_from_inside_is_heard_and_everything_after(capfd: pytest.CaptureFixture[str]) -> None:
    with silenced(2):
        os.write(2, b"chat from C++\n")
        warnings.warn("chat from Python", stacklevel=1)
        print("an answer")
    os.write(2, b"an error\n")
    heard = capfd.readouterr()
    assert heard.err == "an error\n"
    assert heard.out == "an answer\n"


def test_an_exception_passes_and_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), silenced(1, 2):
        os.write(1 // 0, b"chat\n")
    os.write(1, b"out\n")
    os.write(2, b"err\n")
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.mark.tf
def test_a_log_file_gets_one_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("keras")
    from oct_trainer.progress import TrainingProgress

    with TrainingProgress("compact", total=2, steps=3) as progress:
        for epoch in range(2):
            for step in range(3):
                progress.on_train_batch_end(step, {"loss": 1.0, "accuracy": 0.5})
            progress.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 0.25})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"compact epoch {n}/2: loss 1.0000  val_loss 0.2500" for n in (1, 2)]


@pytest.mark.tf
@pytest.mark.parametrize("done", [0, 4])
def test_the_time_left_counts_what_is_left_at_the_pace_of_this_training(done: int) -> None:
    pytest.importorskip("keras")
    from oct_trainer.progress import TrainingProgress

    now = [1000.0]
    progress = TrainingProgress("compact", total=10, steps=5, done=done, clock=lambda: now[0])
    bar = progress.bar.tasks[0]
    assert (bar.completed, bar.total, bar.time_remaining) == (done * 5, 50, None)
    for epoch in (done, done + 1):
        for step in range(5):
            now[0] += 10
            progress.on_train_batch_end(step, {})
        now[0] += 25  # validation
        progress.on_epoch_end(epoch, {})
    now[0] += 10
    progress.on_train_batch_end(0, {})
    assert bar.completed == (done + 2) * 5 + 1
    assert bar.description == f"compact epoch {done + 3}/10"
    assert bar.time_remaining == pytest.approx((50 - bar.completed) * 15, rel=0.01), "10 s a step, 5 s of validation"
