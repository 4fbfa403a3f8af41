"""Organizations, projects, users, their roles, and API tokens. An Actor is an authenticated caller."""
