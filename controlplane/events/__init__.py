"""What has happened, for whoever wants to know: the outbox, written with the change, and the feed that is read from
it."""
