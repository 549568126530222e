"""Sagas and two-phase commit for DataFlow."""
