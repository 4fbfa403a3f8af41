"""Tests of the agent's adapters over real libvirt."""
