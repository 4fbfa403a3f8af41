"""Answers to "is it reachable?", from what the signed documents say. Standard library only."""
