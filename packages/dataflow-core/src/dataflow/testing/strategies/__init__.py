"""Hypothesis strategies that know no dialect: the same seeds make the same data for every database."""
