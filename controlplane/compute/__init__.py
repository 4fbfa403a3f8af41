"""Instances, ssh keys, affinity groups, and attachments of volumes."""
