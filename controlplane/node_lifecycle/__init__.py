"""The life of nodes: drain, recovery and fencing, from the request to the reconciler. Rows are in nodes/models.py."""
