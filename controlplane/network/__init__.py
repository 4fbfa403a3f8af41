"""Projects' networks, their subnets, and the ports of instances. Addresses are assigned here."""
