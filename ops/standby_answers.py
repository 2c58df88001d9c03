"""What a standby answers while it waits for its account: that it lives, and is ready to take over.

Without it a probe would take one that waits for one that hangs, and kill it over and over. And
were it not ready, neither a rolling update nor the eviction of a node could ever go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ops.config import Config
from ops.prometheus_text import NO_LABELS, gauge
from ops.publishing import http_server


@contextmanager
def answering(config: Config) -> Iterator[None]:
    """Answer where `metrics.http` says, until the account is had; nothing where it says nothing.

    Raises:
        ConfigError: it cannot listen there, or the token is not in the environment.
    """
    if config.metrics.http is None:
        yield
        return
    server = http_server(config, _text, _probe)
    try:
        yield
    finally:
        server.close()


def _probe(question: str) -> str:
    del question
    return ""


def _text() -> str:
    what = "Whether this process waits for an account that another one trades: 1."
    return "".join(gauge("watchkeeper_standby", what, [(NO_LABELS, 1)]))
