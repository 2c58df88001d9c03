"""What a publisher has taken and not stored as it ends: bots wait for it, and may never see it."""

from actors.publisher import PublisherKept, fate_of_unstored


def unstored(kept: PublisherKept, *, is_recorded: bool) -> str:
    """Say what is not known to be in the stream, and what becomes of it; empty where all is."""
    waiting = kept.summary().get("waiting", 0)
    if not waiting:
        return ""
    what = "1 event is" if waiting == 1 else f"{waiting} events are"
    if is_recorded and kept.has_ended:  # which is the last that was taken
        end = "the market's end"
        what = f"{end} is" if waiting == 1 else f"{waiting} events, {end} among them, are"
    return f"{what} not known to be stored: {fate_of_unstored(is_recorded=is_recorded)}"
