"""The ledger's schema, step by step. A script that was once released is never edited."""
