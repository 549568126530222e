"""Strict coercion by type: a value that a caller gave becomes the value to store, or is refused.

What is accepted is stored and read back equal, so whatever a database could bend is refused here. Each
coercer is made once, when a model is defined, of a rule: it tests for the usual value first, and leaves everything
else to a slower function. A refusal names the place and the types,
never the value; it is also raised outside of ``except`` blocks, since the errors of the standard library
quote the value.
"""

from dataflow.coercion.columns import coercer, shortcut
from dataflow.coercion.refusals import Coercer
from dataflow.coercion.rules import Shortcut

__all__ = ["Coercer", "Shortcut", "coercer", "shortcut"]
