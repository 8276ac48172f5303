"""Two nets against each other: one makes examples of noise, the other tells them from real ones."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import softplus

from dnnlab.kernels.blocks import Accompanied
from dnnlab.kernels.network import Network, SelfTaught


def adversaries(discriminator: Network, generator: Network, codings: int) -> Network:
    """Returns both as one net that teaches itself: forward is the discriminator's.

    The discriminator has one output, the logit of being real; the generator makes of `codings`
    numbers of noise as many as an example has, and stands beside it as `generator`.

    The value of the loss is the discriminator's; its gradient is, for each of the two nets, that of
    its own loss. Noise is drawn from the default generator, and measured is with noise that is
    always the same, batch by batch.
    """
    tells, makes = discriminator.module, generator.module

    def loss(inputs: Tensor, phase: int) -> Tensor:
        noise = torch.randn((len(inputs), codings), device=inputs.device, dtype=inputs.dtype)
        made = makes(noise).view_as(inputs)
        real, unreal = softplus(-tells(inputs)), softplus(tells(made.detach()))
        telling = (real.mean() + unreal.mean()) / 2
        standing = {name: each.detach() for name, each in tells.named_parameters()}
        deceiving = softplus(-functional_call(tells, standing, (made,))).mean()
        return telling + (deceiving - deceiving.detach())

    def measures(inputs: Tensor) -> dict[str, Tensor]:
        always = torch.randn((len(inputs), codings), generator=torch.Generator().manual_seed(0))
        made = makes(always.to(inputs)).view_as(inputs)
        real, unreal = tells(inputs)[:, 0], tells(made)[:, 0]
        return {
            "loss": (softplus(-real) + softplus(unreal)) / 2,
            "generator_loss": softplus(-unreal),
            "accuracy": ((real > 0).double() + (unreal <= 0).double()) / 2,
        }

    within = {f"generator.{name}": fill for name, fill in generator.initial.items()}
    beside = tuple(replace(each, name=f"generator.{each.name}") for each in generator.kernels)
    return Network(
        Accompanied(tells, generator=makes),
        discriminator.initial | within,
        (*discriminator.kernels, *beside),
        SelfTaught(loss, measures),
    )
