"""Plain Python that says what a database must answer."""
