"""Workflows: the graph of nodes, the paths into their outputs and the conditions of its edges."""
