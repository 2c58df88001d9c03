"""What every thread is doing this moment. Standard library only."""

import sys
import threading
import traceback


def thread_stacks() -> dict[str, list[str]]:
    """Give each thread's frames, outermost first, by the thread's name."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        f"{names.get(ident, 'unknown')} ({ident})": [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_stack(top, limit=-40)
        ]
        for ident, top in sys._current_frames().items()
    }
