"""Reads `[metrics]`."""

from pathlib import Path

from ops.config_reader import TableReader
from ops.config_schema import MetricsConfig
from ops.loopback import is_loopback, split_address
from ops.secret_names import is_variable_name


def read_metrics(reader: TableReader) -> MetricsConfig:
    """Give the settings; mistakes are noted in the reader."""
    http, token = read_http(reader)
    metrics = MetricsConfig(
        enabled=reader.flag("enabled", default=True),
        rotate_max_mb=reader.integer("rotate_max_mb", 64, least=1),
        rotate_max_lines=reader.optional_integer("rotate_max_lines", least=1),
        rotate_max_age_s=reader.optional_integer("rotate_max_age_s", least=1),
        rotate_keep=reader.integer("rotate_keep", 10, least=0),
        sample_every=reader.integer("sample_every", 1_000, least=1),
        interval_s=reader.integer("interval_s", 5, least=1),
        prometheus_file=_file(reader),
        http=http,
        http_token_env=token,
    )
    reader.finish()
    return metrics


def read_http(reader: TableReader) -> tuple[str | None, str | None]:
    """Give `http` and `http_token_env`; an address that others can reach needs a token."""
    http, token = _address(reader), _token(reader)
    if http and not token and not _is_private(http):
        reader.problem(
            "http",
            f'"{http}" is open to others: name the environment variable of a token in'
            " http_token_env, or listen on 127.0.0.1",
        )
    return http, token


def _is_private(text: str) -> bool:
    address = split_address(text)
    return address is None or is_loopback(address[0])


def _file(reader: TableReader) -> Path | None:
    text = reader.optional_text("prometheus_file")
    if text is not None and not text.endswith(".prom"):
        reader.expected("prometheus_file", 'a path that ends in ".prom", as the node exporter asks')
    return None if text is None else Path(text)


def _address(reader: TableReader) -> str | None:
    text = reader.optional_text("http")
    if text is None or split_address(text) is not None:
        return text
    reader.expected("http", 'an address and a port, such as "127.0.0.1:9464"')
    return None


def _token(reader: TableReader) -> str | None:
    name = reader.optional_text("http_token_env")
    if name is not None and not is_variable_name(name):
        reader.problem(
            "http_token_env", "expected the name of an environment variable, not what it holds"
        )
    return name
