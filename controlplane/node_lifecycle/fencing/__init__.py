"""Fencing: evidence that a node is off, by its lease, its boot or its BMC (Redfish)."""
