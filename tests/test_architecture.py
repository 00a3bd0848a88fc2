"""The rules of the layout: arrows point one way, modules stay small, commands stay lazy."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "shared": set(),
    "batch": {"shared"},
    "stream": {"shared"},
    "parity": {"shared"},
    "cli": {"shared", "batch", "stream", "parity"},
}
# What an engine is made of: shared/ and parity/ must work where it is not installed.
ENGINES = {"pyspark", "kafka", "rocksdict", "confluent_kafka"}
MODULES = sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The first name of everything that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield (node.module or "").split(".")[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_arrows_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    found = set(imports(path))
    assert found & (ALLOWED.keys() | {"tests", "bench"}) - {package} <= ALLOWED[package]
    if package in ("shared", "parity"):
        assert not found & ENGINES
    if package == "batch":
        assert not found & (ENGINES - {"pyspark"})
    if package == "stream":
        assert "pyspark" not in found


def test_modules_are_small() -> None:
    lines = {name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert len(lines) > 50
    assert {path: n for path, n in lines.items() if n > 500} == {}
    assert statistics.median(n for n in lines.values() if n) <= 150


def test_a_commands_help_and_the_list_agree() -> None:
    from cli.main import COMMANDS

    assert {path.stem.replace("_", "-") for path in (ROOT / "cli").glob("*.py")} >= set(COMMANDS)


def test_help_imports_no_command_and_no_engine() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from cli.main import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print(*sorted(name.split('.')[0] for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (
        ENGINES | {"numpy", "pyarrow", "numba", "rich", "batch", "stream", "parity"}
    )


def test_shared_and_parity_load_no_engine() -> None:
    modules = [
        name(path).removesuffix(".py").replace("/", ".") for path in MODULES if path.name != "__init__.py"
    ]
    wanted = [module for module in modules if module.split(".")[0] in ("shared", "parity")]
    code = f"import sys, importlib\nfor m in {wanted!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {module.split(".")[0] for module in done.stdout.split()} & (
        ENGINES | {"batch", "stream", "cli"}
    )
