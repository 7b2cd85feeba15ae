"""The signals that a daemon obeys, and a sleep that none of them is late for."""

import os
import select
import signal
from types import FrameType


class Signals:
    """SIGTERM and SIGINT, from now on, as a `Stop`; and SIGHUP, which ends it where its terminal is gone.

    A second SIGINT is left to the kernel, which ends the process at once, whatever it is doing or waiting for: what is
    under way stays pending, as after any kill.

    Not a `threading.Event`: a handler that sets one while the main thread is going to sleep on it waits for itself.
    Python writes to the pipe as soon as a signal comes, so none is missed on the way into `select`.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._hangups = self._seen = 0
        self._has_terminal = os.isatty(0)
        self._wake, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)
        signal.signal(signal.SIGHUP, self._hang_up)

    def is_set(self) -> bool:
        return bool(self.received)

    def hung_up(self) -> bool:
        """Whether SIGHUP came since this was asked before."""
        hangups = self._hangups  # once: one more may come on the way
        before, self._seen = self._seen, hangups
        return hangups > before

    def wait(self, timeout: float, *descriptors: int) -> None:
        """Until there is a signal, or something to read from one of the descriptors."""
        if self._wake in select.select([self._wake, *descriptors], [], [], timeout)[0]:
            os.read(self._wake, 64)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received.append(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        if self._has_terminal and not os.isatty(0):
            self._receive(number, frame)
        self._hangups += 1
