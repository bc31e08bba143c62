"""``python -m tests.upgrades [NAME …]``: run cases, and print how each release ended and whether that is right."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path

from tests.upgrades import case as cases
from tests.upgrades.harness import CannotFill, Harness, Result
from tests.upgrades.venvs import CannotInstall, cache

ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    """Run what the command line asks for. Gives the number of cases that did not end as is right."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrades", description=__doc__)
    parser.add_argument("names", nargs="*", help="cases (default: all)")
    parser.add_argument("--fresh", action="store_true", help="fill the old database anew")
    parser.add_argument("--tool", type=Path, default=ROOT, help="the checkout whose inv is used (default: this one)")
    parser.add_argument("--sabotage", default="", help="SQL that the new release executes last; must be refused")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--short", action="store_true", help="one line a case")
    given = parser.parse_args()
    if given.list:
        for name in cases.names():
            case = cases.read(name)
            print(f"{name:24} {case.old[0]} → {case.new[0]}: {case.expect}")
        return 0
    wrong = 0
    for name in given.names or cases.names():
        case = cases.read(name)
        try:
            result = Harness(case, given.tool.resolve()).release(given.fresh, given.sabotage)
        except (CannotInstall, CannotFill) as error:
            print(f"{name}: CANNOT RUN: {error}", flush=True)
            wrong += 1
            continue
        except Exception:
            traceback.print_exc()
            wrong += 1
            continue
        if given.sabotage:
            wrong += result.ended != "refused"
        else:
            wrong += not result.as_expected
        print(told(result, given.short), flush=True)
        _keep(result)
    return min(wrong, 100)


def told(result: Result, short: bool) -> str:
    """A result for a person."""
    right = (
        "as expected" if result.as_expected else f"NOT AS EXPECTED ({result.case.expect} {list(result.case.tables)})"
    )
    lines = [f"{result.case.name}: {result.ended} (exit {result.exit}) in {result.seconds:.1f} s: {right}"]
    lines += [f"  QUERY {query}" for query in result.wrong_queries]
    if result.ended != "promoted" or not short:
        lines += [f"  {key}: {result.outcome.get(key)}" for key in ("reason", "hint") if result.outcome.get(key)]
    if result.said and result.ended == "failed":
        lines += [f"  said: {result.said[-3000:]}"]
    for table in [] if short else result.tables:
        if table["verdict"] not in ("unchanged", "added") or table["columns"]:
            columns = " ".join(
                f"{c['column']}:{c['verdict']}{'→' + c['to'] if c['to'] and c['to'] != c['column'] else ''}"
                + (f"({c['lost']})" if c["lost"] else "")
                for c in table["columns"]
            )
            to = f" → {table['to']}" if table["to"] else ""
            lines.append(
                f"  {table['table']} {table['verdict']}{to} {table['rows_before']}→{table['rows_after']} "
                f"lost {table['lost']} changed {table['changed']} {columns}"
            )
    return "\n".join(lines)


def _keep(result: Result) -> None:
    """Append what is worth comparing with a later run."""
    line = {
        "case": result.case.name,
        "ended": result.ended,
        "exit": result.exit,
        "right": result.as_expected,
        "seconds": round(result.seconds, 1),
        "blamed": result.blamed,
        "reason": result.outcome.get("reason", ""),
    }
    with (cache() / "results.jsonl").open("a") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
