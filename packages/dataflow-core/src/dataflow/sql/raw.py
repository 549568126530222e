"""SQL of the user's own: one statement, values bound to ``:names``, no way around the transaction."""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol

from sqlglot.dialects.dialect import Dialect as Grammar
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from dataflow.abc import Dialect
from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, MissingValue, UnknownName, ValidationError
from dataflow.sql.compiled import Compiled
from dataflow.sql.locks import takes_locks
from dataflow.sql.sessions import outlasts
from dataflow.sql.values import type_of_value
from dataflow.types import is_storable_text

__all__ = ["RawShape", "compile_raw", "encode_parameters", "read_sql"]

# Words that would end or escape the transaction of the run, or change the session under it.
FORBIDDEN = frozenset(
    [
        "abort",
        "attach",
        "begin",
        "commit",
        "copy",
        "detach",
        "end",
        "execute",
        "lock",
        "prepare",
        "pragma",
        "release",
        "reset",
        "rollback",
        "savepoint",
        "set",
        "start",
        "unlock",
        "use",
        "vacuum",
    ]
)


# What begins with one of these words, and holds none of those tokens, only reads. Whatever is in doubt may write.
READING = frozenset({"select", "values", "with", "explain"})
WRITING = frozenset(
    {TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.REPLACE, TokenType.MERGE, TokenType.INTO}
)
CODE = ("!", "M!")
"""How a comment begins that is none to MySQL and MariaDB."""

# What begins with one of these words leaves the schema as it is, unless it says more. Whatever is in doubt may not.
KEEPING = frozenset(
    {"select", "values", "with", "table", "insert", "update", "delete", "replace", "merge", "show"}
)
DESCRIBING = frozenset({"explain", "describe", "desc"})
DESCRIBED_TOO = frozenset({"create", "execute", "declare"})
"""What else a statement can be that is explained, and so run where that is asked for."""

INSERTING = frozenset({"insert", "replace", "merge"})
MODIFIERS = frozenset(
    {"ignore", "low_priority", "high_priority", "delayed", "or", "abort", "fail", "rollback"}
)
"""What may stand between such a word and INTO."""

UNNAMED = frozenset({TokenType.PLACEHOLDER, TokenType.PARAMETER})


class _Token(Protocol):
    """A token of sqlglot, as far as it matters here."""

    token_type: TokenType
    text: str
    start: int
    end: int
    comments: list[str]


class RawShape(NamedTuple):
    """What is known of the SQL without running it.

    :param pieces: the text between the parameters.
    :param names: the parameters, in the order of the text.
    :param writes: whether it may write, or lock.
    :param keeps_schema: whether it makes, changes and drops no table, index or the like, as far as its words tell.
    :param outlasts: whether it may leave something in the session that outlasts the transaction.
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    writes: bool
    keeps_schema: bool
    outlasts: bool


@lru_cache(maxsize=512)
def read_sql(grammar: str, sql: str) -> RawShape:
    """Find the parameters, and refuse what a run must not send.

    :raises ValidationError: for several statements, none, or one that controls transactions or the session.
    """
    if not is_storable_text(sql):
        raise InvalidValue("SQLNode sql: the text holds NUL or half of a surrogate pair")
    tokens = _tokens(grammar, sql)
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise ValidationError("SQLNode: the sql is empty")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise ValidationError("SQLNode: one statement per node; add a node for each")
    word = tokens[0].text.lower()
    if word in FORBIDDEN:
        raise ValidationError(f"SQLNode: {word.upper()} is not allowed: the run has its own transaction")
    if any(comment.startswith(CODE) and f"/*{comment}" in sql for one in tokens for comment in one.comments):
        raise ValidationError(
            "SQLNode: a comment such as /*! ... */ is SQL to MySQL; write it without the comment's marks"
        )
    pieces, names, position = [], [], 0
    for token, following in zip_longest(tokens, tokens[1:]):
        if token.token_type is TokenType.COLON and following is not None and _names(token, following):
            pieces.append(sql[position : token.start])
            names.append(following.text)
            position = following.end + 1
        elif token.token_type in UNNAMED or (
            token.token_type is TokenType.VAR and token.text.startswith("$")
        ):
            raise ValidationError("SQLNode: bind values to names, such as :name, and give them in parameters")
    pieces.append(sql[position : tokens[-1].end + 1])
    words = [token.text.lower() for token in tokens]
    writes = word not in READING or any(token.token_type in WRITING for token in tokens) or takes_locks(words)
    return RawShape(tuple(pieces), tuple(names), writes, _keeps_schema(tokens, words), outlasts(words))


def _keeps_schema(tokens: Sequence[_Token], words: Sequence[str]) -> bool:
    """Whether a statement is of a kind that leaves the schema alone, and puts no rows INTO a table that it makes."""
    if words[0] in DESCRIBING:
        return _described(words[1:]) not in DESCRIBED_TOO and _makes_no_table(tokens, words)
    return words[0] in {"(", *KEEPING} and _makes_no_table(tokens, words)


def _described(words: Sequence[str]) -> str:
    """The word with which the statement begins that is explained: behind all options, and outside of parentheses."""
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word in KEEPING | DESCRIBED_TOO:
            return word
    return ""


def _makes_no_table(tokens: Sequence[_Token], words: Sequence[str]) -> bool:
    """Whether each INTO is that of an INSERT, and none that of a SELECT."""
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.INTO:
            before = next((word for word in reversed(words[:place]) if word not in MODIFIERS), "")
            if before not in INSERTING:
                return False
    return True


def _names(colon: _Token, name: _Token) -> bool:
    return name.start == colon.end + 1 and name.text.isidentifier()


def compile_raw(dialect: Dialect, sql: str) -> Compiled:
    """Put the dialect's placeholders where the names are."""
    pieces, names, *_ = read_sql(dialect.grammar, sql)
    text = dialect.verbatim(pieces[0]) + "".join(
        dialect.placeholder(position) + dialect.verbatim(piece)
        for position, piece in enumerate(pieces[1:], start=1)
    )
    return Compiled(text, names=names)


def encode_parameters(
    dialect: Dialect, names: tuple[str, ...], parameters: Mapping[str, object]
) -> list[Any]:
    """The values for the placeholders.

    :raises ValidationError: where one is missing, too many, or of a type that cannot be bound.
    """
    for name in parameters:
        if name not in names:
            raise UnknownName("parameter", name, "the SQL of the SQLNode", names)
    return [_encode(dialect, name, parameters) for name in names]


def _encode(dialect: Dialect, name: str, parameters: Mapping[str, object]) -> Any:
    if name not in parameters:
        raise MissingValue(f"SQLNode: the parameter :{name} has no value")
    value = parameters[name]
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    type_ = type_of_value(value, f"SQLNode: :{name}")
    encode = dialect.codec(type_).encode
    coerced = coercer(type_, False, f"SQLNode :{name}")(value)
    return coerced if encode is None else encode(coerced)


def _tokens(grammar: str, sql: str) -> list[_Token]:
    tokenize = Grammar.get_or_raise(grammar).tokenize
    try:
        tokens: list[_Token] = list(tokenize(sql))
        if tokens and tokens[0].token_type is TokenType.COMMAND:
            # What follows CALL and its like would be one token, and the names in it not found.
            end = tokens[0].end + 1
            tokens[1:] = tokenize(" " * end + sql[end:])
    except SqlglotError:
        # Its message quotes the text, which may hold what was pasted into it.
        raise ValidationError("SQLNode: the sql cannot be read: an unclosed quote or comment?") from None
    return tokens
