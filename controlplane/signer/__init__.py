"""The signer process: the only holder of the keys that permits and floors are signed with. It decides again, from the
database alone, before it signs; what comes over its queue is a hint."""
