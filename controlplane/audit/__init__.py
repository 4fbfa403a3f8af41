"""Audit: append-only entries of all actions, written in the transaction of the action, and the evidence log."""
