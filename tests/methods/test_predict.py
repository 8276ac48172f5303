from __future__ import annotations

import csv
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from dnnlab.choices.datasets.bundled import Digits
from dnnlab.errors import DataError
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.predict import Predictions, predict_file, predict_split
from dnnlab.methods.trained import Trained, load_trained
from tests.formats import write_images
from tests.support import DIGITS, finished_run

TABLE = """
data: {name: csv, path: t.csv, target: kind, task: classification}
architecture: {name: mlp, hidden: [8]}
training: {epochs: 20, batch_size: 16, threads: 1}
"""
HEADER = "a,b,colour,kind"
ROWS = [
    f"{i % 7},{i % 11},{'red' if i % 3 else 'blue'},{'odd' if i % 2 else 'even'}" for i in range(90)
]


def digits_net(folder: Path) -> Trained:
    return load_trained(finished_run(folder, DIGITS))


def table_net(folder: Path) -> Trained:
    (folder / "t.csv").write_text("\n".join([HEADER, *ROWS]) + "\n")
    return load_trained(finished_run(folder, TABLE))


def test_a_split_is_answered_in_the_order_of_the_data(tmp_path: Path) -> None:
    trained = digits_net(tmp_path)
    found = predict_split(trained, "test")
    assert found.outputs.shape == (359, 10)
    np.testing.assert_allclose(found.outputs.sum(1), 1, rtol=1e-12)  # a softmax in float64
    assert found.targets is not None
    accuracy = float((found.outputs.argmax(1) == found.targets).mean())
    assert accuracy == evaluate_split(trained, "test")["metrics"]["accuracy"]


def test_numbers_come_in_the_units_of_the_data(tmp_path: Path) -> None:
    text = "data: diabetes\narchitecture: {name: mlp, hidden: [16]}\ntraining: {epochs: 30}\n"
    trained = load_trained(finished_run(tmp_path, text))
    found = predict_split(trained, "test")
    assert found.targets is not None
    assert found.targets.min() > 20  # the disease's progression is 25 to 346
    mae = float(np.abs(found.outputs - found.targets).mean())
    assert mae == pytest.approx(evaluate_split(trained, "test")["metrics"]["mae"], rel=1e-6)


def test_a_file_is_answered_like_the_split_it_is(tmp_path: Path) -> None:
    """The digits from scikit-learn itself, raw: the file's path scales them as the training did."""
    from sklearn.datasets import load_digits

    trained = digits_net(tmp_path)
    images, _ = load_digits(return_X_y=True)
    np.savez(tmp_path / "all.npz", inputs=images.reshape(-1, 8, 8))
    found = predict_file(trained, tmp_path / "all.npz")
    assert found.targets is None
    raw = Digits().read().test
    rows = [
        int(np.flatnonzero((images.reshape(-1, 8, 8) == image).all((1, 2)))[0])
        for image in raw.inputs[:50]
    ]
    of_split = predict_split(trained, "test").outputs[:50]
    np.testing.assert_allclose(found.outputs[rows], of_split, atol=1e-6)


def test_a_table_with_the_columns_of_the_training(tmp_path: Path) -> None:
    trained = table_net(tmp_path)
    (tmp_path / "new.csv").write_text("colour,b,a\nred,3,1\nblue,2,6\n")
    found = predict_file(trained, tmp_path / "new.csv")
    assert found.outputs.shape == (2, 2)
    assert found.class_names == ("even", "odd")
    assert found.notes == ()


def test_a_category_that_the_training_had_not_is_noted(tmp_path: Path) -> None:
    trained = table_net(tmp_path)
    (tmp_path / "new.csv").write_text("a,b,colour\n1,3,green\n1,3,red\n")
    found = predict_file(trained, tmp_path / "new.csv")
    assert found.notes == ("column 'colour': 1 of 2 values are categories unknown in training",)


def refused(trained: Trained, path: Path) -> str:
    with pytest.raises(DataError) as caught:
        predict_file(trained, path)
    return caught.value.message


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    trained = digits_net(tmp_path)
    path = tmp_path / "x.npz"
    np.savez(path, inputs=np.zeros((3, 9, 8)))
    assert refused(trained, path).endswith("inputs have shape [3, 9, 8], the run takes ['N', 8, 8]")
    np.savez(path, images=np.zeros((3, 8, 8)))
    assert refused(trained, path).endswith("has no array `inputs`; it holds images")
    np.savez(path, inputs=np.array([["a"]]))
    assert "not numbers" in refused(trained, path)
    bad = np.zeros((3, 8, 8))
    bad[1, 2, 3] = np.nan
    np.savez(path, inputs=bad)
    assert "example 1 has an input that is missing or not finite" in refused(trained, path)
    path.write_bytes(b"no archive")
    assert "cannot be read" in refused(trained, path)
    assert "cannot be read" in refused(trained, tmp_path / "absent.npz")
    assert "not trained on a table" in refused(trained, tmp_path / "x.csv")


