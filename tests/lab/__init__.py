"""Of the lab itself."""
