"""Webhooks: a project's events, sent to a server of its own."""
