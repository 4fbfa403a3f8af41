"""The contract of control plane and agents: agent.proto and the stubs made from it by `make protocol`."""
