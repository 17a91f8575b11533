"""The house rules that no single module can keep: who imports whom, what stands where, how files are opened."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
TOP = {"app.py", "requirements.txt", "requirements-dev.txt", "pyproject.toml", "Makefile", "README.md", "LICENSE", ".gitignore", ".ci"}
TOP |= {"generators", "page", "assets", "tests"}
FOLDERS = sorted(each.parent.name for each in (HOME / "generators").glob("*/__init__.py"))


def tracked(*patterns: str) -> list[Path]:
    """Files under git, or all files of the house where it is no checkout (a downloaded archive)."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=HOME, capture_output=True, check=False)
    if listed.returncode == 0:
        return [HOME / name for name in listed.stdout.decode().split("\0") if name and (HOME / name).is_file()]
    own = [each for name in TOP for each in [HOME / name, *(HOME / name).rglob("*")] if each.is_file() and "__pycache__" not in each.parts]
    return [each for each in own if not patterns or any(each.relative_to(HOME).match(pattern) for pattern in patterns)]


def sources(*folders: str) -> list[Path]:
    """The house's own Python files, those below the given folders or all."""
    below = [each for folder in folders or ("generators", "page", "tests") for each in (HOME / folder).rglob("*.py")]
    return sorted(below if folders else [HOME / "app.py", *below])


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, at its top or inside its functions; relative ones made absolute."""
    package = path.relative_to(HOME).with_suffix("").parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(HOME)}:{getattr(node, 'lineno', 0)}"


def test_top_level_holds_what_the_design_names() -> None:
    assert {path.relative_to(HOME).parts[0] for path in tracked()} <= TOP


@pytest.mark.parametrize("name", FOLDERS)
def test_generator_folders_tell_the_same_story(name: str) -> None:
    for file in ("__init__.py", "model.py", "train.py"):
        assert (HOME / "generators" / name / file).is_file(), f"generators/{name} has no {file}"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_generator_imports_only_what_is_shared(name: str) -> None:
    others = tuple(f"generators.{other}" for other in FOLDERS if other != name)
    for path in sources(f"generators/{name}"):
        foreign = [each for each in imports(path) if each.startswith(others)]
        assert not foreign, f"{path.relative_to(HOME)} imports {foreign}"


def test_shared_files_name_no_generator() -> None:
    for path in (HOME / "generators").glob("*.py"):
        assert not [each for each in imports(path) if each.startswith(tuple(f"generators.{name}" for name in FOLDERS))], path.name


def test_generators_know_no_page() -> None:
    for path in sources("generators"):
        upward = [each for each in imports(path) if each.split(".")[0] in {"page", "app", "gradio"}]
        assert not upward, f"{path.relative_to(HOME)} imports {upward}"


def test_the_page_knows_no_generator_by_name() -> None:
    for path in [HOME / "app.py", *sources("page")]:
        named = [each for each in imports(path) if each.startswith(tuple(f"generators.{name}" for name in FOLDERS))]
        assert not named, f"{path.relative_to(HOME)} imports {named}"


def test_the_app_never_imports_training() -> None:
    for path in [HOME / "app.py", *sources("page"), *(HOME / "generators" / name / "__init__.py" for name in FOLDERS)]:
        top = [node for node in tree(path).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        learned = [where(path, node) for node in top if "train" in ast.unparse(node)]
        assert not learned, f"{learned} would load training code with the page"


ALONE = "import types; sys.modules['page'] = types.ModuleType('page'); sys.modules['page'].__path__ = ['page']; "
LIGHT = {
    "cards": ("import generators; generators.cards()", ("torch", "transformers", "gradio")),
    "trace": ("import generators.trace, generators.base, generators.edits", ("torch", "transformers", "gradio")),
    "wire": (ALONE + "import page.wire", ("torch", "transformers", "gradio")),
    "page": ("import page; page.page()", ("torch", "transformers")),
}


@pytest.mark.parametrize("part", LIGHT)
def test_what_is_there_at_once_loads_nothing_heavy(part: str) -> None:
    code, heavy = LIGHT[part]
    code = f"import sys; {code}; print(sorted(set({heavy}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.returncode) == ("[]", 0), run.stderr


def test_files_are_opened_as_utf_8() -> None:
    """A Windows machine's own encoding would turn every Chinese file into something else."""
    careless = []
    for path in sources():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {keyword.arg for keyword in node.keywords}
            text = called in {"read_text", "write_text"} or (called == "open" and not _other_open(node))
            positional = called == "read_text" and node.args
            if text and "encoding" not in given and not positional:
                careless.append(where(path, node))
    assert not careless


def _other_open(call: ast.Call) -> bool:
    """Whether a call of something named open is binary, or opens no file of text: Image.open(…), webbrowser.open(…), os.open(…)."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(owner, ast.Name) and owner.id in {"Image", "webbrowser", "os", "safetensors"}:
        return True
    values = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return any(re.fullmatch("[rwax+]*b[rwax+]*", mode) for mode in modes)


def test_public_functions_are_typed() -> None:
    bare = []
    for path in [HOME / "app.py", *sources("generators", "page")]:
        for node in _public_functions(tree(path)):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            untyped = [each.arg for each in arguments if each.annotation is None and each.arg not in {"self", "cls"}]
            if untyped or (node.returns is None and node.name != "__init__"):
                bare.append(f"{where(path, node)} {node.name}({', '.join(untyped)})")
    assert not bare


def _public_functions(holder: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in holder.body:
        if isinstance(node, ast.ClassDef):
            yield from _public_functions(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (not node.name.startswith("_") or node.name == "__init__"):
            yield node


def test_no_file_names_a_machine_or_a_registry() -> None:
    """Paths of one machine break on the next; where packages come from is pip's own setting, but for torch's CPU wheels."""
    machine = re.compile(r"(?<![\w.])/(?:work|root|home|farm|Users)/\w")
    hosts = re.compile(r"pypi\.(?:org|python\.org)|files\.pythonhosted\.org|registry\.npmjs\.org|download\.pytorch\.org|deb\.debian\.org")
    for path in tracked("*.py", "*.js", "*.css", "*.md", "*.txt", "*.toml", "*.json", "Makefile", ".ci/run"):
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        assert not machine.findall(text), f"{path.relative_to(HOME)} names a path of one machine"
        allowed = {"download.pytorch.org"} if path.name == "Makefile" else set()
        assert set(hosts.findall(text)) <= allowed, f"{path.relative_to(HOME)} names a package registry"


def test_requirements_are_direct_and_pinned() -> None:
    """Every package that the code imports is listed, and each listed one has its version."""
    files = [HOME / "requirements.txt", HOME / "requirements-dev.txt"]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if line and line != "-r requirements.txt"]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines), lines
    package = {"PIL": "pillow", "axe_playwright_python": "axe-playwright-python"}
    package |= {"gradio_client": "gradio", "starlette": "gradio"}  # in the versions that gradio asks for
    imported = {each.split(".")[0] for path in sources() for each in imports(path)}
    outside = imported - set(sys.stdlib_module_names) - {"generators", "page", "app", "tests"}
    installed_apart = {"bertviz"}  # for one benchmark
    assert {package.get(each, each) for each in outside} - installed_apart <= {line.split("==")[0] for line in lines}
