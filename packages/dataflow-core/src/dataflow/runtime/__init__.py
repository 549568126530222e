"""Running workflows, from threads and from event loops."""
