"""Events: the outbox, written in the transaction of each change, and the feed that is read from it."""
