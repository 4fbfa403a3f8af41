"""What every process, of the control plane and of a node, shows those who run it. Knows neither of both."""
