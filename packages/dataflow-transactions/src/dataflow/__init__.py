"""DataFlow: a class with type hints becomes a table and nine workflow nodes.

Every package of the ``dataflow`` family carries this same file in its source tree, so that each can be used
from a checkout; only dataflow-core ships it. It finds the plugins that are installed beside the core.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

from dataflow._api import *  # noqa: F403
from dataflow._api import __all__ as __all__
