"""How much a project may use. Use is the sum over the rows of its live resources, never a counter."""
