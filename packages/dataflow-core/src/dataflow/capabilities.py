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

    UPSERT = "upsert"
    """An INSERT can change the row that has the same key instead, for one unique key that it names."""

    CONCURRENT_WRITERS = "concurrent_writers"
    """Several transactions can write at the same time; without it DataFlow queues them, in order."""
