"""What a run found, in figures and by name."""

import math
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence

from tools.mutants.crew import ROOT
from tools.mutants.memory import Memory
from tools.mutants.mutations import Mutation
from tools.mutants.trial import Outcome

__all__ = ["report"]

EQUIVALENT = ROOT / "tools/mutants/equivalent.toml"


def report(faults: Sequence[Mutation], memory: Memory, of: int) -> float:
    """Print what became of the faults, and tell the share that was noticed."""
    entries = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    explained = {entry["name"]: entry["why"] for entry in entries}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    remaining: list[tuple[Mutation, Outcome]] = []
    equivalent = 0
    for fault in faults:
        outcome = memory.get(fault) or Outcome("untested")
        module = str(fault.path.relative_to(ROOT)).partition("/src/")[2]
        counts[module][outcome.verdict] += 1
        if outcome.verdict in ("survived", "untested"):
            remaining.append((fault, outcome))
            equivalent += fault.name in explained
    print(f"\n{'module':44}{'mutants':>8}{'killed':>8}{'timed out':>11}{'survived':>10}{'untested':>10}")
    total: Counter[str] = Counter()
    for module, count in (*sorted(counts.items()), ("all", total)):
        total += count if count is not total else Counter()
        cells = (count.total(), count["killed"], count["timed out"], count["survived"], count["untested"])
        print(f"{module:44}{cells[0]:8}{cells[1]:8}{cells[2]:11}{cells[3]:10}{cells[4]:10}")
    for title, wanted in (("\nnoticed by no test:", False), ("\nequivalent, and why:", True)):
        listed = [(fault, outcome) for fault, outcome in remaining if (fault.name in explained) is wanted]
        if listed:
            print(title)
        for fault, outcome in listed:
            print(
                f"  {fault.path.relative_to(ROOT)}:{fault.lines.start} ({outcome.verdict})\n    {fault.name}"
            )
            if wanted:
                print(f"    {explained[fault.name]}")
    noticed = total["killed"] + total["timed out"]
    low, high = interval(noticed, len(faults))
    print(f"\n{noticed} of {len(faults)} are noticed: {noticed / len(faults):.1%}", end="")
    if len(faults) < of:
        print(f"; of all {of}, with 95 % confidence, {low:.1%} to {high:.1%}", end="")
    if equivalent:
        print(
            f"; without {equivalent} that change nothing: {noticed / (len(faults) - equivalent):.1%}", end=""
        )
    print()
    return noticed / len(faults)


def interval(hits: int, of: int) -> tuple[float, float]:
    """The share in all from which a sample was drawn, after Wilson, with 95 % confidence."""
    z = 1.96
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, min(1.0, middle + half)
