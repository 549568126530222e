"""Names and texts within SQL, written so that nothing in them can be taken for anything else."""

__all__ = ["quoted", "quoted_text", "unquoted"]


def quoted(name: str) -> str:
    """A name of a table, a column or an index."""
    return '"' + name.replace('"', '""') + '"'


def unquoted(name: str) -> str:
    """A name as DuckDB writes it, in quotes where it needs them."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def quoted_text(text: str) -> str:
    """A text."""
    return "'" + text.replace("'", "''") + "'"
