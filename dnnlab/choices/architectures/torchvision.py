"""Nets of fixed shape from torchvision, by name."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dnnlab.choices.architectures import Architecture, DoesNotFit, images_needed
from dnnlab.choices.architectures.layers import Layer, LayerSettings, MostPixels
from dnnlab.choices.datasets import Signature
from dnnlab.choices.initializers import Initializer
from dnnlab.errors import DataError
from dnnlab.spec import Conflict, InputPath

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from dnnlab.kernels.network import Fill, Network

Model = Literal[
    "alexnet",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "mnasnet0_5",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
]
WITHOUT_BATCH_NORM = ("alexnet", "convnext", "squeezenet", "vgg")


class Torchvision(Architecture):
    """A net of torchvision by its name, such as resnet18, with as many outputs as the data need.

        images -> [resize] -> the model, its last layer being new -> outputs

    Grey images are given to all three channels. Its own activations, normalizations and dropout
    stay as they are. Pretrained weights expect data.standardize: per_channel.
    Source: the paper that torchvision's page of the model names.
    Keras: keras.applications, other models. PyTorch: torchvision.models.get_model, the same nets.
    """

    name: Literal["torchvision"] = "torchvision"
    model: Model
    """Which net; those made of convolutions, normalizations and dense layers."""
    size: MostPixels | None = None
    """Side that images are resized to before the net, as large models need; null: as they are."""
    weights: InputPath | None = None
    """A .safetensors file with torchvision's names to begin from; its last layer may differ."""
    pretrained: bool = False
    """Begin from torchvision's own weights, downloaded once and checked by their hash."""

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.pretrained and self.weights is not None:
            raise ValueError("give weights or pretrained, not both")
        if self.weights is not None and not self.weights.endswith(".safetensors"):
            raise ValueError(
                "weights: only .safetensors files are read, for others may hold code; "
                "safetensors.torch.save_file(model.state_dict(), ...) makes one"
            )
        return self

    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it as it is."""
        return self

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields nothing: its layers are torchvision's."""
        yield from ()

    def normalizes_batches(self, settings: LayerSettings) -> bool:
        """Whether the model has batch normalization."""
        plain = self.model.startswith(WITHOUT_BATCH_NORM) and not self.model.endswith("_bn")
        return not plain

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields settings of layers, which would have no effect."""
        own = f"{self.model} brings its own"
        if settings.normalization.position is not None:
            yield ("normalization",), f"{own} normalization: leave it out"
        if settings.dropout is not None:
            yield ("regularization", "dropout"), f"{own} dropout, if any: leave it out"
        if settings.activation.name != "relu":
            yield ("activation",), f"{own} activations: leave it out"
        if settings.initializer.rescales_branches:
            yield ("initializer",), "fixup is for the architecture resnet"

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what does not fit the data."""
        yield from images_needed(self.name, signature)
        shape = signature.input_shape
        if len(shape) == 3 and shape[0] not in (1, 3):
            text = f"{self.model} takes 1 or 3 channels, but images have {shape[0]}"
            yield ("architecture",), text

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; torchvision's names stand below `model`.

        Raises DoesNotFit if the images are too small for it.
        """
        import torch
        import torchvision.models
        from torch import nn

        from dnnlab.kernels.network import Kernel, Network

        parts: dict[str, nn.Module] = {}
        with torch.device("meta"):
            model = torchvision.models.get_model(self.model, num_classes=signature.num_outputs)
            parts |= self._images(signature)
            parts["model"] = model
            module = nn.Sequential()
            for name, part in parts.items():
                module.add_module(name, part)
            for part in model.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.num_batches_tracked = None
            uses = self._try(module, signature)
        kernels = [
            f"model.{name}.weight"
            for name, part in model.named_modules()
            if isinstance(part, nn.Linear | nn.Conv2d)
        ]
        initial = _first_values(module, set(kernels), kernels[-1], settings)
        if self.weights is not None or self.pretrained:
            initial = self._from_weights(initial, kernels[-1])
        decayed = tuple(
            Kernel(name, settings.l1, settings.l2, settings.max_norm, uses[name])
            for name in kernels
        )
        return Network(module, initial, decayed)

    def _images(self, signature: Signature) -> "dict[str, nn.Module]":
        from dnnlab.kernels.blocks import AsColour, AsImages, Resize

        shape = signature.input_shape
        parts: dict[str, nn.Module] = {}
        if len(shape) == 2:
            parts["as_images"] = AsImages(3)
        elif shape[0] == 1:
            parts["as_colour"] = AsColour()
        if self.size is not None:
            parts["resize"] = Resize(self.size)
        return parts

    def _try(self, module: "nn.Module", signature: Signature) -> dict[str, int]:
        """Sends nothing through the net, to see whether images of this size fit.

        Returns how often each kernel is applied to one image.
        """
        import torch

        uses: dict[str, int] = {}

        def note(name: str) -> "Callable[[nn.Module, object, Tensor], None]":
            def hook(part: "nn.Module", given: object, output: "Tensor") -> None:
                uses[f"{name}.weight"] = math.prod(output.shape[2:])

            return hook

        hooks = [
            part.register_forward_hook(note(name))
            for name, part in module.named_modules()
            if isinstance(part, torch.nn.Linear | torch.nn.Conv2d)
        ]
        module.eval()
        try:
            module(torch.empty((2, *signature.input_shape)))
        except (RuntimeError, ValueError) as error:
            shown = " x ".join(map(str, signature.input_shape[-2:]))
            raise DoesNotFit(
                ("architecture", "model"),
                f"{shown} images do not go through {self.model} ({str(error).splitlines()[0]}); "
                "architecture.size: 64, or larger, resizes them before the net",
            ) from error
        finally:
            for hook in hooks:
                hook.remove()
        return uses

    def _from_weights(self, initial: "dict[str, Fill]", last_kernel: str) -> "dict[str, Fill]":
        """Begins with loaded tensors, all but the last layer's."""
        load = _Loaded(self.weights or f"torchvision's {self.model}", self._read)
        last_layer = last_kernel.removesuffix("weight")

        def fill_for(name: str) -> "Fill":
            def fill(tensor: "Tensor", generator: "Generator") -> None:
                tensor.copy_(load.tensor(name.removeprefix("model."), tensor.shape))

            return fill

        return {
            name: fill if name.startswith(last_layer) else fill_for(name)
            for name, fill in initial.items()
        }

    def _read(self) -> "dict[str, Tensor]":
        if self.weights is not None:
            return _read_file(Path(self.weights))
        from torchvision.models import get_model_weights

        try:
            chosen = get_model_weights(self.model).DEFAULT
            tensors: dict[str, Tensor] = chosen.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"the weights of {self.model} cannot be downloaded: {error}",
                remedy="architecture.weights: FILE.safetensors takes a local file",
            ) from error
        return tensors


