"""Nodes: what a workflow is made of."""
