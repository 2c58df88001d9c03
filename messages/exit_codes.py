"""With what a command ends. Standard library only: a probe imports this every few seconds."""

EXIT_OK = 0
"""It is done, or so it is."""
EXIT_FAILED = 1
"""It is not done, or not so: something differs, was halted, or is not proved."""
EXIT_USAGE = 2
"""Wrong usage or configuration: a person has to mend it first."""
EXIT_NOTHING_THERE = 3
"""There is nobody to ask, or nothing to look at."""
EXIT_EXHAUSTED = 70
"""Supervision gave up, or nothing came up; sysexits.h's EX_SOFTWARE."""
EXIT_TAKEN_OVER = 75
"""Another process trades the account; sysexits.h's EX_TEMPFAIL."""
EXIT_INTERRUPTED = 130
"""Ctrl-C, as a shell says it."""
IN_ORDER = (EXIT_OK, EXIT_INTERRUPTED)
"""Of a run that was not killed, nor gave up, nor left anything undone; Ctrl-C is `stop`."""
EXIT_UNREAD = 141
"""What a shell says of a process that a broken pipe has ended: its result is not known."""
