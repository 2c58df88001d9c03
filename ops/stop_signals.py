"""The signals that ask a process to end in order, for its main thread, which looks at them."""

import faulthandler
import os
import signal
from types import FrameType


class StopSignals:
    """Which one came. Whoever asks a second time means at once."""

    number = 0
    """Of the first; 0 for none."""

    def listen(self) -> None:
        """Hear them from now on; the main thread's."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.note)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(signal.SIGHUP, self.note)
        # A library that crashes the interpreter leaves no other word.
        faulthandler.enable(file=2, all_threads=True)
        # A process so stuck that the control thread is silent still says where.
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """Note it for the main thread, which looks ten times a second.

        This runs on that very thread, in the middle of anything: to set an Event here would be
        to wait for ever, when the thread is just inside that Event with its lock in hand.
        """
        del frame
        if number == signal.SIGHUP:  # a terminal that goes sends two, and a session's end one more
            self.number = self.number or number
            return
        if self.number not in (0, signal.SIGHUP):
            os._exit(128 + number)
        self.number = number

    @property
    def told(self) -> str:
        """Say which one ended it; empty for none."""
        return f"stopped by {signal.Signals(self.number).name}" if self.number else ""
