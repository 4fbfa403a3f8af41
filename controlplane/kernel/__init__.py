"""What every app stands on: errors, states, units, ids, time and the guarded writes. It knows no app."""
