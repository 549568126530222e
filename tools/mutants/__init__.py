"""Faults that are put into the code on purpose, to see whether a test notices; ``./dev mutants``."""
