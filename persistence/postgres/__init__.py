"""The ledger in PostgreSQL: all that is said otherwise than in SQLite, and nowhere else."""
