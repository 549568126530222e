"""JSON documents as the texts that databases hold: written and read by the shortest way of the standard library.

>>> write_json({"a": [1, None]})
'{"a":[1,null]}'
>>> read_json('{"a":[1,null]}')
{'a': [1, None]}
"""

import json
from collections.abc import Callable
from typing import Any

__all__ = ["read_json", "write_json"]


def _writer() -> Callable[[Any], str]:
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
    # ``JSONEncoder.encode`` makes the encoder in C anew for each document, which takes longer than to use it.
    chunks = make(None, None, json.encoder.encode_basestring, None, ":", ",", False, False, True)
    return lambda value: "".join(chunks(value, 0))


write_json: Callable[[Any], str] = _writer()
"""The text of a document that was checked: without a circle, and no deeper than a hundred levels."""

_decoder: Any = json.JSONDecoder()
# A function in C, where ``raw_decode`` is one in Python that calls it.
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once


def read_json(text: str) -> Any:
    """The document of a text.

    :raises ValueError: where it is no JSON.
    """
    # What we wrote has no spaces around it, for which json.loads would look.
    try:
        document, end = _scan(text, 0)
    except (StopIteration, ValueError):
        return json.loads(text)
    return document if end == len(text) else json.loads(text)
