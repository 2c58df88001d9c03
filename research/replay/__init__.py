"""The journal of a run through the code that decides: what is decided, held against what was."""
