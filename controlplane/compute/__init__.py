"""Instances, ssh keys, affinity groups, and what is plugged into instances."""
