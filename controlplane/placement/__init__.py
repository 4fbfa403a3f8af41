"""Where things may be: the pure core decides, services claim, and nothing reaches a node without both."""
