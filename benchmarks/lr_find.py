"""dnnlab's range test and the published rules on the same curves, whose usable rates are known.

    python benchmarks/lr_find.py [--seeds 20] [--points 500] [--json]
    python benchmarks/lr_find.py configs/fashion_mlp.yaml configs/cnn.yaml [--updates 1000]

Where a loss turns up depends on the net, and for real nets nobody knows the answer. Here one does.
`quadratic` curves are range tests of gradient descent on noisy quadratics, simulated update by
update: for these the expected loss after any number of updates at any constant rate is a closed
form, and a rate is usable if after 2,000 updates it is within a fiftieth of the whole fall of the
best. `formula` curves are written down: a fall, a valley and a rise at a stated rate T; usable is
from the first rate at which a tenth of the fall is done to T / 3.

The rules of the peers are written anew from what they publish: each gets the same rates and losses,
its own smoothing (a running mean with .98 of its past, its start corrected), its own end (a loss
over four times the best), its own parts left out at both ends, and then its own rule.

With configs it tests real nets: what is picked, and how trainings with the pick, with the turning
point and with ten times that go from the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnnlab.methods.range_curve import analyze, has_diverged, rates_between

Floats = NDArray[np.float64]

START, END, ORDERS = 1e-5, 10.0, 3
UPDATES = 500
RATES = rates_between(START, END, UPDATES)
DECADES = math.log10(END / START) / (UPDATES - 1)
STRETCH = 20
"""Updates between two looks of dnnlab's at whether a test has diverged."""
TRAINED = 2_000
"""Updates after which a rate is judged on a quadratic."""


@dataclass(frozen=True)
class Case:
    """Losses of several orders, and the rates that are right; None where refusing is."""

    name: str
    orders: list[Floats]
    usable: tuple[float, float] | None
    best: float | None
    """What an error is measured from: only where it follows from no rule of thumb."""


def use(points: int) -> None:
    """Makes all tests of this process have so many updates."""
    global UPDATES, RATES, DECADES
    UPDATES, RATES = points, rates_between(START, END, points)
    DECADES = math.log10(END / START) / (points - 1)


# --- curves ----------------------------------------------------------------------------------


def formula(
    turning: float,
    *,
    noise: float,
    fall_at: float,
    base: float = 0.6,
    tail: bool = False,
    spikes: float = 0.0,
) -> Callable[[np.random.Generator], Floats]:
    """Returns a maker of: 2.3, a fall to `base` around `fall_at`, a rise to the power 2 from T."""
    x = np.log10(RATES)
    fallen = 1 / (1 + np.exp(-(x - math.log10(fall_at)) / 0.25))
    risen = np.where(turning < RATES, (RATES / turning) ** 2 - 1, 0.0)
    curve = 2.3 + (base - 2.3) * fallen + np.minimum(risen, 1e4)

    def make(random: np.random.Generator) -> Floats:
        draws = (
            random.standard_t(4, UPDATES) / math.sqrt(2) if tail else random.normal(size=UPDATES)
        )
        spiked = np.where(random.random(UPDATES) < spikes, 5.0, 0.0)
        return np.asarray(curve + noise * draws + spiked)

    return make


def usable_of_formula(turning: float, fall_at: float) -> tuple[float, float]:
    """Returns from where a tenth of the fall is done to a third of T."""
    begun = 10 ** (math.log10(fall_at) - 0.25 * math.log(9))
    return min(begun, turning / 10), turning / 3


def quadratic(
    curvatures: Floats, *, noise: float, shift: float
) -> Callable[[np.random.Generator], Floats]:
    """Returns a maker of the losses of sum(h w²) / 2 + shift, each batch's minimum displaced by
    `noise`, while the rate rises.
    """

    def make(random: np.random.Generator) -> Floats:
        weights = np.ones_like(curvatures)
        losses = []
        for rate in RATES:
            away = weights - noise * random.normal(size=len(weights))
            losses.append(float((curvatures * away**2).sum() / 2) + shift)
            weights = weights - rate * curvatures * away
            if not np.isfinite(losses[-1]) or losses[-1] > 1e12:
                break
        return np.array(losses)

    return make


