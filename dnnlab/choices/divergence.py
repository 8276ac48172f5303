"""Divergence: what a training does when a number in it stops being finite."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from dnnlab.spec import Count, Spec

ONE_OF = "stop, {skip: 10} or {rollback: {lr_factor: 0.5, max: 3}}"


class Rollback(Spec):
    """Goes back to the newest checkpoint that was due, and on from there with a lower rate.

        lr <- lr_factor * lr

    Without a checkpoint the training begins anew. What was measured after it no longer counts.
    Source: Zhang et al., 2022 (OPT), section 2.5.
    Keras and PyTorch: none.
    """

    lr_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the learning rate is multiplied by each time, from the checkpoint on."""
    max: Count = 3
    """How often in the whole training; one failure more ends it."""


class Divergence(Spec):
    """What happens when a loss, gradient, weight or the optimizer's memory is no finite number.

    The update that would have made it so is never kept, whatever follows: the training stands
    before it. In float16 an update whose gradient overflows because of the loss scale is no
    failure.
    Source: Chowdhery et al., 2022 (PaLM), section 5.1, for leaving batches out; Rollback's own.
    Keras: TerminateOnNaN, which stops after the weights are lost. PyTorch: none.
    """

    skip: Count | None = None
    """Leave out up to this many updates of the whole training; one failure more ends it."""
    rollback: Rollback | None = None
    """Go back to the newest checkpoint, and on from there with a lower learning rate."""
    then: Literal["stop"] = "stop"
    """Where neither is allowed, or not any more, the training ends with exit code 5; its last
    checkpoint stays."""

    @field_validator("then", mode="before")
    @classmethod
    def _one_word(cls, value: Any) -> Any:
        if value != "stop":
            raise ValueError(f"{json.dumps(value, default=str)} is not {ONE_OF}")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.skip is not None and self.rollback is not None:
            raise ValueError("give skip or rollback; the other is null")
        return self
