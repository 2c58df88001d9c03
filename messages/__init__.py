"""Floor 0: every message, id, value and error. Imports nothing of the house."""
