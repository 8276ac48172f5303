from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from dnnlab.choices.datasets import image_folder
from dnnlab.choices.datasets.image_folder import ImageFolder, images_at, natural, read_image
from dnnlab.errors import DataError
from dnnlab.training.data import prepare
from tests.formats import write_images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def dataset(folder: Path, **settings: object) -> ImageFolder:
    return ImageFolder.model_validate({"name": "image_folder", "path": str(folder), **settings})


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(DataError) as caught:
        dataset(folder, **settings).read()
    return f"{caught.value.message} | {caught.value.remedy}"


def striped(*columns: tuple[int, int, int], height: int = 4) -> Image.Image:
    """Returns an image with one colour per column."""
    return Image.fromarray(np.array([columns] * height, dtype=np.uint8))


# --- layout -------------------------------------------------------------------------------------


def test_one_folder_per_class(tmp_path: Path) -> None:
    write_images(tmp_path, classes=["dog", "cat", "ant"], count=5)
    source = dataset(tmp_path, size=4).read()
    assert source.class_names == ("ant", "cat", "dog")
    assert (len(source.train), len(source.test)) == (12, 3)
    assert source.train.inputs.shape == (12, 3, 4, 4)
    assert source.train.inputs.dtype == np.uint8
    # Each class was given a red of its own, 40 * number in the order above, plus the row.
    reds = source.train.inputs[:, 0, 0, 0] // 40
    written = np.array([2, 1, 0])[source.train.targets]
    np.testing.assert_array_equal(reds, written)


def test_train_and_test_apart(tmp_path: Path) -> None:
    write_images(tmp_path / "train", classes=["cat", "dog"], count=4)
    write_images(tmp_path / "test", classes=["dog"], count=3)
    source = dataset(tmp_path, size=4).read()
    assert source.train.targets.tolist() == [0] * 4 + [1] * 4
    assert source.test.targets.tolist() == [1] * 3
    assert source.class_names == ("cat", "dog")


def test_train_alone_holds_its_test_out(tmp_path: Path) -> None:
    write_images(tmp_path / "train", count=5)
    source = dataset(tmp_path, size=4, test={"first": 3}).read()
    assert (len(source.train), len(source.test)) == (7, 3)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_images(tmp_path, classes=["car", "train"])
    assert dataset(tmp_path, size=4).read().class_names == ("car", "train")


def test_the_order_is_natural_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, classes=["10", "9", "1", "b", "a"], count=12)
    first = dataset(tmp_path, size=2, test={"first": 1}).read()
    assert first.class_names == ("1", "9", "10", "a", "b")
    # The writer made row r blue 10 r: within a class the files come in the order of their numbers.
    assert first.train.inputs[:11, 2, 0, 0].tolist() == [10 * row for row in range(1, 12)]
    listdir = os.listdir

    def shuffled(path: Path) -> list[str]:
        names = listdir(path)
        random.Random(1).shuffle(names)
        return names

    monkeypatch.setattr(os, "listdir", shuffled)
    again = dataset(tmp_path, size=2, test={"first": 1}).read()
    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    np.testing.assert_array_equal(first.train.targets, again.train.targets)


def test_names_that_differ_only_in_leading_zeros_have_an_order() -> None:
    names = ["a1", "a01", "a001", "A1"]
    for order in (names, names[::-1]):
        assert sorted(order, key=natural) == ["A1", "a001", "a01", "a1"]


def test_what_file_managers_leave_is_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path, count=5)
    for path in (tmp_path, tmp_path / "cat"):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._1.png", ".hidden"):
            (path / name).write_bytes(b"junk")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "README.txt").write_text("about the images")
    source = dataset(tmp_path, size=4).read()
    assert len(source.train) + len(source.test) == 10
    assert source.class_names == ("cat", "dog")


def test_what_is_known_without_reading() -> None:
    assert dataset(Path("anywhere")).signature() is None
    assert dataset(Path("anywhere")).task_of_data == "classification"


# --- layouts that are refused -------------------------------------------------------------------


def test_no_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == (
        f"there is no folder {tmp_path / 'nowhere'} | correct data.path"
    )


def test_fewer_than_two_classes(tmp_path: Path) -> None:
    assert "has 0 folders of images" in refusal(tmp_path)
    write_images(tmp_path, classes=["cat"])
    assert "has 1 folders of images" in refusal(tmp_path)


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "bird").mkdir()
    (tmp_path / "bird" / ".DS_Store").write_bytes(b"")
    assert "the folder of class 'bird' holds no image" in refusal(tmp_path)


def test_a_loose_image_is_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "loose.JPG").write_bytes(b"")
    assert "loose.JPG lies beside the folders of the classes" in refusal(tmp_path)


def test_a_folder_inside_a_class_is_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "cat" / "old").mkdir()
    assert f"{tmp_path / 'cat' / 'old'} is a folder inside" in refusal(tmp_path)


