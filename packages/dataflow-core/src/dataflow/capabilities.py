"""What a database can do, so that the core asks for a capability and never for a name."""

from enum import Enum

__all__ = ["Capability"]


class Capability(Enum):
    """Something that not every database can do.

    >>> Capability.NAN.value
    'nan'
    """

    NAN = "nan"
    """Floating-point columns store NaN."""

    INFINITY = "infinity"
    """Floating-point columns store infinities."""

    ARRAYS = "arrays"
    """A column holds a list whose elements are all of one type; without it such a list is stored as JSON."""

    PARTIAL_INDEXES = "partial_indexes"
    """An index can cover just the rows that meet a condition."""

    EMPTY_ROWS = "empty_rows"
    """A row of nothing but defaults is written ``VALUES ()``; without it, ``DEFAULT VALUES``."""

    UPDATE_JOIN = "update_join"
    """An UPDATE takes other rows in with JOIN; without it, with FROM."""

    LIMITED_WRITES = "limited_writes"
    """UPDATE and DELETE take a LIMIT; without it the keys of so many rows are asked for in a query within."""

    FORWARD_REFERENCES = "forward_references"
    """A foreign key can refer to a table that is made later; without it the key is added later, too."""

    REFERENTIAL_ACTIONS = "referential_actions"
    """What refers to a row can be deleted with it (``on_delete="cascade"``) or become null (``"set_null"``)."""

    KEY_ORDER = "key_order"
    """Dicts in JSON columns keep the order of their keys."""

    UPSERT = "upsert"
    """An INSERT can change the row that has the same key instead, for one unique key that it names."""

    UPSERT_OF_ANY_KEY = "upsert_of_any_key"
    """An INSERT can change the row that has the same key instead, whichever of the unique keys that is."""

    STATEMENT_ATOMICITY = "statement_atomicity"
    """A statement that fails is undone by itself, and its transaction goes on; without it a savepoint is set before,
    where there are any."""

    SAVEPOINTS = "savepoints"
    """A part of a transaction can be undone alone. Without it the failure of a part ends the whole, what needs more is
    refused when a workflow is built, and no bulk node sets bad rows aside."""

    DISCOVERY = "discovery"
    """It describes every table that is there, so that models can be made of them."""

    REPLICAS = "replicas"
    """It tells how far it is, so that a replica is read only if that has everything that must be seen."""

    CONCURRENT_WRITERS = "concurrent_writers"
    """Several transactions can write at the same time; without it DataFlow queues them, in order."""
