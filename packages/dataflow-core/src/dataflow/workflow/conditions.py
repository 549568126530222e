"""The conditions of edges: a small, safe expression language over the output of the source.

``status == 'failed'`` · ``count > 0 and record.status != "paid"`` · ``sum >= 10.5 or name in ('Ann', 'Jo')``

- ``status`` is the node's own outcome, ``success`` or ``failed``; a column of that name is ``record.status``.
- Values are numbers, texts in either quotes, ``true``, ``false``, ``null`` (or ``None``) and dotted paths.
- Tests are ``== != < <= > >=``, ``in`` and ``not in`` a list of values (or what a path leads to: a list,
  a text, the keys of a mapping), and a path alone. They are joined by ``not``, ``and``, ``or``, in this order
  of binding, and parentheses. Words may be in either case. Nothing is called and nothing calculated.
- Logic has two values, as in filters. What is missing is null. Null equals null only and is neither less nor
  greater than anything. A path alone holds unless its value is null, false, zero or empty.
- An Enum counts as its value; a text beside a date, a time or a UUID is read as one; a datetime without a
  zone is in UTC. Other values of unlike types are unequal, and to put them in an order is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataflow.errors import WorkflowError
from dataflow.workflow.comparisons import Test, Unlike
from dataflow.workflow.condition_reader import parse_condition

__all__ = ["Condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of an edge, read once and tested at every run.

    :param text: the condition as it was written.
    :param names: the outputs that it uses, ``status`` among them.
    """

    text: str
    names: frozenset[str]
    _test: Test = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        :raises WorkflowError: where it cannot be understood; the message marks the place.

        >>> sorted(Condition.parse("count > 0 and record.status != 'paid'").names)
        ['count', 'record']
        """
        test, names = parse_condition(text)
        return cls(text, names, test)

    def holds(self, status: str, output: Mapping[str, object]) -> bool:
        """Tell whether the edge is taken.

        :param status: the outcome of the source, "success" or "failed".
        :param output: what the source returned.
        :raises WorkflowError: where values of unlike types would have to be put in an order.

        >>> Condition.parse("result.0.total >= 10.5").holds("success", {"result": [{"total": 12}]})
        True
        """
        try:
            return self._test.holds(status, output)
        except Unlike as error:
            raise WorkflowError(f"condition {self.text!r}: {error}") from None
        except Exception as error:  # an output may hold any object, and comparing it may raise anything
            problem = f"condition {self.text!r} cannot be tested: {type(error).__name__}"
            raise WorkflowError(problem) from error

    def possible(self, status: str) -> bool:
        """Tell whether it can hold after this outcome, whatever the output may be.

        >>> Condition.parse("status == 'failed' and count > 0").possible("success")
        False
        """
        return self._test.known(status) is not False