class _Loaded:
    """Tensors that are read when the first of them is asked for."""

    def __init__(self, origin: str, read: "Callable[[], dict[str, Tensor]]") -> None:
        self.origin = origin
        """What the tensors come from, in words."""
        self._read = read
        self._tensors: dict[str, Tensor] | None = None

    def tensor(self, name: str, shape: tuple[int, ...]) -> "Tensor":
        """Returns a tensor. Raises DataError if it is not there or has another shape."""
        if self._tensors is None:
            self._tensors = self._read()
        found = self._tensors.get(name)
        if found is None:
            raise DataError(
                f"architecture.weights: {self.origin} has no tensor '{name}'",
                remedy="the file has to be of the same model, with torchvision's names",
            )
        if found.shape != shape:
            raise DataError(
                f"architecture.weights: '{name}' of {self.origin} has shape {list(found.shape)}, "
                f"that of the net {list(shape)}"
            )
        return found


def _read_file(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except FileNotFoundError:
        raise DataError(f"architecture.weights: there is no file {path}") from None
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return tensors


def _first_values(
    module: "nn.Module", kernels: set[str], last_kernel: str, settings: LayerSettings
) -> "dict[str, Fill]":
    """Says how every tensor begins, by what it is."""
    from torch import nn

    from dnnlab.kernels.network import ones, zeros

    known: dict[str, Fill] = {"running_mean": zeros, "running_var": ones}
    initial: dict[str, Fill] = {}
    for owner, part in module.named_modules():
        tensors = [
            *(name for name, _ in part.named_parameters(recurse=False)),
            *(name for name, _ in part.named_buffers(recurse=False)),
        ]
        for leaf in tensors:
            name = f"{owner}.{leaf}"
            if name == last_kernel:
                initial[name] = Initializer.named("glorot_uniform").build()
            elif name in kernels:
                initial[name] = settings.initializer.build()
            elif leaf == "bias" and isinstance(part, nn.Linear | nn.Conv2d):
                initial[name] = settings.bias_initializer.build()
            elif leaf == "bias":
                initial[name] = zeros
            elif leaf == "weight":
                initial[name] = ones
            elif leaf == "layer_scale":  # of ConvNeXt: Liu et al., 2022, section 3.1
                initial[name] = Initializer.named("constant", value=1e-6).build()
            else:
                initial[name] = known[leaf]
    return initial
