"""Of the agent's adapters over real libvirt."""
