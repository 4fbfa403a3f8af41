"""The edge of the agent: only this code talks to the hypervisor, to disk tools and to the network."""
