"""Floor 1: venues and market sources; the only place where an exchange has a name."""
