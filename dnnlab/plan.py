"""The plan: what an experiment means in updates, once the number of training examples is known."""

from __future__ import annotations

from dataclasses import dataclass

from dnnlab.choices.schedules import Span


@dataclass(frozen=True)
class Plan:
    """Counts of updates. `step` is the number of updates already applied, so step 0 is the start.

    A boundary is a step after which something other than an update happens.
    """

    num_train: int
    batch_size: int
    updates_per_epoch: int
    total_updates: int
    span: Span
    """What the schedule is stretched over."""
    evaluate_every: int
    checkpoint_every: int
    patience: int | None
    """Updates without a new best after which early stopping ends the training."""

    def batch(self, update: int) -> tuple[int, int, int]:
        """Returns (epoch, start, stop): which part of which epoch's order an update takes."""
        epoch, index = divmod(update, self.updates_per_epoch)
        start = index * self.batch_size
        return epoch, start, min(start + self.batch_size, self.num_train)

    def evaluates_at(self, step: int) -> bool:
        """Whether the net is evaluated after `step` updates."""
        return step == self.total_updates or (step > 0 and step % self.evaluate_every == 0)

    def saves_at(self, step: int) -> bool:
        """Whether a checkpoint is due after `step` updates."""
        return step == self.total_updates or (step > 0 and step % self.checkpoint_every == 0)

    def last_saves(self, step: int) -> tuple[int, int]:
        """Returns the last two steps, up to this one, after which a checkpoint was due, the newer
        one first; 0, the beginning, where there were none.
        """
        last = step - step % self.checkpoint_every
        return last, max(0, last - self.checkpoint_every)

    def next_boundary(self, step: int) -> int:
        """Returns the first boundary after `step`."""
        following = (
            (step // every + 1) * every for every in (self.evaluate_every, self.checkpoint_every)
        )
        return min(self.total_updates, *following)

    def epoch_of(self, step: int) -> float:
        """Returns how many epochs `step` updates are; whole numbers as ints."""
        whole, rest = divmod(step, self.updates_per_epoch)
        return whole if rest == 0 else round(step / self.updates_per_epoch, 4)
