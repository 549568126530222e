"""A workflow as a Mermaid flowchart."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dataflow.workflow.graph import Edge, Step, Workflow

__all__ = ["draw"]


def draw(workflow: "Workflow") -> str:
    """Draw the nodes in the order in which they run, and the connections: dotted where they depend on a condition."""
    names = {step.id: f"n{number}" for number, step in enumerate(workflow.steps, start=1)}
    lines = ["flowchart TD"]
    for step in workflow.block.steps:
        lines += _drawn(step, names)
    for edge in workflow.edges:
        lines.append(f"    {names[edge.source]} {_arrow(edge)} {names[edge.target]}")
    return "\n".join(lines)


def _drawn(step: "Step", names: "Mapping[str, str]") -> "Iterator[str]":
    """A node, and around those of its scope a frame."""
    left, right = ("[(", ")]") if step.node.database is not None else ("[", "]")
    name = names[step.id]
    yield f'    {name}{left}"{_text(step.id)}<br/>{_text(step.node.name)}"{right}'
    if step.block is not None:
        yield f'    subgraph {name}s["{_text(step.id)}"]'
        for inner in step.block.steps:
            yield from (f"    {line}" for line in _drawn(inner, names))
        yield "    end"


def _arrow(edge: "Edge") -> str:
    words = []
    if edge.input is not None:
        output = str(edge.output)
        words.append(output if output == edge.input else f"{output} → {edge.input}")
    if edge.condition is not None:
        words.append(edge.condition.text)
    line = "-.->" if edge.condition is not None else "-->"
    return f'{line}|"{_text(" if ".join(words))}"|' if words else line


def _text(text: str) -> str:
    """Text between quotes, where Mermaid reads ``#34;`` as a character and some others as marks."""
    return "".join(character if character not in MARKS else f"#{ord(character)};" for character in text)


MARKS = frozenset('"#<>&`|\\\n\r{}[]')
