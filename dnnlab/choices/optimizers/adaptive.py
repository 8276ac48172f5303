"""Adam and its kin: a momentum, and a rate for every weight by the size of its gradients."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.optimizers import Optimizer
from dnnlab.spec import Decay, NonNegative, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class Moments(Optimizer):
    """A mean of gradients over a measure of their size, both fading. Abstract."""

    rescales: ClassVar[bool] = True
    usual_lr: ClassVar[float] = 1e-3
    measure: ClassVar[str] = "square"
    """What is kept of the gradients' size."""

    lr: Positive = 1e-3
    """Learning rate; under a schedule, its highest value."""
    beta1: Decay = 0.9
    """Decay of the mean of gradients: the momentum."""
    beta2: Decay = 0.999
    """Decay of the measure of the gradients' size."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.beta1 or None

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update.

        Of all momenta so far it is the product: of none, 1.
        """
        import torch

        slots = {name: torch.zeros_like(weights) for name in ("mean", self.measure)}
        return slots | {"momentum_product": torch.ones((), dtype=torch.float64)}


class Adam(Moments):
    """Momentum, and a rate of its own for every weight: both from moving averages.

        m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g²
        w <- w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)

    The factor corrects for the start of both averages at 0. Where a schedule cycles beta1, beta1^t
    is the product of those so far, which is exact.

    Source: Kingma and Ba, 2015, algorithm 1 in the order of computation at the end of section 2.
    Keras: the same, but always beta1^t. PyTorch: eps 1e-8, added after the correction as in
    algorithm 1; at the first update our eps acts like 3.16e-6 there. Its beta1^t takes the present
    beta1.
    """

    name: Literal["adam"] = "adam"
    eps: Positive = 1e-7
    """Added to the root of the mean of squares, before the correction for the start."""

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import adam_

        return partial(adam_, beta2=self.beta2, eps=self.eps)


class AdaMax(Moments):
    """Adam with the largest of the recent gradients in place of their mean square.

        m <- beta1 * m + (1 - beta1) * g;   u <- max(beta2 * u, |g|)
        w <- w - lr / (1 - beta1^t) * m / (u + eps)

    Source: Kingma and Ba, 2015, section 7.1, algorithm 2 (which has lr 2e-3 and no eps).
    Keras: the same. PyTorch: lr 2e-3; eps 1e-8, added to |g| inside the maximum.
    """

    name: Literal["adamax"] = "adamax"
    measure: ClassVar[str] = "largest"
    eps: Positive = 1e-7
    """Added to the largest gradient."""

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import adamax_

        return partial(adamax_, beta2=self.beta2, eps=self.eps)


class Nadam(Moments):
    """Adam with Nesterov momentum: a rate of its own for every weight, and a look ahead.

        m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g²
        w <- w - lr * (mu_(t+1) * m^ + (1 - mu_t) * g^) / (sqrt(v^) + eps)
        mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)), ^ = corrected for the start at 0

    Source: Dozat, 2016, 'Incorporating Nesterov momentum into Adam', algorithm 8.
    Keras: the same lr and eps; its momentum warms up as with momentum_decay 1. PyTorch: lr 2e-3 and
    eps 1e-8 by default.
    """

    name: Literal["nadam"] = "nadam"
    eps: Positive = 1e-7
    """Added to the root, after the correction for the start."""
    momentum_decay: Positive = 0.004
    """How fast the momentum warms up; 0.004 is the paper's, 1 reaches beta1 within 100 updates."""

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import nadam_

        return partial(nadam_, beta2=self.beta2, eps=self.eps, momentum_decay=self.momentum_decay)


class AdamW(Moments):
    """Adam with weight decay of its own, not rescaled as the gradient of an l2 penalty is.

        kernel <- (1 - lr * weight_decay) * kernel;   then Adam's update

    Source: Loshchilov and Hutter, 2019, 'Decoupled weight decay regularization', algorithm 2. There
    a schedule scales the decay but lr itself does not; here, as in all libraries, both do.
    Keras: the same, weight_decay 0.004 too; it decays biases and norms as well. PyTorch:
    weight_decay 0.01 on all parameters; eps 1e-8, added after the correction for the start.
    """

    name: Literal["adamw"] = "adamw"
    eps: Positive = 1e-7
    """Added to the root of the mean of squares, before the correction for the start."""
    weight_decay: NonNegative = 0.004
    """Before each update kernels shrink by lr times this; biases and norms do not."""

    @property
    def decay(self) -> float:
        """Decoupled weight decay: before each update, kernels shrink by lr times this."""
        return self.weight_decay

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import adam_

        return partial(adam_, beta2=self.beta2, eps=self.eps)


class RAdam(Moments):
    """Adam that holds back its first updates, as far as the mean of squares is not yet reliable.

        Adam's update times r(t), which climbs to 1; w <- w - lr * m / (1 - beta1^t) before update 6
        r² = (n - 4)(n - 2) N / ((N - 4)(N - 2) n);   N = 2 / (1 - beta2) - 1
        n = N - 2 t beta2^t / (1 - beta2^t), the number of gradients in the mean at update t

    The rectified update begins where n exceeds 5: at the 6th update with the usual beta2.

    Source: Liu et al., 2020, 'On the variance of the adaptive learning rate and beyond', algorithm
    2; 5 as in the authors' program, where the paper has 4. Weight decay: as in AdamW, as there.
    Keras: none. PyTorch: the same; eps 1e-8, and its weight_decay is decoupled only if
    decoupled_weight_decay says so.
    """

    name: Literal["radam"] = "radam"
    eps: Positive = 1e-7
    """Added to the root of the mean of squares, before the correction for the start."""
    weight_decay: NonNegative = 0.0
    """Before each update kernels shrink by lr times this; biases and norms do not."""

    @property
    def decay(self) -> float:
        """Decoupled weight decay: before each update, kernels shrink by lr times this."""
        return self.weight_decay

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import radam_

        return partial(radam_, beta2=self.beta2, eps=self.eps)
