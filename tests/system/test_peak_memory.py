"""How much memory a command held is its own, and not that of who started it."""

from tests.peak_memory import measured

LARGE_KB = 400_000


def test_a_large_process_that_starts_a_small_one_says_how_small_that_was() -> None:
    large = bytearray(b"1") * (LARGE_KB * 1_024)

    small = measured("--version")

    assert len(large) // 1_024 > 2 * small.peak_kb > 10_000
