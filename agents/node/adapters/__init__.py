"""Adapters of the agent: only this code calls the hypervisor, disk tools and network tools."""
