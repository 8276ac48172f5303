"""The eager engine: one update after another in plain PyTorch. The oracle of every other engine."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor

from dnnlab.choices.pretraining import Lesson
from dnnlab.experiment import Experiment
from dnnlab.kernels import gradients
from dnnlab.kernels.metrics import predicted_classes
from dnnlab.kernels.penalties import add_l1_gradient_, add_l2_gradient_, max_norm_
from dnnlab.plan import Plan
from dnnlab.randomness import key
from dnnlab.training.data import Augmenter, Split
from dnnlab.training.engine import Failure, Stretch
from dnnlab.training.fault import first_fault
from dnnlab.training.machine import seed_default_generator
from dnnlab.training.order import Order
from dnnlab.training.phases import Phases, begins_anew
from dnnlab.training.pieces import Pieces
from dnnlab.training.precision import computing
from dnnlab.training.rates import rates
from dnnlab.training.shares import Shares
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

    def __init__(
        self,
        experiment: Experiment,
        plan: Plan,
        state: State,
        train: Split,
        augment: Augmenter | None = None,
        phases: Phases = (),
        lesson: Lesson | None = None,
    ) -> None:
        self.experiment = experiment
        self.plan = plan
        self.state = state
        self.train = train
        self.augment = augment
        self.lesson = lesson
        self.seed = experiment.training.seed
        device = state.weights.device
        self.order = Order(plan, self.seed, device)
        self.precision = experiment.training.precision
        self.self_taught = state.network.self_taught
        if self.self_taught is None:
            self.loss = experiment.loss.build(experiment.regularization.label_smoothing)
        self.classifies = experiment.task == "classification" and self.self_taught is None
        self.reconstructs = experiment.task == "reconstruction"
        self.norms: list[float] = []
        """The last gradient norms, of the updates before `norms_until`."""
        self.norms_until = 0
        self.forward = state.network.straight_line()
        clipping = experiment.gradient_clipping
        self.clip = clipping.build() if clipping else None
        parameters = dict(state.network.module.named_parameters())
        kernels = state.network.kernels
        self.phases = phases
        self.pieces = Pieces(state, apart=bool(phases))
        self.shares = Shares(experiment, state, self.pieces, phases)
        self.penalized_l1 = [(parameters[k.name], k.l1) for k in kernels if k.l1 > 0]
        self.penalized_l2 = [(parameters[k.name], k.l2) for k in kernels if k.l2 > 0]
        self.bounded = [(parameters[k.name], k.max_norm) for k in kernels if k.max_norm]

    def advance(self, until: int) -> Stretch:
        """Applies updates until `until`; goes back to just before the first that is not finite."""
        before = self.state.snapshot()
        if before.step < self.norms_until:  # the training went back: they are of another one
            self.norms.clear()
        stretch = self._apply(until)
        if not self._all_finite(stretch):
            self.state.restore(before)
            stretch = self._apply_carefully(until)
        self.norms = [*self.norms, *stretch.gradient_norms][-KEPT_NORMS:]
        self.norms_until = self.state.step
        return stretch

    def _apply(self, until: int) -> Stretch:
        """Applies updates without looking at the device in between, unless in float16."""
        self.shares.training_mode(self.state.step)
        updates = range(self.state.step, until)
        batches = [self.order.rows(update) for update in updates]
        losses, norms, predicted = Measured(), Measured(), _Predicted(batches, self.train)
        for update, rows in zip(updates, batches, strict=True):
            self.shares.begin(update)
            outputs, targets, loss = self._forward(self.forward, update, rows)
            self._backward(loss)
            norm = gradients.norm(self.shares.gradients())
            self._step(update, norm)
            losses.add(loss)
            norms.add(norm)
            if self.classifies:
                predicted.add(outputs, None if self.lesson is None else targets)
        hits = predicted.hits() if self.classifies else []
        return Stretch(losses.values(), hits, norms.values(), predicted.sizes)

    def _forward(
        self, network: Callable[[Tensor], Tensor], update: int, rows: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the outputs, what they should have been, and the loss."""
        inputs = self.train.inputs.index_select(0, rows)
        targets = self.train.targets.index_select(0, rows)
        if self.augment is not None:
            inputs = self.augment(inputs, update)
            if self.reconstructs:
                targets = inputs.flatten(1)
        if self.lesson is not None:
            generator = torch.Generator().manual_seed(key(self.seed, "lesson", update))
            inputs, targets = self.lesson(inputs, targets, rows, generator)
        seed_default_generator(inputs.device, key(self.seed, "dropout", update))
        with computing(self.precision, inputs.device):
            if self.self_taught is not None:
                loss = self.self_taught.loss(inputs, self.shares.phase)
                return inputs, targets, loss
            outputs = network(inputs)
            if self.experiment.pretraining is not None:
                outputs, targets = self.experiment.pretraining.asked(outputs, targets)
            loss = self.loss(outputs, targets)
        return outputs, targets, loss

    def _backward(self, loss: Tensor) -> None:
        """Leaves the gradient of loss and penalties in the pieces."""
        if self.precision == "float16":
            factor = self.state.loss_scale.factor
            self.pieces.backward(loss * factor)
            for gradient in self.pieces.gradients:
                gradient.div_(factor)
        else:
            self.pieces.backward(loss)
        with torch.no_grad():
            for weights, strength in self.penalized_l1:
                if weights.requires_grad:
                    assert weights.grad is not None
                    add_l1_gradient_(weights.grad, weights, strength)
            for weights, strength in self.penalized_l2:
                if weights.requires_grad:
                    assert weights.grad is not None
                    add_l2_gradient_(weights.grad, weights, strength)

    @torch.no_grad()
    def _step(self, update: int, norm: Tensor) -> None:
        """Applies the gradient; in float16, leaves out an update whose gradient overflowed."""
        state = self.state
        state.step = update + 1
        if self.precision == "float16" and not self._scale_fits(norm):
            return
        if self.clip is not None:
            self.clip(self.shares.gradients(), self.pieces.of_parameters())
        lr, momentum = rates(self.experiment, self.plan, self.state, update)
        self.shares.apply(lr, momentum)
        state.applied += 1
        for weights, limit in self.bounded:
            if weights.requires_grad:
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
            and self.state.not_finite() is None
        )

    def _apply_carefully(self, until: int) -> Stretch:
        """Applies updates one at a time, up to the first that fails, which is found out about."""
        whole = Stretch()
        while self.state.step < until:
            update, before = self.state.step, self.state.snapshot()
            one = self._apply(update + 1)
            if not self._all_finite(one):
                after = self.state.not_finite()
                self.state.restore(before)
                whole.failure = self._failure(update, whole, after)
                self.state.restore(before)  # looking for the fault moved the running averages
                if begins_anew(self.phases, update):  # it has, though the update may be left out
                    self.state.forget(self.experiment.optimizer)
                return whole
            whole.losses += one.losses
            whole.hits += one.hits
            whole.gradient_norms += one.gradient_norms
            whole.sizes += one.sizes
        raise AssertionError("a stretch that failed succeeds when it is repeated")

    def _failure(self, update: int, before: Stretch, after: str | None) -> Failure:
        """Finds out what is not finite; `after` is the first such tensor after the update."""
        rows = self.order.rows(update)
        self.shares.training_mode(update)

        def forward() -> Tensor:
            return self._forward(self.state.network.module, update, rows)[2]

        if already := self.state.not_finite():
            what = f"{already} before the update"
        elif fault := first_fault(self.state.network.module, forward, self._backward):
            what = fault
        else:
            what = f"{after} after the update" if after else "the gradient's norm"
        norms = [*self.norms, *before.gradient_norms][-KEPT_NORMS:]
        lr, _ = rates(self.experiment, self.plan, self.state, update)
        return Failure(update, what, lr * self.shares.highest, norms, rows.tolist())


