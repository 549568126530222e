"""The conformance suite: what every dialect must show, a module for each topic."""
