"""python -m tests.benchmarks [--only NAME …]: run them one after the other and print one Markdown table."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

NAMES = (
    *("watching", "against_generate", "lens", "context", "wire", "startup"),
    *(
        "press",
        "forming",
        "describing",
        "clicks",
        "sliders",
        "gallery",
        "hover",
        "view",
        "inside",
        "comparing",
        "leaving",
        "crowd",
        "memory",
    ),
)
VERDICTS = {True: "met", False: "MISSED", None: "—"}
HEADER = "| what | measured | bar | verdict | load before |\n| --- | --- | --- | --- | --- |"


def main() -> int:
    """Print the table, a line as soon as it is known; exit status 1 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    broken = 0
    print(HEADER, flush=True)
    for name in parser.parse_args().only:
        load = os.getloadavg()[0]
        try:
            for row in importlib.import_module(f"tests.benchmarks.{name}").measure():
                print(f"| {row.what} | {row.measured} | {row.bar} | {VERDICTS[row.met]} | {load:.2f} |", flush=True)
        except Exception as error:  # one that cannot be measured must not hide the others
            broken += 1
            print(f"| {name} | not measured | | {type(error).__name__} | {load:.2f} |", flush=True)
            print(f"{name}: {error}", file=sys.stderr)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
