"""Repairs of a text, each asked for by name, each told with counts and examples."""
