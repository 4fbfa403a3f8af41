"""Who asks: organizations, projects, users, their roles, API tokens. An Actor is the answer."""
