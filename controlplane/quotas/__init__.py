"""Quotas of projects and organizations. Usage is the sum over the rows of live resources, never a counter."""
