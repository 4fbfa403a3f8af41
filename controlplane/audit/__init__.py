"""Who did what: append-only records, written in the transaction of the deed."""
