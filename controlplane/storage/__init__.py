"""Volumes: disks with a life of their own."""
