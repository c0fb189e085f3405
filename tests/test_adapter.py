"""A low-rank adapter, merged into the model that it was made for, and refused where it is of another kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_encoders import largest_difference, make_model, reference
from training_tools import changed, difference

from quotefind.encoders import sbert
from quotefind.encoders.adapter import add_adapter, merge_adapter
from quotefind.encoders.resolve import ModelSource, fingerprint_of
from quotefind.encoders.sbert import load
from quotefind.errors import ModelError

if TYPE_CHECKING:
    import torch

LAYERS = {
    "encoder.layer.0.attention.self.query": (32, 32),
    "encoder.layer.1.intermediate.dense": (64, 32),
    "encoder.layer.1.output.dense": (32, 64),
}
PLAIN = {"peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "r": 4, "lora_alpha": 10, "bias": "none"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A small random model."""
    path = make_model(tmp_path_factory.mktemp("tiny") / "model")
    return ModelSource(str(path), path)


def factors(rank: int = 4, prefix: str = "base_model.model.", seed: int = 1) -> dict[str, torch.Tensor]:
    """Return random factors A and B for LAYERS, by the names that PEFT gives them."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    made = {}
    for layer, (rows, columns) in LAYERS.items():
        made[f"{prefix}{layer}.lora_A.weight"] = torch.randn(rank, columns, generator=generator)
        made[f"{prefix}{layer}.lora_B.weight"] = torch.randn(rows, rank, generator=generator)
    return made


def write_adapter(directory: Path, tensors: dict[str, torch.Tensor] | None = None, **config: object) -> Path:
    """Write an adapter in PEFT's files to `directory`; return it."""
    from safetensors.torch import save_file

    directory.mkdir(exist_ok=True)
    save_file(factors() if tensors is None else tensors, directory / "adapter_model.safetensors")
    (directory / "adapter_config.json").write_text(json.dumps(PLAIN | config), encoding="utf-8")
    return directory


def state(model: Any) -> dict[str, torch.Tensor]:
    """Return a copy of the weights of the transformer in a model."""
    return {name: weight.clone() for name, weight in model[0].auto_model.state_dict().items()}


@pytest.mark.parametrize(("options", "scale"), [({}, 2.5), ({"use_rslora": True}, 5.0), ({"lora_alpha": 4}, 1.0)])
def test_what_is_added(tmp_path: Path, tiny: ModelSource, options: dict[str, object], scale: float) -> None:
    """Each layer of the adapter gains alpha / r B A (alpha over the root of r where it says so), and no other does."""
    model = load(tiny, "cpu")
    before = state(model)
    merge_adapter(model, write_adapter(tmp_path, **options))
    after = state(model)
    assert changed(before, after) == {f"{layer}.weight" for layer in LAYERS}
    made = factors()
    for layer in LAYERS:
        a, b = (made[f"base_model.model.{layer}.lora_{factor}.weight"] for factor in "AB")
        expected = before[f"{layer}.weight"] + scale * (b @ a)
        assert after[f"{layer}.weight"].numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("rslora", [False, True])
def test_it_is_what_peft_makes_of_it(tmp_path: Path, tiny: ModelSource, rslora: bool) -> None:
    """An adapter that PEFT wrote changes the weights as PEFT itself does when it merges it."""
    with sbert.quiet():
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=4,
            lora_alpha=10,
            target_modules=["query", "dense"],
            use_rslora=rslora,
            init_lora_weights=False,  # B begins at random instead of at 0
        )
        theirs = get_peft_model(reference(tiny.path)[0].auto_model, config)
        theirs.save_pretrained(str(tmp_path))
        merged = theirs.merge_and_unload()
    model = load(tiny, "cpu")
    before = state(model)
    merge_adapter(model, tmp_path)
    assert len(changed(before, state(model))) == 9
    assert difference(state(model), merged.state_dict()) <= 1e-5


def test_merging_without_torch_gives_the_same(tmp_path: Path, tiny: ModelSource) -> None:
    """An adapter added to the weights as NumPy arrays changes them as it changes the opened model."""
    from safetensors.numpy import load_file

    weights = load_file(tiny.path / "model.safetensors")
    model = load(tiny, "cpu")
    write_adapter(tmp_path)
    merge_adapter(model, tmp_path)
    add_adapter(weights, tmp_path)
    merged = {name: weight.numpy() for name, weight in state(model).items() if name in weights}
    assert merged.keys() == weights.keys()
    assert max(largest_difference(weights[name], weight) for name, weight in merged.items()) <= 1e-6


