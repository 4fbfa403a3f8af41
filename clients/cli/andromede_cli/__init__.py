"""The command line of Andromède."""
