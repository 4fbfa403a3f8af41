"""The protocol of control plane and agents: agent.proto and the stubs that `make protocol` builds."""