def test_a_class_of_the_test_that_is_not_in_train(tmp_path: Path) -> None:
    write_images(tmp_path / "train")
    write_images(tmp_path / "test", classes=["cow"])
    assert "the class 'cow' is not in" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_is_the_validation_split(name: str, tmp_path: Path) -> None:
    write_images(tmp_path / "train")
    write_images(tmp_path / name)
    source = dataset(tmp_path, size=4).read()
    assert source.validation is not None
    in_folder = sum(1 for path in (tmp_path / name).rglob("*") if path.is_file())
    in_train = sum(1 for path in (tmp_path / "train").rglob("*") if path.is_file())
    assert len(source.validation) == in_folder
    assert len(source.train) + len(source.test) == in_train
    data = prepare(dataset(tmp_path, size=4))
    assert data.validation is not None
    assert (len(data.validation), len(data.train)) == (in_folder, len(source.train))


def test_without_a_validation_split_its_folder_is_left_alone(tmp_path: Path) -> None:
    write_images(tmp_path / "train")
    write_images(tmp_path / "val")
    assert prepare(dataset(tmp_path, size=4, validation=None)).validation is None


def test_two_validation_folders_are_one_too_many(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        write_images(tmp_path / name)
    assert "has valid beside val" in refusal(tmp_path)


def test_all_damaged_images_are_named_at_once(tmp_path: Path) -> None:
    write_images(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for path in files[:7]:
        path.write_bytes(b"no image")
    said = refusal(tmp_path)
    assert said.startswith("7 images cannot be used:")
    assert all(str(path) in said for path in files[:5])
    assert "and 2 more" in said
    assert "take them out of the folder" in said


def test_a_test_without_train(tmp_path: Path) -> None:
    write_images(tmp_path / "test")
    assert "has test but no train" in refusal(tmp_path)


def test_a_class_beside_train(tmp_path: Path) -> None:
    write_images(tmp_path / "train")
    write_images(tmp_path, classes=["cat"])
    assert "has cat beside train" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("place", "target"),
    [("cat/x.png", "secret/0.png"), ("bird", "secret"), ("train", ""), ("train/bird", "secret")],
)
def test_links_out_of_the_folder_are_not_followed(place: str, target: str, tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write_images(inside / "train" if place == "train/bird" else inside)
    write_images(outside, classes=["secret"])
    link = inside / place
    link.symlink_to(outside / target)
    assert f"{link} is a link that leads out of {inside}" in refusal(inside)


def test_links_inside_the_folder_are_followed(tmp_path: Path) -> None:
    write_images(tmp_path / "real", count=5)
    (tmp_path / "real" / "cat" / "again.png").symlink_to("0.png")
    (tmp_path / "link").symlink_to("real")
    source = dataset(tmp_path / "link", size=4).read()
    assert len(source.train) + len(source.test) == 11


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "cat" / "x.png").symlink_to("gone.png")
    assert "x.png is a link that leads nowhere" in refusal(tmp_path)


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 images of 3 x 16 x 16 numbers of 4 bytes are 30,720 bytes."""
    write_images(tmp_path, count=5)
    monkeypatch.setattr(image_folder, "MOST_BYTES", 30_720)
    dataset(tmp_path, size=16, test={"first": 1}).read()
    monkeypatch.setattr(image_folder, "MOST_BYTES", 30_719)
    monkeypatch.setattr(image_folder, "read_image", None)
    write_images(tmp_path / "train", count=10)
    with pytest.raises(DataError, match=r"10 images of shape \[3, 16, 16\] take") as caught:
        dataset(tmp_path, size=16).images([tmp_path] * 10)
    assert "a smaller data.size, or data.colour: grey" in caught.value.remedy


# --- one image ----------------------------------------------------------------------------------


def one(
    image: Image.Image, folder: Path, *, size: int = 4, colour: Literal["rgb", "grey"] = "rgb"
) -> np.ndarray:
    """Saves an image without loss and reads it as a dataset would."""
    image.save(folder / "one.png")
    return read_image(folder / "one.png", size=size, colour=colour)


def test_the_centre_of_a_wide_image_is_kept(tmp_path: Path) -> None:
    image = striped(RED, RED, GREEN, BLUE, GREEN, GREEN, RED, RED)  # 8 wide, 4 high
    found = one(image, tmp_path)
    assert found.shape == (3, 4, 4)
    expected = np.array([GREEN, BLUE, GREEN, GREEN], dtype=np.uint8).T[:, None, :]
    np.testing.assert_array_equal(found, np.repeat(expected, 4, axis=1))


def test_the_centre_of_a_tall_image_is_kept(tmp_path: Path) -> None:
    image = striped(RED, GREEN, BLUE, BLUE).rotate(90, expand=True).resize((4, 4))
    tall = Image.new("RGB", (4, 8), RED)
    tall.paste(image, (0, 2))
    np.testing.assert_array_equal(one(tall, tmp_path), np.asarray(image).transpose(2, 0, 1))


def test_a_larger_image_is_averaged_over_its_area(tmp_path: Path) -> None:
    """Every output pixel sees all inputs near it: a fine checkerboard becomes grey, not a pattern.

    Halving by a triangle filter of radius 2 input pixels weighs black and white alike: 127.5.
    """
    board = (np.indices((16, 16)).sum(axis=0) % 2 * 255).astype(np.uint8)
    found = one(Image.fromarray(board), tmp_path, size=8, colour="grey")
    assert found.shape == (8, 8)
    assert np.abs(found[1:-1, 1:-1].astype(int) - 127.5).max() <= 1  # rounding to bytes


def test_a_smaller_image_is_enlarged(tmp_path: Path) -> None:
    found = one(Image.new("RGB", (3, 2), GREEN), tmp_path, size=5)
    np.testing.assert_array_equal(found[1], np.full((5, 5), 255))


def test_grey_is_the_luma_of_the_colours(tmp_path: Path) -> None:
    for shade in (RED, GREEN, BLUE, (10, 200, 90)):
        expected = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2]
        found = one(Image.new("RGB", (4, 4), shade), tmp_path, colour="grey")
        assert found.shape == (4, 4)
        assert np.abs(found - expected).max() <= 1  # Pillow rounds the weights to 1/65536


def test_a_grey_image_in_colour_is_the_same_thrice(tmp_path: Path) -> None:
    found = one(Image.new("L", (4, 4), 77), tmp_path)
    np.testing.assert_array_equal(found, np.full((3, 4, 4), 77))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_of_eight_bits_is_read(mode: str, tmp_path: Path) -> None:
    found = one(Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode), tmp_path)
    np.testing.assert_array_equal(found, np.full((3, 4, 4), 255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_camera_says(orientation: int, tmp_path: Path) -> None:
    """Tag 274 says where the first row and column of the stored image are (EXIF 2.3, table 4.6.4).

    The stored image is made from the upright one by the inverse of what a viewer has to do.
    """
    upright = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),  # the viewer turns it clockwise
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[274] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    found = read_image(tmp_path / "turned.png", size=4, colour="grey")
    np.testing.assert_array_equal(found, upright)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "gif", "ppm", "tiff", "webp"])
def test_formats(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"image.{ending}"
    Image.new("RGB", (8, 8), (0, 128, 255)).save(path)
    found = read_image(path, size=4, colour="rgb").astype(int)
    # JPEG and WebP round in another colour space, GIF to a palette.
    assert np.abs(found - np.array([0, 128, 255])[:, None, None]).max() <= 6


def test_the_content_counts_and_not_the_ending(tmp_path: Path) -> None:
    striped(RED, GREEN, BLUE, RED).save(tmp_path / "image.png")
    (tmp_path / "image.png").rename(tmp_path / "image.jpeg")
    assert read_image(tmp_path / "image.jpeg", size=4, colour="rgb")[0, 0].tolist() == [
        255,
        0,
        0,
        255,
    ]


def test_formats_that_other_programs_would_be_run_for_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match="is no image that can be read"):
        read_image(path, size=4, colour="rgb")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0junk"])
def test_what_is_no_image_is_named(content: bytes, tmp_path: Path) -> None:
    write_images(tmp_path)
    (tmp_path / "dog" / "bad.png").write_bytes(content)
    assert str(tmp_path / "dog" / "bad.png") in refusal(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_truncated_image_is_named(ending: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(40, 40, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{ending}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=rf"cut.{ending} cannot be read"):
        read_image(path, size=4, colour="rgb")


def test_the_first_bad_file_in_order_is_the_one_that_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, count=30)
    for row in (25, 7, 19):
        (tmp_path / "cat" / f"{row}.png").write_bytes(b"bad")
    for _ in range(5):
        assert "7.png" in refusal(tmp_path).split(" is ")[0]


def test_more_than_eight_bits_are_refused_rather_than_cut(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16))
    with pytest.raises(DataError, match="more than 8 bits a channel") as caught:
        one(deep, tmp_path)
    assert caught.value.remedy == "save it with 8"


def test_an_image_of_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 95)
    assert "has 12 x 8 pixels: too many" in refusal(tmp_path)  # Pillow only warns of so many
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    assert "cannot be read: Image size (96 pixels) exceeds" in refusal(tmp_path)


def test_images_in_a_folder_and_one_alone(tmp_path: Path) -> None:
    write_images(tmp_path, classes=["cat"], count=12)
    assert [path.name for path in images_at(tmp_path / "cat")][:3] == ["0.png", "1.png", "2.png"]
    assert images_at(tmp_path / "cat" / "3.png") == [tmp_path / "cat" / "3.png"]
    with pytest.raises(DataError, match="is a folder inside a folder of images"):
        images_at(tmp_path)
    with pytest.raises(DataError, match="there is no file or folder"):
        images_at(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        images_at(tmp_path / "empty")
