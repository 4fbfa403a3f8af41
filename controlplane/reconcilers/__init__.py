"""Reconcilers: one file per kind of difference.

A reconciler takes no arguments: it compares the desired with the observed state, and repairs or reports differences.
"""
