"""The README tells what is there: its tree, its table, its commands."""

import re
from pathlib import Path

import generators
from generators.__main__ import parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_front_matter_fits_the_pinned_gradio():
    version = re.search(r"^sdk_version: (\S+)$", README, re.MULTILINE)[1]
    assert f"gradio=={version}" in (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for name in ("title", "emoji", "colorFrom", "colorTo", "app_file", "license", "short_description", "tags"):
        assert re.search(rf"^{name}:", README, re.MULTILINE)


def test_the_tree_names_every_shared_file_and_folder():
    tree = README.split("## The house")[1].split("```")[1]
    for path in [*(ROOT / "generators").glob("*.py"), *(ROOT / "generators").glob("*/__init__.py")]:
        name = path.name if path.parent.name == "generators" else f"{path.parent.name}/"
        assert name in tree, f"{name} is not in the README's tree"
    for name in re.findall(r"^(\S+)", tree, re.MULTILINE):
        assert (ROOT / name).exists(), f"the README's tree names {name}"


def test_the_table_has_every_generator_and_variant():
    table = README.split("## The generators")[1].split("## The house")[0]
    for card in generators.cards():
        assert f"`{card.name}`" in table
        assert all(f"`{variant.name}`" in table for variant in card.variants)


def test_its_pictures_and_commands_exist():
    assert all((ROOT / place).is_file() for place in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README))
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{name}:", rules, re.MULTILINE) for name in re.findall(r"make (run|test|check|bench|space)", README))


def test_its_command_lines_parse():
    import shlex

    lines = re.findall(r"^python -m generators (.+)$", README, re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        parser().parse_args(shlex.split(line))
