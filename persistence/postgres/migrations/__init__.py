"""Scripts of peewee's runner for the ledger in PostgreSQL, run in the order of their names."""
