"""``./dev bench``: measure DataFlow beside the bare driver and its rivals."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.databases.contract import StoreOptions
from benchmarks.entries import Database, Entry
from benchmarks.footprint import Footprint, measure_footprints
from benchmarks.goals import goals
from benchmarks.layers import layers_of_work
from benchmarks.lineup import DATABASES
from benchmarks.measure import Effort, compare_answers, measure, seated
from benchmarks.outcome import Outcome, load, surroundings
from benchmarks.plot import svg
from benchmarks.report import markdown, text
from benchmarks.startup import measure_startup
from benchmarks.workloads import WORKLOADS, Workload

__all__ = ["main"]

FOOTPRINT, STARTUP, LAYERS = "footprint", "startup", "layers"
EXTRAS = (FOOTPRINT, STARTUP, LAYERS)
NAMES = (*(workload.name for workload in WORKLOADS), *EXTRAS)
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Pace:
    """How thorough a run is.

    :param said: what the report says about what is left out.
    :param skipped: names of what is not measured.
    :param starts: how often whatever begins in a process of its own is begun.
    :param sampled: seconds of the look at the layers, for each workload.
    :param bulk_rows: with how many rows memory is measured; None for not at all.
    """

    effort: Effort
    said: str
    skipped: frozenset[str] = frozenset()
    starts: int = 9
    sampled: float = 6.0
    bulk_rows: int | None = 100_000
    with_sizes: bool = True


FULL = Pace(Effort(4.0, least=5, bulk_rounds=3), "")
QUICK = Pace(
    Effort(0.8, least=3, bulk_rounds=1, share=0.2, bulk_share=0.05),
    "quick: few and smaller batches, in bulk one round with a twentieth of the rows; left out are "
    "list 1000 with 50 tasks, sizes on disk, the memory of a bulk, and the layers",
    frozenset({"list 1000, 50 tasks", LAYERS}),
    starts=2,
    bulk_rows=None,
    with_sizes=False,
)
TRIAL = Pace(
    Effort(0.0, least=1, bulk_rounds=1, share=0.02, bulk_share=0.0005),
    "trial: next to nothing of each, so that no figure means anything",
    starts=1,
    sampled=0.5,
    bulk_rows=10,
    with_sizes=False,
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    pace = TRIAL if options.trial else QUICK if options.quick else FULL
    database = DATABASES[options.database]
    workloads, extras = _chosen(options.only, pace, database)
    store_options = StoreOptions(options.synchronous, options.url)
    load_before = load()
    startup = None
    layers: Mapping[str, Mapping[str, float]] = {}
    footprints: Sequence[Footprint] = ()
    if FOOTPRINT in extras:
        _say(FOOTPRINT)
        footprints = measure_footprints(pace.starts, pace.bulk_rows, pace.with_sizes, store_options)
    if STARTUP in extras:
        _say(STARTUP)
        startup = measure_startup(pace.starts)
    entries = [entry for entry in database.entries if entry.is_installed()]
    with seated(database, store_options, entries if workloads else ()) as (seats, stores):
        described = stores.describe()
        if LAYERS in extras:
            _say(LAYERS)
            layers = layers_of_work(database, stores, pace.sampled)
        _say("checking that all contestants give the same answers")
        compare_answers(seats, workloads)
        measured = measure(seats, workloads, pace.effort, _say)
    outcome = Outcome(
        surroundings(database.package, described, entries, load_before),
        entries,
        measured,
        startup,
        footprints,
        layers,
        goals(database, measured, footprints),
        [*filter(None, [pace.said]), *filter(None, [_not_installed(database.entries)])],
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
    parser.add_argument("--quick", action="store_true", help="a minute, for a first impression")
    parser.add_argument("--trial", action="store_true", help="next to nothing of each: only whether it runs")
    parser.add_argument("--database", choices=sorted(DATABASES), default="sqlite")
    parser.add_argument(
        "--synchronous",
        choices=("full", "normal", "off"),
        default="normal",
        help="SQLite's setting, for all contestants; with full, a commit waits for the disk",
    )
    parser.add_argument(
        "--url",
        help="a server of PostgreSQL or MySQL; else one is started for the run",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"only what has this in its name; may be repeated: {', '.join(NAMES)}",
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


def _names(database: Database) -> Sequence[str]:
    return [name for name in NAMES if name not in EXTRAS or name in database.extras]


def _chosen(
    only: Sequence[str] | None, pace: Pace, database: Database
) -> tuple[Sequence[Workload], Sequence[str]]:
    """What is measured; what is asked for by name is not skipped."""
    there = _names(database)
    names = [
        name for name in there if (any(word in name for word in only) if only else name not in pace.skipped)
    ]
    if not names:
        raise SystemExit(f"./dev bench: --only matches nothing; there are {', '.join(there)}")
    return [workload for workload in WORKLOADS if workload.name in names], names


def _not_installed(entries: Sequence[Entry]) -> str:
    packages = sorted({one.name for entry in entries for one in entry.needs if not one.is_installed})
    if not packages:
        return ""
    return f"not installed, so not compared: {', '.join(packages)}; ./dev bench installs them by itself"


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
