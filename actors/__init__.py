"""Floor 2: thin shells around the pure core; the only place that imports pykka."""
