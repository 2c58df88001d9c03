"""Floor 1, pure: what each actor should do next. No clock, no files, no logging, no chance."""
