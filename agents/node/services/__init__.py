"""Services of the agent: idempotent ensure and remove per kind, over the state store and the adapters."""
