"""Storage clusters: Ceph clusters of zones, and what their storage agents report."""
