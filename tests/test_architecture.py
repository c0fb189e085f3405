"""The house: imports go one way, modules and functions stay small, importing the package loads nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "quotefind"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"numpy", "onnxruntime", "tokenizers", "torch", "transformers", "sentence_transformers", "rich", "typer"}

# Each part may import from those below its own, and from itself.
LAYERS = [
    {"cli", "__main__"},
    {"collection"},
    {"refresh"},
    {"training", "map"},
    {"search", "pairs", "conflicts", "topics", "tagging", "export", "today"},
    {"checkpoint", "stores"},
    {"index", "encoders"},
    {"similarity", "corpus"},
    {
        "records",
        "errors",
        "paths",
        "private_files",
        "text",
        "escaping",
        "progress",
        "interrupts",
        "limits",
        "extras",
        "blas",
    },
]
# Within a layer.
ALSO = {
    ("__main__", "cli"),
    ("index", "encoders"),
    ("records", "text"),
    ("paths", "errors"),
    ("limits", "errors"),
    ("extras", "errors"),
    ("pairs", "search"),
    ("conflicts", "pairs"),
}


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: 'index' for quotefind.index.local.reader."""
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def imports_of(tree: ast.AST, *, for_typing: bool = False) -> Iterator[str]:
    """Yield the modules and names of this package that a module imports; those under TYPE_CHECKING if asked."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not for_typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "quotefind")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "quotefind":
            base = node.module or ""
            yield from (f"{base}.{alias.name}" for alias in node.names)
        yield from imports_of(node, for_typing=for_typing)


def layer(part: str) -> int:
    """Return the number of the layer of a part, from the top."""
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    """A module imports only from its own part and from the layers below; so the parts can be read one by one."""
    own = part_of(name_of(path))
    upward = [
        imported
        for imported in imports_of(ast.parse(path.read_text(encoding="utf-8")))
        if own
        and (part := part_of(imported)) not in (own, "__version__")
        and layer(part) <= layer(own)
        and (own, part) not in ALSO
    ]
    assert upward == []


def module_of(name: str) -> str:
    """Return the module that an imported name is, or is in; '' if it is none of this package."""
    while name and name not in NAMES:
        name = name.rpartition(".")[0]
    return name


def circle_in(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports; none if there is no circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_imports_go_in_a_circle() -> None:
    """No module imports itself by way of others, within a package and for typing alone included."""
    imports = {
        name: {module_of(imported) for imported in imports_of(tree, for_typing=True)} - {name, ""}
        for name, tree in ((name_of(path), ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES)
    }
    assert circle_in(imports) == []


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, {"b", "c"}),
    ],
)
def test_a_circle_is_found(imports: dict[str, set[str]], expected: set[str]) -> None:
    """The search for circles finds one, and only where there is one."""
    assert set(circle_in(imports)) == expected


def test_imports_for_typing_are_seen() -> None:
    """The search for circles sees what is imported under TYPE_CHECKING, and within a function."""
    code = (
        "if TYPE_CHECKING:\n    from quotefind.stores import open_index\ndef later():\n    import quotefind.refresh\n"
    )
    seen = {module_of(name) for name in imports_of(ast.parse(code), for_typing=True)}
    assert seen == {"quotefind.stores", "quotefind.refresh"}


def test_an_index_knows_neither_store() -> None:
    """What both stores share imports neither of them."""
    imported = {
        (path.name, name)
        for path in (PACKAGE / "index").glob("*.py")
        for name in imports_of(ast.parse(path.read_text(encoding="utf-8")), for_typing=True)
        if name.startswith(("quotefind.index.local", "quotefind.index.lance"))
    }
    assert imported == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_are_absolute(path: Path) -> None:
    """No module imports relatively, which the test above would not see."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_small(path: Path) -> None:
    """A module has fewer than 400 lines, a function fewer than 80, and none is called utils."""
    assert path.stem not in ("utils", "util", "helpers", "common", "misc")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: length for name, length in lengths.items() if length >= 80} == {}


def public(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the public classes and functions in `node`, with their names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
            if "overload" in map(ast.unparse, child.decorator_list):  # the implementation is described
                continue
            name = f"{where}.{child.name}"
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from public(child, name)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_everything_public_is_described(path: Path) -> None:
    """Every module, public class and public function has a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    undescribed = [name for name, node in public(tree, name_of(path)) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert undescribed == []


def loaded_by(code: str) -> set[str]:
    """Return the heavy packages that are loaded once `code` has run in a new process."""
    program = f"import sys\n{code}\nprint(*sorted({HEAVY!r} & {{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import quotefind` loads neither numpy nor a model, nor what only the command line needs."""
    assert loaded_by("import quotefind; quotefind.__version__; dir(quotefind)") == set()


@pytest.mark.parametrize(
    "name",
    [
        "records",
        "errors",
        "paths",
        "text",
        "escaping",
        "corpus",
        "index.sources",
        "index.changes",
        "index.local.lookup",
        "today",
        "progress",
    ],
)
def test_parts_that_need_no_numbers_load_none(name: str) -> None:
    """Reading sources, and what lies below, needs neither numpy nor a model."""
    assert loaded_by(f"import quotefind.{name}") == set()


def test_searching_loads_no_torch() -> None:
    """The library's search, pairs, index and ONNX encoder load numpy, but nothing of torch."""
    code = "import quotefind, quotefind.encoders.onnx; [getattr(quotefind, name) for name in quotefind.__all__]"
    assert loaded_by(code) == {"numpy", "onnxruntime", "tokenizers"}


def test_public_names_are_there() -> None:
    """Every public name can be imported from the package; another is an AttributeError."""
    import quotefind

    assert sorted(quotefind.__all__) == quotefind.__all__
    for name in quotefind.__all__:
        assert getattr(quotefind, name).__name__ == name
    assert set(quotefind.__all__) <= set(dir(quotefind))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = quotefind.nothing
