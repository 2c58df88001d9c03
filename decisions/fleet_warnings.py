"""What an orchestrator warns of one bot: in words, and by name. Pure."""

HALTED = "halted"
"""What the warning of a halt begins with."""
NOT_OURS = "a process that nobody here started is running in its directory"
NO_ROOM = "disk full: nothing is started in its run directory"
MUTE = "disk full: it can say nothing of itself, and could not start again"


def kind_of(warning: str) -> str:
    """Name a warning without what changes in it: ``drawdown``, ``disk full``."""
    if warning == NOT_OURS:
        return "not ours"
    head, colon, _ = warning.partition(":")
    return head if colon else warning.partition(" ")[0]
