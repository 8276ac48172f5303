from __future__ import annotations

from pathlib import Path
from typing import get_args
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from dnnlab.choices.architectures.torchvision import Model
from dnnlab.choices.datasets import Signature
from dnnlab.errors import ConfigError, DataError
from dnnlab.methods.summary import summarize
from dnnlab.training.state import State
from tests.support import config_file, experiment_of, refusal_of

SMALL = "data: digits\narchitecture: {name: torchvision, model: shufflenet_v2_x0_5%s}\n"
IMAGES = Signature((8, 8), 10, "classification")


def fresh(text: str) -> State:
    experiment = experiment_of(text)
    device, dtype = torch.device("cpu"), torch.float32
    network = experiment.network(IMAGES)
    return State.fresh(network, experiment.optimizer, seed=0, device=device, dtype=dtype)


@pytest.mark.parametrize("model", get_args(Model))
def test_every_model_takes_grey_images_and_has_a_beginning(model: str) -> None:
    text = f"data: digits\narchitecture: {{name: torchvision, model: {model}, size: 64}}\n"
    network = experiment_of(text).network(IMAGES)
    assert network.module(torch.empty(2, 8, 8, device="meta")).shape == (2, 10)
    assert all(kernel.uses >= 1 for kernel in network.kernels)
    assert not any("num_batches" in name for name, _ in network.module.named_buffers())


def test_images_that_are_too_small_are_refused_with_line_and_remedy(tmp_path: Path) -> None:
    text = "data: digits\narchitecture: {name: torchvision, model: vgg11}\n"
    with pytest.raises(ConfigError) as caught:
        summarize(config_file(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.place == "2:42"
    assert "architecture.model: 8 x 8 images do not go through vgg11" in problem.message
    assert "architecture.size: 64" in problem.message


def test_settings_without_effect_are_refused() -> None:
    said = refusal_of(SMALL % "" + "normalization: batch\nactivation: elu\n")
    assert [line.split(":")[0] for line in said] == ["3", "4"]
    assert "brings its own" in said[0]


def test_a_name_with_a_typo_is_refused() -> None:
    (sentence,) = refusal_of("data: digits\narchitecture: {name: torchvision, model: resnet19}\n")
    assert "'resnet18'" in sentence


def test_weights_from_a_file_fill_all_but_the_last_layer(tmp_path: Path) -> None:
    first = fresh(SMALL % "")
    saved = {
        name.removeprefix("model."): torch.full_like(tensor, 0.5)
        for name, tensor in first.network_tensors().items()
    }
    saved["fc.weight"] = torch.zeros(1000, 1024)  # of another number of classes
    path = tmp_path / "w.safetensors"
    save_file(saved, path)
    tensors = fresh(SMALL % f", weights: {path}").network_tensors()
    assert float(tensors["model.conv1.0.weight"].min()) == 0.5
    assert torch.equal(tensors["model.fc.weight"], first.network_tensors()["model.fc.weight"])


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"other": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"has no tensor 'conv1\.0\.weight'"):
        fresh(SMALL % f", weights: {path}")
    path.write_bytes(b"no such format")
    with pytest.raises(DataError, match="cannot be read"):
        fresh(SMALL % f", weights: {path}")
    with pytest.raises(DataError, match="there is no file"):
        fresh(SMALL % f", weights: {tmp_path / 'no.safetensors'}")


def test_files_that_may_hold_code_are_not_read() -> None:
    (sentence,) = refusal_of(SMALL % ", weights: resnet.pth")
    assert "only .safetensors files are read" in sentence


def test_without_a_network_pretrained_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **settings: object) -> object:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        fresh(SMALL % ", pretrained: true")
    assert "FILE.safetensors" in caught.value.remedy


def test_first_biases_are_those_of_the_config() -> None:
    text = "data: digits\narchitecture: {name: torchvision, model: squeezenet1_1, size: 32}\n"
    network = experiment_of(text + "bias_initializer: ones\n").network(IMAGES)
    bias = torch.empty(3)
    network.initial["model.features.0.bias"](bias, torch.Generator())
    assert torch.equal(bias, torch.ones(3))
