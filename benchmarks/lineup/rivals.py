"""What the lists of all databases have in common."""

from benchmarks.entries import Entry, Group, Package

__all__ = ["CONTESTANTS", "DJANGO", "PEEWEE", "PICCOLO", "SQLALCHEMY", "TORTOISE", "rival"]

CONTESTANTS = "benchmarks.contestants"
DJANGO = Package("django", "django")
PEEWEE = Package("peewee", "peewee")
PICCOLO = Package("piccolo", "piccolo")
SQLALCHEMY = Package("sqlalchemy", "sqlalchemy")
TORTOISE = Package("tortoise-orm", "tortoise")


def rival(name: str, title: str, group: Group, made_by: str, *needs: Package, share: float = 1.0) -> Entry:
    return Entry(name, title, group, f"{CONTESTANTS}.{made_by}", needs, is_rival=True, share=share)
