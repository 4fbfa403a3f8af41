"""Of a whole cloud with real guests."""
