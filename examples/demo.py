"""What DataFlow does, in three sales of a record shop: ``./dev demo``, or ``python examples/demo.py``.

The models and the workflows are in ``shop.py``; this program runs them, tells what happened and checks what
it tells. A claim that does not hold ends it with an error.
"""

import argparse
import inspect
import io
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

from shop import Track, forgiving_sale, open_shop, sale
from tables import bold, dim, green, table

from dataflow import DataFlow, LocalRuntime
from dataflow.errors import ForeignKeyViolation, WorkflowExecutionError

CHINOOK = Path(__file__).resolve().parent / "chinook" / "Chinook_Sqlite.sqlite"
WIDTH = min(100, shutil.get_terminal_size((100, 24)).columns)

LEONIE = 2
TRACKS = [2819, 3450, 3451]
NO_SUCH_TRACK = 9999

runtime = LocalRuntime()


def main() -> None:
    parser = argparse.ArgumentParser(description="What DataFlow does, in three sales of a record shop.")
    parser.add_argument("--keep", metavar="PATH", type=Path, help="keep the changed database here")
    with a_copy_of_chinook(parser.parse_args().keep) as path, open_shop(path) as db:
        before = schema(path)
        headline("DataFlow, in three sales of a record shop")
        say(
            "Chinook is the database of a record shop, with tables that somebody else made. The classes of "
            "examples/shop.py say which of their columns matter here, and each class becomes workflow nodes: "
            "of the one below, TrackReadNode, TrackListNode and so on. They work on a copy of the shop."
        )
        show(inspect.getsource(Track))
        sell(db, path)
        fail_half_way(db, path)
        recover(db, path)
        print()
        confirm("three sales later the schema is what it was, to the letter", schema(path) == before)


def sell(db: DataFlow, path: Path) -> None:
    headline("1. A sale is one graph, and its run is one transaction")
    say(
        "Leonie Köhler buys three tracks. The workflow reads her and them, writes an invoice and its lines, "
        "adds up what was stored, puts the total on the invoice and lists what she bought before."
    )
    workflow = sale(db, LEONIE, TRACKS).build()

    say("The graph, as Mermaid draws it (workflow.to_mermaid()):")
    show(workflow.to_mermaid())
    say("What a run would do, before anything runs (workflow.explain()):")
    show(str(workflow.explain()))

    results, _ = runtime.execute(workflow)

    customer, bill = results["customer"], results["bill"]
    say(f"The run. Invoice {bill['invoice_id']} for {customer['first_name']} {customer['last_name']}:")
    print(table(results["tracks"]["records"], name="Track", composer="Composer", unit_price="Price"))
    say("Her invoices, newest first:")
    print(table(results["history"]["records"], invoice_id="Invoice", placed_at="Date", total="Total"))
    print()
    confirm(f"the total is {bill['total']}, exact to the cent", str(bill["total"]) == "3.97")
    confirm("the new invoice is the first of her list", results["history"]["records"][0] == bill["record"])
    confirm("sqlite3 sees three lines and that total", stored(path, bill["invoice_id"]) == (3, 3.97))
    print(dim(f"  {len(results)} nodes in {1000 * results['execution_time']:.1f} ms"))


def fail_half_way(db: DataFlow, path: Path) -> None:
    headline("2. What fails half-way leaves nothing behind")
    say(
        f"The next sale comes with a bonus track, but somebody mistyped its number: there is no track "
        f"{NO_SUCH_TRACK}. When the database refuses the lines, the invoice has been written."
    )
    before = counts(path)
    try:
        runtime.execute(sale(db, LEONIE, TRACKS, bonus=NO_SUCH_TRACK).build())
    except WorkflowExecutionError as error:
        failure = error
    else:
        raise SystemExit("✗ the sale of a track that does not exist went through")
    after = counts(path)

    say(f"{type(failure).__name__}: {failure}")
    print()
    rows = [{"table": name, "before": before[name], "after": after[name]} for name in before]
    print(table(rows, table="Rows in", before="Before", after="After"))
    print()
    confirm("the invoice had been written, and was rolled back", failure.rolled_back == ("invoice",))
    confirm("nothing of the sale stayed", after == before)
    confirm("the cause can be caught by its type", isinstance(failure.cause, ForeignKeyViolation))
    confirm("the message holds no value, so it may be logged", str(NO_SUCH_TRACK) not in str(failure))


