"""What DataFlow does, in three sales of a record shop: ``./dev demo``, or ``python examples/demo.py``.

The models and the workflows are in ``shop.py``; this program runs them, tells what happened and checks what
it tells. A claim that does not hold ends it with an error.
"""

import argparse
import inspect
import io
import shutil
import sys
from collections.abc import Mapping
from textwrap import fill

from copies import Copy, Refused, a_copy_of_chinook
from shop import Track, forgiving_sale, open_shop, sale
from tables import bold, dim, green, table

from dataflow import DataFlow, LocalRuntime
from dataflow.errors import ForeignKeyViolation, WorkflowExecutionError

WIDTH = min(100, shutil.get_terminal_size((100, 24)).columns)

LEONIE = 2
TRACKS = [2819, 3450, 3451]
NO_SUCH_TRACK = 9999

runtime = LocalRuntime()


def main() -> None:
    parser = argparse.ArgumentParser(description="What DataFlow does, in three sales of a record shop.")
    parser.add_argument(
        "--database", metavar="URL", help="work on this server of PostgreSQL, MySQL or MariaDB"
    )
    parser.add_argument(
        "--keep", metavar="NAME", help="keep the changed database: its file, or its name on the server"
    )
    given = parser.parse_args()
    try:
        with a_copy_of_chinook(given.database, given.keep) as copy:
            tell(copy)
    except Refused as refusal:
        raise SystemExit(f"demo: {refusal}") from None


def tell(copy: Copy) -> None:
    with open_shop(copy.url) as db:
        before = copy.schema()
        headline("DataFlow, in three sales of a record shop")
        say(
            "Chinook is the database of a record shop, with tables that somebody else made. The classes of "
            "examples/shop.py say which of their columns matter here, and each class becomes workflow nodes: "
            "of the one below, TrackReadNode, TrackListNode and so on. They work on a copy of the shop."
        )
        show(inspect.getsource(Track))
        sell(db, copy)
        fail_half_way(db, copy)
        recover(db, copy)
        print()
        confirm("three sales later the schema is what it was, to the letter", copy.schema() == before)


def sell(db: DataFlow, copy: Copy) -> None:
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
    confirm(
        "the driver by itself sees three lines and that total",
        stored(copy, bill["invoice_id"]) == (3, "3.97"),
    )
    print(dim(f"  {len(results)} nodes in {1000 * results['execution_time']:.1f} ms"))


def fail_half_way(db: DataFlow, copy: Copy) -> None:
    headline("2. What fails half-way leaves nothing behind")
    say(
        f"The next sale comes with a bonus track, but somebody mistyped its number: there is no track "
        f"{NO_SUCH_TRACK}. When the database refuses the lines, the invoice has been written."
    )
    before = counts(copy)
    try:
        runtime.execute(sale(db, LEONIE, TRACKS, bonus=NO_SUCH_TRACK).build())
    except WorkflowExecutionError as error:
        failure = error
    else:
        raise SystemExit("✗ the sale of a track that does not exist went through")
    after = counts(copy)

    say(f"{type(failure).__name__}: {failure}")
    print()
    rows = [{"table": name, "before": before[name], "after": after[name]} for name in before]
    print(table(rows, table="Rows in", before="Before", after="After"))
    print()
    confirm("the invoice had been written, and was rolled back", failure.rolled_back == ("invoice",))
    confirm("nothing of the sale stayed", after == before)
    confirm("the cause can be caught by its type", isinstance(failure.cause, ForeignKeyViolation))
    confirm("the message holds no value, so it may be logged", str(NO_SUCH_TRACK) not in str(failure))


def recover(db: DataFlow, copy: Copy) -> None:
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
    confirm("the invoice has its three lines and its total", stored(copy, invoice) == (3, "3.97"))
    confirm("the failure is in the results", results["lines"]["error_type"] == "ForeignKeyViolation")
    print(dim(f"  {len(results)} nodes in {1000 * results['execution_time']:.1f} ms"))


# ------------------------------------------------------------------------------ what is seen from outside


def counts(copy: Copy) -> dict[str, int]:
    return {name: copy.ask(f'SELECT count(*) FROM "{name}"')[0][0] for name in ("Invoice", "InvoiceLine")}


def stored(copy: Copy, invoice: int) -> tuple[int, str]:
    """How many lines an invoice has, and its total."""
    lines = copy.ask(f'SELECT count(*) FROM "InvoiceLine" WHERE "InvoiceId" = {invoice:d}')
    total = copy.ask(f'SELECT "Total" FROM "Invoice" WHERE "InvoiceId" = {invoice:d}')
    return lines[0][0], f"{total[0][0]:.2f}"


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
