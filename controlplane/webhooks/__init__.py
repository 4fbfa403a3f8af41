"""Webhooks: a project's events, sent to a server that the project names."""
