"""The process that the crash rehearsal's lives are forked from: it has imported all they need.

A life is a process of its own all the same, killed for real; only its imports, which cost more
than the rest of its short life, are made once. This process has one thread and opens nothing.

It is asked on its standard input, a socket: a job with the life's three standard streams is
answered with its process id, a process id with how that process ended.
"""

import gc
import os
import signal
import socket
import sys
import traceback
from typing import Any

import msgspec

import actors.live_gateway  # noqa: F401 - imported here once, and by no life again
from exchanges.ccxt_client import import_ccxt
from messages.exit_codes import EXIT_EXHAUSTED
from messages.learning import learn
from ops.drill_child import run

REQUEST_MAX = 65_536
STREAMS = 3


class Bear(msgspec.Struct, frozen=True, tag=True):
    """Start a life; its streams come with this request."""

    job: bytes


class Bury(msgspec.Struct, frozen=True, tag=True):
    """Say how a life that has closed its streams ended."""

    process_id: int


learn(Bear | Bury)


def main() -> int:
    """Serve until the other end of the socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
    import_ccxt("binance")
    gc.freeze()  # what is here for good is not looked through again in each life
    living: set[int] = set()
    with socket.socket(fileno=os.dup(0)) as requests:
        while True:
            data, streams, _, _ = socket.recv_fds(requests, REQUEST_MAX, STREAMS)
            if not data:
                for process_id in living:  # frozen, it cannot see that nobody is left to judge it
                    os.kill(process_id, signal.SIGCONT)
                return 0
            requests.sendall(b"%d\n" % _serve(requests, data, streams, living))


def _serve(requests: socket.socket, data: bytes, streams: list[int], living: set[int]) -> int:
    request = msgspec.json.decode(data, type=Bear | Bury)
    if isinstance(request, Bury):
        living.discard(request.process_id)
        return os.waitstatus_to_exitcode(os.waitpid(request.process_id, 0)[1])
    process_id = os.fork()
    if process_id == 0:
        requests.close()
        _live(request.job, streams)
    living.add(process_id)
    for stream in streams:
        os.close(stream)
    return process_id


def _live(job: bytes, streams: list[int]) -> Any:
    """Be that life, and never come back."""
    code = EXIT_EXHAUSTED
    try:
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
            os.close(stream)
        code = run(job)
    except BaseException:  # noqa: BLE001 - the parent process is told, as by an interpreter
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