@pytest.mark.parametrize("change", ["other_names", "too_wide"])
def test_an_adapter_of_another_model_without_torch(tmp_path: Path, tiny: ModelSource, change: str) -> None:
    """An adapter that does not fit the NumPy arrays is the same error as for an opened model."""
    from safetensors.numpy import load_file

    weights = load_file(tiny.path / "model.safetensors")
    write_adapter(tmp_path, {"other_names": other_names, "too_wide": too_wide}[change](factors()))
    with pytest.raises(ModelError, match=f"The adapter in {tmp_path} does not fit its model"):
        add_adapter(weights, tmp_path)


def test_names_without_the_prefix_of_peft(tmp_path: Path, tiny: ModelSource) -> None:
    """An adapter that sentence-transformers saved by itself names the layers alone, and is the same."""
    models = [load(tiny, "cpu") for _ in range(2)]
    for model, prefix in zip(models, ("", "base_model.model."), strict=True):
        merge_adapter(model, write_adapter(tmp_path, factors(prefix=prefix)))
    assert difference(*map(state, models)) == 0


def test_a_source_with_an_adapter(tmp_path: Path, tiny: ModelSource) -> None:
    """A model with an adapter is opened with it merged, and has a fingerprint of its own."""
    source = ModelSource("both", tiny.path, adapter=write_adapter(tmp_path))
    by_hand = load(tiny, "cpu")
    merge_adapter(by_hand, tmp_path)
    texts = ["hope and fear", "dust of the road"]
    options: dict[str, Any] = {"normalize_embeddings": True, "show_progress_bar": False}
    found = load(source, "cpu").encode(texts, **options)
    assert largest_difference(found, by_hand.encode(texts, **options)) == 0
    assert largest_difference(found, load(tiny, "cpu").encode(texts, **options)) > 1e-3
    fingerprints = {fingerprint_of(source), fingerprint_of(tiny)}
    write_adapter(tmp_path, factors(seed=2))
    assert len(fingerprints | {fingerprint_of(source)}) == 3


def other_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the factors of layers that the small model has not."""
    return {name.replace("encoder.layer", "h"): tensor for name, tensor in tensors.items()}


def too_wide(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the factors for a model of twice the width."""
    return {name: tensor.repeat(1, 2) if "lora_A" in name else tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("change", [other_names, too_wide])
def test_an_adapter_of_another_model(
    tmp_path: Path, tiny: ModelSource, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    """An adapter whose layers are not there or of another shape is an error that names its directory."""
    with pytest.raises(ModelError, match=f"The adapter in {tmp_path} does not fit its model"):
        merge_adapter(load(tiny, "cpu"), write_adapter(tmp_path, change(factors())))


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"bias": "all"},
        {"lora_bias": True},
        {"rank_pattern": {"query": 8}},
        {"alpha_pattern": {"query": 8}},
        {"modules_to_save": ["pooler"]},
        {"fan_in_fan_out": True},
        {"r": None},
        {"lora_alpha": None},
    ],
    ids=str,
)
def test_another_kind_of_adapter(tmp_path: Path, tiny: ModelSource, config: dict[str, object]) -> None:
    """What is no plain LoRA is refused rather than merged in part, and nothing of the model is changed."""
    model = load(tiny, "cpu")
    before = state(model)
    with pytest.raises(ModelError, match="holds no plain LoRA adapter"):
        merge_adapter(model, write_adapter(tmp_path, **config))
    assert difference(before, state(model)) == 0


@pytest.mark.parametrize(
    "name", ["embeddings.word_embeddings.lora_embedding_A", "pooler.dense.weight", "dense.lora_A.weight"]
)
def test_more_than_factors(tmp_path: Path, tiny: ModelSource, name: str) -> None:
    """An adapter that holds something else than pairs of factors, which would be left out, is refused."""
    tensors = factors()
    tensors[f"base_model.model.{name}"] = tensors.popitem()[1]
    with pytest.raises(ModelError, match="holds no plain LoRA adapter"):
        merge_adapter(load(tiny, "cpu"), write_adapter(tmp_path, tensors))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut", "bytes", "a list"])
def test_a_damaged_adapter(tmp_path: Path, tiny: ModelSource, name: str, damage: str) -> None:
    """A file that is missing or damaged is an error that names the directory."""
    path = write_adapter(tmp_path) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-50], "bytes": b"\xff" * 99, "a list": b"[]"}[damage])
    with pytest.raises(ModelError, match=rf"{tmp_path} (holds no plain LoRA|cannot be read: )"):
        load(ModelSource("damaged", tiny.path, adapter=tmp_path), "cpu")
