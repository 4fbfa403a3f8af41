"""Drains: guests leave a node by a plan, and come back when it is over."""
