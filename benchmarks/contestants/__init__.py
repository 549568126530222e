"""Who takes part: each contestant a class, each way to do the same work a module."""
