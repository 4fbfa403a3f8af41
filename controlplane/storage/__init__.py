"""Volumes: disks that live on their own."""
