"""The eager engine: one update after another in plain PyTorch. The oracle of every other engine."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor

from dnnlab.experiment import Experiment
from dnnlab.kernels import gradients
from dnnlab.kernels.penalties import add_l2_gradient_, max_norm_
from dnnlab.plan import Plan
from dnnlab.randomness import key
from dnnlab.training.data import Split
from dnnlab.training.engine import Failure, Stretch
from dnnlab.training.fault import first_fault
from dnnlab.training.machine import seed_default_generator
from dnnlab.training.order import Order
from dnnlab.training.precision import computing
from dnnlab.training.state import LossScale, State

GROW_AFTER = 2000
"""Good updates after which float16's loss scale doubles (torch's GradScaler has the same)."""
SMALLEST_SCALE = 2.0**-14
"""A loss scale below this means that the gradient itself is not finite."""
KEPT_NORMS = 10
"""How many gradient norms before a failure are kept as evidence."""


class EagerEngine:
    """Forward, loss, backward, penalties, clipping, optimizer, max-norm: line by line."""

    name = "eager"

    def __init__(self, experiment: Experiment, plan: Plan, state: State, train: Split) -> None:
        self.experiment = experiment
        self.plan = plan
        self.state = state
        self.train = train
        device = state.weights.device
        self.order = Order(plan, experiment.training.seed, device)
        self.precision = experiment.training.precision
        self.loss = experiment.objective.build()
        self.classifies = experiment.objective.task == "classification"
        self.draws = state.network.draws_random_numbers
        self.apply_update = experiment.optimizer.build()
        self.clip = self._clipping()
        parameters = dict(state.network.module.named_parameters())
        kernels = state.network.kernels
        self.penalized = [(parameters[k.name], k.l2) for k in kernels if k.l2 > 0]
        self.bounded = [(parameters[k.name], k.max_norm) for k in kernels if k.max_norm]

    def _clipping(self) -> Callable[[], object]:
        clipping = self.experiment.gradient_clipping
        if clipping is None:
            return lambda: None
        return clipping.build(self.state.gradient, list(self.state.gradients().values()))

    def advance(self, until: int) -> Stretch:
        """Applies updates until `until`; goes back to just before the first that is not finite."""
        before = self.state.snapshot()
        stretch = self._apply(until)
        if self._all_finite(stretch):
            return stretch
        self.state.restore(before)
        return self._apply_carefully(until)

    def rates(self, update: int) -> tuple[float, float]:
        """Returns (learning rate, momentum) of an update."""
        schedule, optimizer = self.experiment.schedule, self.experiment.optimizer
        total = self.plan.total_updates
        factor = schedule.lr_factor(update, total) * self.state.plateau.factor
        momentum = schedule.momentum(update, total)
        if momentum is None:
            momentum = optimizer.own_momentum or 0.0
        return optimizer.lr * factor, momentum

    def _apply(self, until: int) -> Stretch:
        """Applies updates without looking at the device in between, unless in float16."""
        self.state.network.module.train()
        losses: list[Tensor] = []
        hits: list[Tensor] = []
        norms: list[Tensor] = []
        sizes: list[int] = []
        for update in range(self.state.step, until):
            outputs, targets, loss = self._forward(update)
            self._backward(loss)
            norms.append(gradients.norm(self.state.gradient))
            self._step(update, norms[-1])
            losses.append(loss.detach())
            sizes.append(len(targets))
            if self.classifies:
                hits.append((outputs.detach().argmax(1) == targets).sum())
        return Stretch(_values(losses), [int(h) for h in _values(hits)], _values(norms), sizes)

    def _forward(self, update: int) -> tuple[Tensor, Tensor, Tensor]:
        rows = self.order.rows(update)
        inputs = self.train.inputs.index_select(0, rows)
        targets = self.train.targets.index_select(0, rows)
        if self.draws:
            seed = key(self.experiment.training.seed, "dropout", update)
            seed_default_generator(inputs.device, seed)
        with computing(self.precision, inputs.device):
            outputs = self.state.network.module(inputs)
            loss = self.loss(outputs, targets)
        return outputs, targets, loss

    def _backward(self, loss: Tensor) -> None:
        """Leaves the gradient of loss and penalties in `state.gradient`."""
        gradient = self.state.gradient
        gradient.zero_()
        if self.precision == "float16":
            factor = self.state.loss_scale.factor
            (loss * factor).backward()  # type: ignore[no-untyped-call]
            gradient.div_(factor)
        else:
            loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weights, strength in self.penalized:
                assert weights.grad is not None
                add_l2_gradient_(weights.grad, weights, strength)

    @torch.no_grad()
    def _step(self, update: int, norm: Tensor) -> None:
        """Applies the gradient; in float16, leaves out an update whose gradient overflowed."""
        state = self.state
        state.step = update + 1
        if self.precision == "float16" and not self._scale_fits(norm):
            return
        self.clip()
        lr, momentum = self.rates(update)
        self.apply_update(
            state.weights, state.gradient, state.slots, lr=lr, momentum=momentum, step=update
        )
        for weights, limit in self.bounded:
            max_norm_(weights, limit)

    def _scale_fits(self, norm: Tensor) -> bool:
        scale = self.state.loss_scale
        if not isfinite(norm.item()):
            self.state.loss_scale = LossScale(scale.factor / 2, 0)
            return False
        grows = scale.good + 1 == GROW_AFTER
        self.state.loss_scale = LossScale(
            scale.factor * 2 if grows else scale.factor, 0 if grows else scale.good + 1
        )
        return True

    def _all_finite(self, stretch: Stretch) -> bool:
        measured = [stretch.losses]
        if self.precision != "float16":
            measured.append(stretch.gradient_norms)
        return (
            all(isfinite(value) for values in measured for value in values)
            and self.state.loss_scale.factor > SMALLEST_SCALE
            and self._weights_finite()
        )

    def _weights_finite(self) -> bool:
        tensors = [self.state.weights, *self.state.network.module.buffers()]
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)

    def _apply_carefully(self, until: int) -> Stretch:
        """Applies updates one at a time, up to the first that fails, which is found out about."""
        whole = Stretch()
        while self.state.step < until:
            update, before = self.state.step, self.state.snapshot()
            one = self._apply(update + 1)
            if not self._all_finite(one):
                weights_broke = not self._weights_finite()
                self.state.restore(before)
                whole.failure = self._failure(update, whole, weights_broke)
                self.state.restore(before)  # looking for the fault moved the running averages
                return whole
            whole.losses += one.losses
            whole.hits += one.hits
            whole.gradient_norms += one.gradient_norms
            whole.sizes += one.sizes
        raise AssertionError("a stretch that failed succeeds when it is repeated")

    def _failure(self, update: int, before: Stretch, weights_broke: bool) -> Failure:
        rows = self.order.rows(update)
        self.state.network.module.train()

        def forward() -> Tensor:
            return self._forward(update)[2]

        what = first_fault(self.state.network.module, forward, self._backward)
        if what is None:
            what = "the weights after the update" if weights_broke else "the gradient's norm"
        norms = before.gradient_norms[-KEPT_NORMS:]
        return Failure(update, what, self.rates(update)[0], norms, rows.tolist())


def _values(scalars: list[Tensor]) -> list[float]:
    """Fetches many scalars from the device at once."""
    return torch.stack(scalars).tolist() if scalars else []
