"""Existing databases: what is there, models of it, and a registry of those models."""
