"""The evidence log without a database: Merkle trees, signed notes, records, and the verification of exports."""
