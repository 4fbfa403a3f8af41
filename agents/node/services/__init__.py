"""What the agent does: idempotent ensure and remove per kind, over the ledger and the adapters."""
