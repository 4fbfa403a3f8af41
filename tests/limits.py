"""How long a test waits for what has to come."""

# For a condition that is asked for again and again: no measure of speed, only the end of a test that has failed. Guests
# without KVM take most of a minute to boot on processors that others use too.
PATIENCE_S = 300
