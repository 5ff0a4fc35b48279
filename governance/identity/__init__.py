"""Who: departments, projects, bindings, people, roles, sign-in, API tokens."""