def recover(db: DataFlow, path: Path) -> None:
    headline("3. A failure can have an edge of its own")
    say(
        "The same sale with the same mistake, but now the graph has a way out: \"status == 'failed'\" leads "
        "from the lines to an apology, and on to the lines without the bonus. The lines run in a savepoint, "
        "so that their failure undoes them and not the invoice."
    )
    workflow = forgiving_sale(db, LEONIE, TRACKS, bonus=NO_SUCH_TRACK).build()
    results, _ = runtime.execute(workflow)

    steps = [{"id": step.id, "outcome": outcome(results.get(step.id))} for step in workflow]
    print()
    print(table(steps, id="Node", outcome="Outcome"))
    say(results["apology"]["result"])
    print()
    invoice = results["bill"]["invoice_id"]
    confirm(f"invoice {invoice} has its three lines and its total", stored(path, invoice) == (3, 3.97))
    confirm("the failure is in the results", results["lines"]["error_type"] == "ForeignKeyViolation")
    print(dim(f"  {len(results)} nodes in {1000 * results['execution_time']:.1f} ms"))


# ------------------------------------------------------------------------------ what is seen from outside


@contextmanager
def a_copy_of_chinook(keep: Path | None) -> Iterator[Path]:
    """Copy the database to where it may be changed; without a place to keep it, it is gone at the end."""
    if keep is None:
        with TemporaryDirectory(prefix="dataflow-demo-") as folder:
            yield Path(shutil.copyfile(CHINOOK, Path(folder) / "shop.sqlite"))
    elif keep.exists():
        raise SystemExit(f"demo: {keep} exists; name a file that does not, or delete it")
    else:
        yield Path(shutil.copyfile(CHINOOK, keep.resolve()))


def ask(path: Path, sql: str, *values: object) -> list[tuple[str | int | float, ...]]:
    """Ask Python's own sqlite3, which knows nothing of DataFlow."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def schema(path: Path) -> list[tuple[str | int | float, ...]]:
    return ask(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid")


def counts(path: Path) -> dict[str, int]:
    return {name: int(ask(path, f"SELECT count(*) FROM {name}")[0][0]) for name in ("Invoice", "InvoiceLine")}


def stored(path: Path, invoice: int) -> tuple[str | int | float, ...]:
    """How many lines an invoice has, and its total."""
    lines = "SELECT count(*) FROM InvoiceLine WHERE InvoiceLine.InvoiceId = Invoice.InvoiceId"
    return ask(path, f"SELECT ({lines}), Total FROM Invoice WHERE InvoiceId = ?", invoice)[0]


# ------------------------------------------------------------------------------------------------ telling


def headline(words: str) -> None:
    print(f"\n{bold(words)}\n{bold('═' * len(words))}")


def say(sentence: str) -> None:
    print(f"\n{fill(sentence, WIDTH)}")


def show(block: str) -> None:
    """A block of text as it is; only what is too long goes on in the next line."""
    print()
    for line in block.splitlines():
        margin = " " * (2 + len(line) - len(line.lstrip()))
        print(dim(fill(line.strip(), WIDTH, initial_indent=margin, subsequent_indent=margin)))


def outcome(output: Mapping[str, object] | None) -> str:
    """What became of a node: one that was skipped is absent from the results."""
    if output is None:
        return "skipped"
    return f"failed: {output['error_type']}" if "error_type" in output else "done"


def confirm(claim: str, holds: bool) -> None:
    """Say what is true; where it is not, end with an error."""
    if not holds:
        raise SystemExit(f"✗ this does not hold: {claim}")
    print(f"  {green('✓')} {claim}")


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ shows ? instead
    main()
