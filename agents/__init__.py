"""What runs on or beside the hypervisor nodes: their protocol, their agent and the lab."""
