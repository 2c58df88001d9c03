"""Floor 1: what outlives the process. The only place that imports peewee."""