def test_images_in_a_folder_are_answered_like_the_split_they_are(tmp_path: Path) -> None:
    """Prepared by the run's own size and colour, and called by their names in natural order."""
    write_images(tmp_path / "images" / "train", count=20)
    write_images(tmp_path / "images" / "test", count=12)
    data = "{name: image_folder, path: images, size: 5, colour: grey}"
    text = DIGITS.replace("data: digits", f"data: {data}").replace(
        "batch_size: 64", "batch_size: 9"
    )
    trained = load_trained(finished_run(tmp_path, text))
    of_split = predict_split(trained, "test").outputs
    cats = predict_file(trained, tmp_path / "images" / "test" / "cat")
    np.testing.assert_allclose(cats.outputs, of_split[:12], atol=1e-6)  # batches of other sizes
    assert cats.files == tuple(f"{row}.png" for row in range(12))
    rows = list(csv.reader(io.StringIO(cats.to_csv())))
    assert [row[0] for row in rows] == ["example", *cats.files]
    with np.load(io.BytesIO(cats.to_npz())) as archive:
        assert archive["files"].tolist() == list(cats.files)
    one = predict_file(trained, tmp_path / "images" / "test" / "dog" / "3.png")
    np.testing.assert_allclose(one.outputs, of_split[15:16], atol=1e-6)
    (tmp_path / "no.png").write_bytes(b"no image")
    assert "no.png is no image" in refused(trained, tmp_path / "no.png")
    assert "there is no file or folder" in refused(trained, tmp_path / "absent.png")


class _Opened:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("the archive ran code",))


def test_an_archive_cannot_run_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = digits_net(tmp_path)
    objects = np.empty(1, dtype=object)
    objects[0] = _Opened()
    np.savez(tmp_path / "x.npz", inputs=objects)
    assert pickle.dumps(_Opened())
    assert "cannot be read" in refused(trained, tmp_path / "x.npz")
    assert "ran code" not in capsys.readouterr().out


def test_csv_of_classes() -> None:
    outputs = np.array([[0.25, 0.75], [0.6, 0.4]])
    text = Predictions(outputs, np.array([1, 1]), ("cat", "dog, big")).to_csv()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        ["example", "prediction", "target", "p(cat)", "p(dog, big)"],
        ["0", "dog, big", "dog, big", "0.25", "0.75"],
        ["1", "cat", "dog, big", "0.6", "0.4"],
    ]


def test_csv_of_numbers() -> None:
    text = Predictions(np.array([1.5, -2.0]), None, ()).to_csv()
    assert text == "example,prediction\n0,1.5\n1,-2\n"


def test_npz() -> None:
    outputs = np.array([[0.25, 0.75], [0.6, 0.4]])
    content = Predictions(outputs, np.array([1, 1]), ("cat", "dog")).to_npz()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert set(archive.files) == {"outputs", "prediction", "class_names", "targets"}
        np.testing.assert_array_equal(archive["outputs"], outputs)
        np.testing.assert_array_equal(archive["prediction"], [1, 0])
        assert list(archive["class_names"]) == ["cat", "dog"]


def test_gaps_in_new_rows_are_treated_as_in_training(tmp_path: Path) -> None:
    trained = table_net(tmp_path)
    (tmp_path / "new.csv").write_text("a,b,colour\n1,,red\n1,2,\n")
    assert "'b' 1 (first in line 2), 'colour' 1 (first in line 3)" in refused(
        trained, tmp_path / "new.csv"
    )
    filling = finished_run(tmp_path, TABLE, "data.missing=mean", name="filling")
    assert len(predict_file(load_trained(filling), tmp_path / "new.csv")) == 2


def test_a_file_without_examples(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", inputs=np.zeros((0, 8, 8)))
    assert "holds no example" in refused(digits_net(tmp_path), tmp_path / "x.npz")


def test_new_arrays_are_read_as_those_of_the_training_were(tmp_path: Path) -> None:
    """Channels last in training are channels last in what is to be predicted."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, size=(40, 5, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "train.npz", inputs=images, targets=np.arange(40) % 2)
    text = DIGITS.replace("data: digits", "data: {name: npz, path: train.npz}")
    run = finished_run(tmp_path, text.replace("batch_size: 64", "batch_size: 8"))
    np.savez(tmp_path / "new.npz", inputs=images[:7])
    assert len(predict_file(load_trained(run), tmp_path / "new.npz")) == 7
