"""Of the SDK and the command line."""
