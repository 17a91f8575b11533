"""The command line: python -m generators list | run | train | test | evaluate.

Results go to stdout (with --json exactly one object), everything else to stderr.
Exit 0 when done, 2 for bad input (one sentence), 1 for a failure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import generators
from generators.base import BadInput, NotReady, Request, Setting, read_seed
from generators.trace import Trace


class Parser(argparse.ArgumentParser):
    """Argparse, with its complaint as one sentence."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:].rstrip('.')}.", f"命令有误：{message}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        given = parser().parse_args(arguments)
        given.command(given)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 1
    except Exception as error:  # the command line's last resort: a sentence instead of a traceback
        print(f"Failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = Parser(prog="python -m generators", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(function: Any, summary: str, *, named: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(function.__name__.removesuffix("_"), help=summary, description=summary)
        sub.set_defaults(command=function)
        if named:
            sub.add_argument("name", metavar="NAME", help="a generator, as `list` names it")
            sub.add_argument("--variant", metavar="V", help="one of its variants")
        return sub

    sub = command(list_, "What generators there are, and whether they are ready.", named=False)
    sub.add_argument("--json", action="store_true")

    sub = command(run, "Generate a text or a picture.")
    sub.add_argument("said", nargs="?", default="", metavar="TEXT", help="the prompt; or --prompt TEXT")
    sub.add_argument("--prompt", default="", metavar="TEXT")
    sub.add_argument("--picture", type=Path, metavar="FILE", help="for generators that take a picture; any size, the middle square counts")
    sub.add_argument("--hide", default="", metavar="CELLS", help="cells to rub out, as 0,1,16-31")
    sub.add_argument("--code", action="append", default=[], metavar="AXIS=SHIFT", help="a shift of the code; may be repeated")
    sub.add_argument("--seed", default="0", metavar="N|WORD")
    sub.add_argument("--set", action="append", default=[], metavar="K=V", help="a setting; may be repeated")
    sub.add_argument("--edit", action="append", default=[], metavar="JSON", help="a change of the attention; may be repeated")
    sub.add_argument("--without", action="store_true", help="the twin without attention")
    sub.add_argument("--out", type=Path, metavar="trace.npz", help="keep the whole trace")
    sub.add_argument("--picture-out", type=Path, metavar="p.png")
    sub.add_argument("--json", action="store_true")

    sub = command(train, "Learn from data, or from any text file.")
    sub.add_argument("--data", type=Path, metavar="DIR", help="the folder that holds the data sets")
    sub.add_argument("--text", type=Path, metavar="FILE", help="a text of your own")
    sub.add_argument("--out", type=Path, metavar="DIR", help="where the model goes; a folder under LAB_MODELS_DIR/NAME appears on the page")
    length = sub.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, metavar="M")
    length.add_argument("--steps", type=int, metavar="N")
    sub.add_argument("--without", action="store_true", help="train the twin without attention")
    sub.add_argument("--seed", default="0", metavar="N|WORD")
    sub.add_argument("--resume", action="store_true", help="go on from the saved state, else from the weights that ship")
    sub.add_argument("--dry-run", action="store_true", help="say what would be done")

    sub = command(test, "Predict on text, and print the loss.")
    sub.add_argument("--text", type=Path, metavar="FILE")
    sub.add_argument("--json", action="store_true")

    sub = command(evaluate, "Score every row of a folder of data, with and without attention.")
    sub.add_argument("--data", type=Path, required=True, metavar="DIR")
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--limit", type=int, metavar="N", help="the first N rows only")
    how.add_argument("--write", action="store_true", help="put the figures on the variant's card.json, with this command")
    sub.add_argument("--json", action="store_true")

    sub = command(cost, "Count what a token or a picture costs, with and without attention.")
    sub.add_argument("--write", action="store_true", help="put it on the variant's card.json")
    sub.add_argument("--json", action="store_true")
    return top


def list_(given: argparse.Namespace) -> None:
    """Every generator with its variants, settings and state."""
    rows: list[dict[str, Any]] = []
    for card in generators.cards():
        errors = {variant.name: generators.ready(card.name, variant.name) for variant in card.variants}
        wrong = {name: error for name, error in errors.items() if error}
        rows.append(
            {
                "name": card.name,
                "variants": [variant.name for variant in card.variants],
                "default": card.default,
                "accepts": list(card.accepts),
                "produces": card.produces,
                "settings": [setting_facts(each) for each in card.settings],
                "ready": not wrong,
                "error": next(iter(wrong.values()), None),
            }
        )
    if given.json:
        say(rows)
    else:
        for row in rows:
            print(f"{row['name']:<12} {', '.join(row['variants']):<30} {'ready' if row['ready'] else row['error']}")


def setting_facts(setting: Setting) -> dict[str, Any]:
    """A setting as the command line and the API describe it."""
    facts: dict[str, Any] = {"name": setting.name, "kind": setting.kind, "default": setting.default, "help": setting.help["en"]}
    facts |= {"choices": list(setting.choices)} if setting.kind == "choice" else {"low": setting.low, "high": setting.high}
    return facts | ({"variants": list(setting.variants)} if setting.variants else {})