class Measured:
    """Scalars that are looked at later: on the CPU they are there, from a GPU they come together.

    Numbers are kept and not tensors: a small tensor that outlives its update would sit at the top
    of the heap and keep malloc from reusing what lies below.
    """

    def __init__(self) -> None:
        self._numbers: list[float] = []
        self._pending: list[Tensor] = []

    def add(self, scalar: Tensor) -> None:
        """Takes a scalar tensor."""
        if scalar.is_cpu:
            self._numbers.append(scalar.item())
        else:
            self._pending.append(scalar.detach())

    def values(self) -> list[float]:
        """Returns all of them, waiting for the device once."""
        if self._pending:
            self._numbers += torch.stack(self._pending).tolist()
            self._pending.clear()
        return self._numbers


class _Predicted:
    """The predicted class of every example of a stretch, compared with the truth at its end."""

    def __init__(self, batches: list[Tensor], train: Split) -> None:
        self.sizes = [len(rows) for rows in batches]
        self._batches = batches
        self._train = train
        classes = torch.empty(sum(self.sizes), dtype=torch.int64, device=train.inputs.device)
        self._classes = classes
        self._free = iter(torch.split(classes, self.sizes))
        self._taught: list[Tensor] = []

    def add(self, outputs: Tensor, taught: Tensor | None = None) -> None:
        """Takes the logits (B, C) of the next batch, or (B, 1) of two classes; and the classes that
        it was taught, where they are not those of the split.
        """
        if taught is not None:
            self._taught.append(taught)
        if outputs.shape[1] == 1:
            next(self._free).copy_(predicted_classes(outputs.detach()))
        else:
            torch.argmax(outputs.detach(), 1, out=next(self._free))

    def hits(self) -> list[int]:
        """Returns how many of each batch were classified rightly."""
        if not self._batches:
            return []
        if self._taught:
            true = torch.cat(self._taught)
        else:
            true = self._train.targets.index_select(0, torch.cat(self._batches))
        parts = torch.split(self._classes == true, self.sizes)
        counts: list[int] = torch.stack([part.sum() for part in parts]).tolist()
        return counts
