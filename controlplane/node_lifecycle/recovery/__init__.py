"""Recovery: guests of a fenced node are evacuated by a plan."""
