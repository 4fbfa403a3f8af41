"""Workflows of operations: engine.py runs the steps, one file per kind lists them."""