def run(given: argparse.Namespace) -> None:
    """One run; the text as it comes, or the place of the picture."""
    card = generators.card(given.name)
    exists(given.picture)
    request = Request.check(
        card,
        variant=given.variant,
        text=given.prompt or given.said,
        seed=given.seed,
        settings=dict(pair(each) for each in given.set),
        edits="[" + ",".join(given.edit) + "]" if given.edit else None,
        attention=not given.without,
        picture=None if given.picture is None else file(given.picture),
        hidden=cells(given.hide),
        code={axis: number(shift) for axis, shift in map(pair, given.code)},
    )
    generator = generators.load(card.name, request.variant)
    trace = Trace(card.name, request.variant, request.to_dict())
    began = time.perf_counter()
    for step in generator.generate(request):
        trace.add(step)
        for note in step.notes:
            print(note["en"], file=sys.stderr)
        for each in step.unknown:
            offers = f" (known: {', '.join(each.offers)})" if each.offers else ""
            print(f"Not known: {each.text}{offers}.", file=sys.stderr)
        if not given.json:
            print(step.text, end="", flush=True)
    seconds = time.perf_counter() - began
    if given.out:
        trace.save(given.out)
    output: str | None = trace.text if card.produces == "text" else None
    if trace.picture is not None:
        place = given.picture_out
        if place is None and not given.json:
            place = Path(f"{card.name}-{trace.seed}.png")
        if place:
            write_picture(place, trace.picture)
            output = str(place)
    if given.json:
        say(
            {
                "name": card.name,
                "variant": request.variant,
                "seed": trace.seed,
                "settings": dict(request.settings),
                "output": output,
                "steps": len(trace.steps),
                "attentions": trace.describe_maps(),
                "seconds": round(seconds, 4),
            }
        )
    else:
        print(output if card.produces == "picture" else "")


def write_picture(place: Path, picture: np.ndarray) -> None:
    """A PNG of a (height, width, 3) uint8 picture."""
    from PIL import Image

    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(place)


def train(given: argparse.Namespace) -> None:
    """Learn; says how it goes on stderr."""
    generators.find(given.name)
    if (given.steps is not None and given.steps < 1) or (given.minutes is not None and not given.minutes > 0):
        raise BadInput("Training takes at least one step, or some minutes.", "训练至少需要一步，或若干分钟。")
    for place in (given.data, given.text):
        exists(place)
    training(given.name).train(
        given.variant,
        data=given.data,
        text=given.text,
        out=given.out,
        minutes=given.minutes,
        steps=given.steps,
        attention=not given.without,
        seed=read_seed(given.seed),
        resume=given.resume,
        dry_run=given.dry_run,
    )


def test(given: argparse.Namespace) -> None:
    """What the model predicts, and its loss."""
    generators.find(given.name)
    exists(given.text)
    report(given, training(given.name).test(given.variant, text=given.text))


def evaluate(given: argparse.Namespace) -> None:
    """Every metric of the generator, with and without attention."""
    card = generators.card(given.name)
    exists(given.data)
    if given.limit is not None and given.limit < 1:
        raise BadInput("A limit is at least 1.", "上限至少为 1。")
    variant = card.variant(given.variant).name
    if given.write:
        training(given.name).write_metrics(variant, given.data)
        metrics = json.loads((generators.folders(given.name)[variant] / "card.json").read_text(encoding="utf-8"))["metrics"]
    else:
        metrics = training(given.name).evaluate(variant, data=given.data, limit=given.limit)
    result = {"name": given.name, "variant": variant, "metrics": metrics}
    if given.json:
        say(result)
        return
    print(f"{'metric':<28} {'with':>12} {'without':>12}  unit")
    for name, row in metrics.items():
        values = ["–" if row[each] is None else f"{row[each]:.4f}" for each in ("with", "without")]
        print(f"{name:<28} {values[0]:>12} {values[1]:>12}  {row['unit']}, {row['better']} is better, n = {row['n']}")


def cost(given: argparse.Namespace) -> None:
    """Multiply-adds and milliseconds of a token or a picture."""
    from generators import costing  # with torch, as `generators.training`
    from generators.training import write_card

    variant = generators.card(given.name).variant(given.variant).name
    found = costing.cost(given.name, variant)
    if given.write:
        write_card(generators.folders(given.name)[variant], cost=found)
    if given.json:
        print(json.dumps({"name": given.name, "variant": variant, **found}))
        return
    for side in costing.SIDES:
        if side in found:
            print(f"{side:8} {found[side]['multiply_adds']:,} multiply-adds, {found[side]['milliseconds']:g} ms for one {found['per']}")


def training(name: str) -> Any:
    """The generator's train.py."""
    return importlib.import_module(f"generators.{name}.train")


def exists(place: Path | None) -> None:
    if place is not None and not place.exists():
        raise BadInput(f"There is no {place}.", f"找不到 {place}。")


def file(place: Path) -> bytes:
    """What is in it. Raises BadInput."""
    try:
        return place.read_bytes()
    except OSError:
        raise BadInput(f"{place} cannot be read.", f"{place} 无法读取。") from None


def cells(given: str) -> list[int]:
    """Numbers and ranges, as "0,1,16-31"."""
    found: list[int] = []
    for part in filter(None, (each.strip() for each in given.split(","))):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal() and len(part) <= 12):
            raise BadInput(f"Cells are given as 0,1,16-31, not {part[:40]!r}.", f"格子的写法是 0,1,16-31，而不是 {part[:40]!r}。")
        found += range(int(first), min(int(last or first), int(first) + 10_000) + 1)
    return found


def number(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise BadInput(f"A shift is a number, not {given[:40]!r}.", f"移动幅度应是数字，而不是 {given[:40]!r}。") from None


def pair(given: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not sign:
        raise BadInput(f"A setting is given as NAME=VALUE, not {given[:40]!r}.", f"设置的写法是 名称=值，而不是 {given[:40]!r}。")
    return name.strip(), value.strip()


def report(given: argparse.Namespace, result: dict[str, Any]) -> None:
    if given.json:
        say(result)
        return
    for name, value in result.items():
        print(f"{name}: {value}")


def say(result: Any) -> None:
    """One JSON value on stdout."""
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
