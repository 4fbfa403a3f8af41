"""The agent of one hypervisor node: rpc (translate, authorise) → services (ensure, remove) → adapters."""

VERSION = "0.1.0"
