"""``./dev bench``: measure DataFlow beside the bare driver."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.entries import DATABASES
from benchmarks.layers import layers_of_a_read
from benchmarks.measure import Effort, compare_answers, measure, places
from benchmarks.outcome import Outcome, load, surroundings
from benchmarks.plot import svg
from benchmarks.promises import promises
from benchmarks.report import markdown, text
from benchmarks.startup import measure_startup
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["main"]

STARTUP = "startup"
LAYERS = "layers"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

FULL = Effort(8.0, least=9)
QUICK = Effort(0.45, least=2)
TRIAL = Effort(0.0, least=1, share=0.02)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    workloads, extras = _chosen(options.only)
    effort = TRIAL if options.trial else QUICK if options.quick else FULL
    load_before = load()
    hurried = options.quick or options.trial
    startup = layers = None
    if STARTUP in extras:
        _say(STARTUP)
        startup = measure_startup(1 if options.trial else 3 if hurried else 9)
    if LAYERS in extras:
        _say(LAYERS)
        layers = layers_of_a_read(0.05 if options.trial else 1.0 if hurried else 6.0)
    with places(options.database, options.synchronous) as (contestants, described):
        _say("checking that all contestants give the same answers")
        compare_answers(contestants)
        measured = measure(contestants, workloads, effort, _say)
    outcome = Outcome(
        surroundings(described, load_before),
        DATABASES[options.database].entries,
        measured,
        startup,
        layers or {},
        promises(measured),
    )
    _say("")
    print(text(outcome), end="")
    if options.json:
        options.json.write_text(json.dumps(outcome.as_json(), indent=1) + "\n", encoding="utf-8")
    if options.plot:
        options.plot.write_text(svg(outcome), encoding="utf-8")
    if options.markdown:
        _put(options.markdown, markdown(outcome))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 seconds, for a first impression")
    parser.add_argument("--trial", action="store_true", help="next to nothing of each: only whether it runs")
    parser.add_argument("--database", choices=sorted(DATABASES), default="sqlite")
    parser.add_argument(
        "--synchronous",
        choices=("full", "normal", "off"),
        default="normal",
        help="SQLite's setting, for all contestants; with full, a commit waits for the disk",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"only what has this in its name; may be repeated: {', '.join(_names())}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything, every batch too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture, as SVG")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write tables; in a file that has the marks, only what is between them",
    )
    return parser


def _names() -> Sequence[str]:
    return [*(workload.name for workload in WORKLOADS), STARTUP, LAYERS]


def _chosen(only: Sequence[str] | None) -> tuple[Sequence[Workload], Sequence[str]]:
    names = [name for name in _names() if not only or any(word in name for word in only)]
    if not names:
        raise SystemExit(f"./dev bench: --only matches nothing; there are {', '.join(_names())}")
    return [workload for workload in WORKLOADS if workload.name in names], names


def _put(file: Path, content: str) -> None:
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    file.write_text(
        f"{before}{BEGIN}\n\n{content}\n{END}{after}" if begin and end else content, encoding="utf-8"
    )


def _say(what: str) -> None:
    """Progress, on one line that changes; nothing where nobody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
