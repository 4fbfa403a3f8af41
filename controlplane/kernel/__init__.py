"""Base layer of every app: errors, states, units, ids, time and guarded writes. It imports no app."""
