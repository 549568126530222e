"""From statements to SQL: compiled once per shape, then found again."""
