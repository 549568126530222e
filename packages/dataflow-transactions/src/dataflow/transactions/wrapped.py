"""Nodes that run another node, and do something before or after it."""

from dataflow.nodes.contract import Node

__all__ = ["Wrapped"]


class Wrapped:
    """What such a node says of itself as the other one does; its outputs, and how it runs, it says by itself."""

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.database = node.database
        self.model = node.model
        self.waits = node.waits
        self.outside = node.outside
        self.may_write = node.may_write
        self.check = node.check
        self.missing = node.missing
        self.prepare = node.prepare
        self.repeatable = node.repeatable
        self._node = node
