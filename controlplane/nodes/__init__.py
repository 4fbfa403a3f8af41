"""Nodes: enrolment, certificates, inventory, heartbeats, cordon, and calls to their agents."""
