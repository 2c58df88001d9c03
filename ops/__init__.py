"""Floor 3: the running process and what its operator asks of it."""
