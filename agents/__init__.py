"""Code that runs on the hypervisor nodes or for them: the agent protocol, the agent and the lab."""
