"""A workflow as a Mermaid flowchart."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataflow.workflow.graph import Edge, Workflow

__all__ = ["draw"]


def draw(workflow: "Workflow") -> str:
    """Draw the nodes in the order in which they run, and the connections: dotted where they depend on a condition."""
    names = {step.id: f"n{number}" for number, step in enumerate(workflow.steps, start=1)}
    lines = ["flowchart TD"]
    for step in workflow.steps:
        left, right = ("[(", ")]") if step.node.database is not None else ("[", "]")
        lines.append(f'    {names[step.id]}{left}"{_text(step.id)}<br/>{_text(step.node.name)}"{right}')
    for edge in workflow.edges:
        lines.append(f"    {names[edge.source]} {_arrow(edge)} {names[edge.target]}")
    return "\n".join(lines)


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
