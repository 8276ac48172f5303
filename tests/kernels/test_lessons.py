from __future__ import annotations

import numpy as np
import pytest
import torch

from dnnlab.kernels.lessons import Pairing, corrupted, masked, turned


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(*shape: int) -> torch.Tensor:
    return 1 + torch.arange(float(torch.Size(shape).numel())).view(shape)


def test_noise_has_its_deviation_and_a_mask_its_share() -> None:
    inputs = torch.zeros(400, 500)
    noisy = corrupted(inputs, chance(), noise=0.5, mask=0)
    assert noisy.std().item() == pytest.approx(0.5, abs=0.01)  # 200,000 draws: 0.0008 is one sd
    ones = torch.ones(400, 500)
    kept = corrupted(ones, chance(), noise=0, mask=0.3)
    assert set(kept.flatten().tolist()) == {0.0, 1.0}, "what is left is not scaled up"
    assert kept.mean().item() == pytest.approx(0.7, abs=0.01)  # one sd is 0.001


def test_noise_is_masked_too() -> None:
    both = corrupted(torch.zeros(50, 50), chance(), noise=1, mask=0.4)
    assert (both == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)  # one sd is 0.01


@pytest.mark.parametrize(("noise", "mask"), [(0.5, 0.0), (0.0, 0.3), (0.5, 0.3)])
def test_corruption_follows_from_the_generator(noise: float, mask: float) -> None:
    inputs = numbers(6, 5)
    first, again, other = (
        corrupted(inputs, chance(seed), noise=noise, mask=mask) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(inputs, numbers(6, 5)), "the split itself stays as it is"


@pytest.mark.parametrize(("share", "count"), [(0.3, 4), (0.5, 6), (0.01, 1)])
def test_a_share_of_each_examples_features_is_replaced(share: float, count: int) -> None:
    inputs = numbers(9, 3, 4)
    fill = -100 * numbers(7, 12)
    replaced, targets = masked(inputs, fill, chance(), share=share)
    asked = ~targets.isnan()
    assert asked.sum(1).tolist() == [count] * 9
    assert torch.equal(targets[asked], inputs.flatten(1)[asked])
    assert replaced.shape == inputs.shape
    assert torch.equal(replaced.flatten(1)[~asked], inputs.flatten(1)[~asked])
    for example, feature in asked.nonzero().tolist():
        assert replaced.flatten(1)[example, feature] in fill[:, feature]
    assert torch.equal(inputs, numbers(9, 3, 4))


def test_features_are_replaced_from_rows_of_their_own() -> None:
    """Were one row drawn for an example, the features of all would be of one other example."""
    fill = numbers(50, 1).expand(50, 20)
    replaced, targets = masked(torch.zeros(1, 20), fill, chance(), share=0.9)
    assert len(set(replaced[~targets.isnan()].tolist())) > 10


def test_masks_follow_from_the_generator() -> None:
    inputs = numbers(9, 8)
    first, again, other = (masked(inputs, -inputs, chance(seed), share=0.3) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1].isnan(), again[1].isnan())
    assert not torch.equal(first[1].isnan(), other[1].isnan())


@pytest.mark.parametrize("shape", [(40, 3, 3), (40, 2, 3, 3)])
def test_images_are_turned_as_numpy_turns_them(shape: tuple[int, ...]) -> None:
    images = numbers(*shape)
    results, quarters = turned(images, chance())
    assert set(quarters.tolist()) == {0, 1, 2, 3}
    for image, result, count in zip(images, results, quarters.tolist(), strict=True):
        expected = np.rot90(image.numpy(), count, axes=(-2, -1))
        np.testing.assert_array_equal(result.numpy(), expected)
    assert torch.equal(images, numbers(*shape))
    assert torch.equal(turned(images, chance())[0], results)
    assert not torch.equal(turned(images, chance(1))[1], quarters)


CLASSES = torch.tensor([2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 3])
"""The last one is the only one of its class."""


@pytest.mark.parametrize("count", [10, 9])
def test_half_of_the_pairs_are_of_one_class_and_none_is_of_one_example(count: int) -> None:
    pairing = Pairing(CLASSES)
    rows = torch.arange(count)
    for seed in range(200):
        partners, alike = pairing.partners(rows, chance(seed))
        assert int(alike.sum()) == (count + 1) // 2
        assert torch.equal(CLASSES[rows] == CLASSES[partners], alike.bool())
        assert not (partners == rows).any()


def test_every_partner_there_can_be_is_met_equally_often() -> None:
    pairing = Pairing(CLASSES)
    met = {0: torch.zeros(11), 1: torch.zeros(11)}
    for seed in range(3000):
        (partner,), (alike,) = pairing.partners(torch.tensor([4]), chance(seed))
        met[int(alike)][partner] += 1
    # A batch of one is always of one class: of three others in class 0.
    assert met[1][[1, 7, 9]].sum() == 3000
    assert met[1][[1, 7, 9]].min() > 900  # 1,000 each, one sd is 26
    other = torch.zeros(11)
    for seed in range(3000):
        partners, alike = pairing.partners(torch.tensor([4, 4]), chance(seed))
        other[partners[alike == 0]] += 1
    strangers = [0, 2, 3, 5, 6, 8, 10]
    assert other[strangers].sum() == 3000
    assert other[strangers].min() > 350  # 429 each, one sd is 19


def test_who_is_alone_in_its_class_meets_itself_and_one_class_has_no_others() -> None:
    pairing = Pairing(CLASSES)
    (partner,), (alike,) = pairing.partners(torch.tensor([10]), chance())
    assert (int(partner), int(alike)) == (10, 1)
    partners, alike = Pairing(torch.zeros(5, dtype=torch.int64)).partners(torch.arange(5), chance())
    assert alike.tolist() == [1] * 5
    assert not (partners == torch.arange(5)).any()


def test_the_partner_stands_beside_the_example() -> None:
    split = numbers(11, 2, 3)
    rows = torch.tensor([7, 2, 5])
    pairing = Pairing(CLASSES)
    pairs, alike = pairing(-split[rows], rows, split, chance(3))
    partners, expected = pairing.partners(rows, chance(3))
    assert torch.equal(pairs[:, 0], -split[rows]), "as it came, augmented perhaps"
    assert torch.equal(pairs[:, 1], split[partners])
    assert torch.equal(alike, expected)