def expected(curvatures: Floats, noise: float, rates: Floats) -> Floats:
    """Returns the expected loss after TRAINED updates at each constant rate, without the shift.

    E w² obeys m <- (1 - a h)² m + (a h)² noise², and a batch adds noise² to what is seen.
    """
    product = np.outer(rates, curvatures)
    keep = (1 - product) ** 2
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        power = keep**TRAINED
        rest = np.where(keep == 1, TRAINED, (1 - power) / (1 - keep))
        second = power + rest * product**2 * noise**2
        return np.asarray(((second + noise**2) * curvatures).sum(axis=1) / 2)


def usable_of_quadratic(curvatures: Floats, noise: float) -> tuple[float, float, float]:
    """Returns the lowest and highest usable rate and the best one, on a fine grid."""
    rates = np.geomspace(1e-8, 1e3, 4001)
    losses = expected(curvatures, noise, rates)
    losses = np.where(np.isfinite(losses), losses, np.inf)
    whole = float(curvatures.sum() / 2 * (1 + noise**2)) - losses.min()
    right = rates[losses <= losses.min() + 0.02 * whole]
    return float(right[0]), float(right[-1]), float(rates[int(np.argmin(losses))])


def cut(losses: Floats) -> Floats:
    """Returns what dnnlab measures of a curve: it stops once the loss has diverged."""
    finite = int(np.argmin(np.isfinite(losses))) if not np.isfinite(losses).all() else len(losses)
    for end in range(STRETCH, finite + STRETCH, STRETCH):
        if has_diverged(losses[: min(end, finite)], DECADES):
            return losses[: min(end, finite)]
    return losses[:finite]


def cases(seeds: int) -> Iterator[Case]:
    """Yields every curve with several seeds of noise."""
    made: list[tuple[str, Callable[[np.random.Generator], Floats], tuple[float, ...] | None]] = []

    def add_formula(
        name: str, turning: float, fall_at: float, noise: float, **more: object
    ) -> None:
        low, high = usable_of_formula(turning, fall_at)
        maker = formula(turning, noise=noise, fall_at=fall_at, **more)  # type: ignore[arg-type]
        made.append((name, maker, (low, high)))

    add_formula("formula, clean", 0.3, 3e-3, 0.0)
    add_formula("formula, usual noise", 0.3, 3e-3, 0.2)
    add_formula("formula, noisy", 0.3, 3e-3, 0.6)
    add_formula("formula, very noisy", 0.3, 3e-3, 1.5)
    add_formula("formula, heavy tails", 0.3, 3e-3, 0.3, tail=True)
    add_formula("formula, spikes", 0.3, 3e-3, 0.2, spikes=0.02)
    add_formula("formula, late minimum", 3.0, 0.3, 0.2)
    add_formula("formula, early divergence", 3e-3, 1e-4, 0.2)
    add_formula("formula, wide valley", 1.0, 1e-3, 0.2)
    add_formula("formula, around 0", 0.3, 3e-3, 0.1, base=-1.0)
    spread = np.geomspace(0.01, 1.0, 30)
    for name, curvatures, noise, shift in (
        ("quadratic, one scale", np.full(30, 1.0), 0.2, 0.0),
        ("quadratic, 2 decades", spread * 4, 0.2, 0.0),
        ("quadratic, steep", spread * 40, 0.2, 0.5),
        ("quadratic, noisy", spread * 10, 0.6, 0.0),
        ("quadratic, 4 decades", np.geomspace(1e-3, 10, 40), 0.2, 0.0),
    ):
        answer = usable_of_quadratic(curvatures, noise)
        made.append((name, quadratic(curvatures, noise=noise, shift=shift), answer))
    refusing: list[tuple[str, Callable[[np.random.Generator], Floats]]] = [
        ("flat", lambda random: 2.3 + 0.1 * random.normal(size=UPDATES)),
        ("flat, no noise", lambda random: np.full(UPDATES, 2.3)),
        ("noise only", lambda random: 2.3 + 1.0 * random.normal(size=UPDATES)),
        ("still falling", formula(1e4, noise=0.2, fall_at=3.0)),
        ("falls at once", formula(8e-5, noise=0.1, fall_at=2e-5)),
        ("diverges at once", formula(2e-5, noise=0.1, fall_at=1e3)),
        ("only rises", formula(0.1, noise=0.2, fall_at=1e6)),
    ]
    made += [(name, maker, None) for name, maker in refusing]
    for name, maker, answer_or_none in made:
        for seed in range(seeds):
            random = np.random.default_rng([seed, *name.encode()])
            orders = [maker(random) for _ in range(ORDERS)]
            if answer_or_none is None:
                yield Case(name, orders, None, None)
            else:
                low, high, *best = answer_or_none
                yield Case(name, orders, (low, high), best[0] if best else None)


