"""The ids of runs: unique over processes and machines, at the price of a counter."""

import os
from itertools import count

__all__ = ["new_run_id"]


class _Ids:
    """Numbers behind a random prefix, which each process makes for itself."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.prefix = os.urandom(12).hex()
        self.numbers = count(1)


_ids = _Ids()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.renew)


def new_run_id() -> str:
    """An id of 32 hexadecimal digits.

    >>> len(new_run_id()), new_run_id() == new_run_id()
    (32, False)
    """
    return f"{_ids.prefix}{next(_ids.numbers):08x}"
