"""Projects' networks, their subnets, and the ports by which instances are on them. Addresses are given here."""