# --- rules -----------------------------------------------------------------------------------


def averaged(losses: Floats) -> tuple[Floats, Floats]:
    """Returns rates and the running mean that Lightning and fastai keep, up to their end."""
    mean, best, smoothed = 0.0, math.inf, []
    for count, loss in enumerate(losses, 1):
        mean = 0.98 * mean + 0.02 * loss
        value = mean / (1 - 0.98**count)
        smoothed.append(value)
        if not math.isfinite(value) or (count > 1 and value > 4 * best):
            break
        best = min(best, value)
    return RATES[: len(smoothed)], np.array(smoothed)


def lightning(losses: Floats) -> float | None:
    """Returns the steepest fall of the running mean over the rate itself; ends left out: 10, 1."""
    lr, values = averaged(losses)
    lr, values = lr[10:-1], values[10:-1]
    return None if len(lr) < 2 else float(lr[int(np.argmin(np.gradient(values, lr)))])


def lightning_by_index(losses: Floats) -> float | None:
    """Returns the steepest fall of the running mean over the updates, as earlier versions did."""
    lr, values = averaged(losses)
    lr, values = lr[10:-1], values[10:-1]
    return None if len(lr) < 2 else float(lr[int(np.argmin(np.gradient(values)))])


def of_fastai(losses: Floats) -> tuple[Floats, Floats]:
    """Returns what fastai's rules see: without the first tenth of the test and the last five."""
    lr, values = averaged(losses)
    return lr[UPDATES // 10 : -5], values[UPDATES // 10 : -5]


def fastai_valley(losses: Floats) -> float | None:
    """Returns the middle of the longest subsequence that falls."""
    lr, values = of_fastai(losses)
    if len(lr) < 2:
        return None
    length, last = np.ones(len(values), dtype=int), 0
    for index in range(1, len(values)):
        lower = length[:index][values[:index] > values[index]]
        length[index] = 1 + (lower.max() if len(lower) else 0)
        if length[index] > length[last]:
            last = index
    first = last - int(length[last])
    part = (last - first) / 3
    return float(lr[first + int(part) + int(part / 2)])


def fastai_slide(losses: Floats) -> float | None:
    """Returns where, coming from the right, slopes 15 points apart become alike."""
    lr, values = of_fastai(losses)
    if len(lr) < 17:
        return None
    slopes = np.gradient(values)
    right = len(lr) - 1
    found = lr[right - 15]
    while right - 15 >= 0 and abs(slopes[right] - slopes[right - 15]) > 0.005:
        found = lr[right - 15]
        right -= 1
    return float(found)


def fastai_minimum(losses: Floats) -> float | None:
    """Returns a tenth of the rate at the lowest."""
    lr, values = of_fastai(losses)
    return float(lr[int(np.argmin(values))]) / 10 if len(lr) else None


def fastai_steep(losses: Floats) -> float | None:
    """Returns the steepest fall over the logarithm of the rate."""
    lr, values = of_fastai(losses)
    return float(lr[int(np.argmin(np.diff(values) / np.diff(np.log(lr))))]) if len(lr) > 1 else None


def minimum_over_ten(losses: Floats) -> float | None:
    """Returns a tenth of the rate of the lowest loss, unsmoothed: the chapter's rule by eye."""
    finite = losses[np.isfinite(losses)]
    return float(RATES[int(np.argmin(finite))]) / 10 if len(finite) else None


PEERS: dict[str, Callable[[Floats], float | None]] = {
    "Lightning": lightning,
    "Lightning, older": lightning_by_index,
    "fastai valley": fastai_valley,
    "fastai slide": fastai_slide,
    "fastai minimum/10": fastai_minimum,
    "fastai steep": fastai_steep,
    "raw minimum/10": minimum_over_ten,
}


def dnnlab(orders: list[Floats]) -> float | None:
    """Returns dnnlab's pick for a constant rate."""
    return analyze(RATES, [cut(order) for order in orders]).constant


# --- the comparison --------------------------------------------------------------------------


@dataclass
class Score:
    """What a rule did on curves that have an answer, and on those that have none."""

    usable: list[bool]
    errors: list[float]
    refused_wrongly: int
    refusals: list[bool]
    picks: dict[str, list[float]]
    """By kind of curve; over the seeds of their noise they should not differ."""

    def row(self) -> dict[str, float]:
        """Returns shares and the median of |log10(pick / best)|."""
        return {
            "usable": statistics.mean(self.usable),
            "error": statistics.median(self.errors) if self.errors else math.nan,
            "spread": statistics.median(
                statistics.pstdev(map(math.log10, picks)) for picks in self.picks.values()
            ),
            "refused": statistics.mean(self.refusals),
        }


def compare(seeds: int) -> tuple[dict[str, Score], dict[str, dict[str, float]]]:
    """Returns each rule's score, and its share of usable or refused by kind of curve."""
    rules: dict[str, Callable[[Case], float | None]] = {
        f"dnnlab, {ORDERS} orders": lambda case: dnnlab(case.orders),
        "dnnlab, 1 order": lambda case: dnnlab(case.orders[:1]),
    }
    for name, rule in PEERS.items():
        rules[name] = lambda case, rule=rule: rule(case.orders[0])  # type: ignore[misc]
    scores = {name: Score([], [], 0, [], {}) for name in rules}
    by_kind: dict[str, dict[str, list[bool]]] = {}
    for case in cases(seeds):
        for name, pick_of in rules.items():
            pick, score = pick_of(case), scores[name]
            if case.usable is None:
                right = pick is None
                score.refusals.append(right)
            else:
                right = pick is not None and case.usable[0] <= pick <= case.usable[1]
                score.usable.append(right)
                if pick is None:
                    score.refused_wrongly += 1
                    pick = math.nan
                else:
                    score.picks.setdefault(case.name, []).append(pick)
                if case.best is not None and math.isfinite(pick):
                    score.errors.append(abs(math.log10(pick / case.best)))
            by_kind.setdefault(case.name, {}).setdefault(name, []).append(right)
    shares = {
        kind: {name: statistics.mean(rights) for name, rights in rules_of.items()}
        for kind, rules_of in by_kind.items()
    }
    return scores, shares


def real(config: str, updates: int, orders: int) -> str:
    """Returns a row: what is picked for a config, and how trainings from its first weights end."""
    from dnnlab.config.read import read
    from dnnlab.methods.lr_find import RangeTest, find, from_config, train_at

    start = from_config(read(config))
    began = time.monotonic()
    result = find(start, RangeTest(orders=orders))
    found, seconds = result.found, time.monotonic() - began
    if found.constant is None or found.turning_point is None:
        return f"| `{config}` | {found.refusal} |"
    first = float(np.mean(result.orders[0].losses[:20]))
    ends = []
    for rate in (found.constant, found.turning_point, 10 * found.turning_point):
        loss, error = train_at(start, rate, updates)
        ends.append(f"{loss:.3g} ± {error:.1g}" if math.isfinite(loss) else "diverged")
    return (
        f"| `{config}` | {orders}, {seconds:.0f} s | {found.low:.2g} to {found.high:.2g} "
        f"| {found.turning_point:.2g} | {found.constant:g} ({result.lr_now:g}) | {first:.3g} "
        f"| {' | '.join(ends)} |"
    )


def main() -> None:
    """Prints the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("configs", nargs="*")
    options.add_argument("--updates", type=int, default=1000)
    options.add_argument("--orders", type=int, default=ORDERS)
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--points", type=int, default=UPDATES)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if chosen.configs:
        print("| config | orders | usable | turns up | pick (its own) | before | pick | T | 10 T |")
        print("|---|---|---|---|---|---|---|---|---|")
        for config in chosen.configs:
            print(real(config, chosen.updates, chosen.orders), flush=True)
        return
    use(chosen.points)
    scores, shares = compare(chosen.seeds)
    if chosen.json:
        print(json.dumps({"rules": {k: s.row() for k, s in scores.items()}, "curves": shares}))
        return
    print(
        "| rule | usable picks | wrong picks | refused wrongly | median error "
        "| spread over seeds | refused rightly |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, score in scores.items():
        row, refused = score.row(), score.refused_wrongly / len(score.usable)
        wrong = abs(1 - row["usable"] - refused)
        print(
            f"| {name} | {row['usable']:.0%} | {wrong:.0%} | {refused:.0%} "
            f"| {row['error']:.2f} | {row['spread']:.2f} | {row['refused']:.0%} |"
        )
    print()
    print("| curve | " + " | ".join(scores) + " |")
    print("|---|" + "---|" * len(scores))
    for kind, row in shares.items():
        print(f"| {kind} | " + " | ".join(f"{row[name]:.0%}" for name in scores) + " |")


if __name__ == "__main__":
    main()
