"""Placement: the pure core decides, services claim, and no call reaches a node without both."""
