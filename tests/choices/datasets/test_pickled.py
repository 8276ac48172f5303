from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from dnnlab.choices.datasets.pickled import StandIn, bytes_of, read_pickled
from dnnlab.errors import DataError
from tests.formats import Malicious, cifar_pickle, colours, malicious_pickle


def saved(folder: Path, content: bytes) -> Path:
    (folder / "batch").write_bytes(content)
    return folder / "batch"


def test_python_2s_pickle_gives_its_array_and_its_list(tmp_path: Path) -> None:
    images = colours(3)
    content = cifar_pickle(images, labels=[1, 2, 3], fine_labels=[4, 5, 6])
    # The negative control of the writer: the ordinary, obedient reader finds the same in it.
    obeyed = pickle.loads(content, encoding="bytes")
    np.testing.assert_array_equal(obeyed[b"data"], images.reshape(3, -1))
    found = read_pickled(saved(tmp_path, content))
    assert found["labels"] == [1, 2, 3]
    assert found["fine_labels"] == [4, 5, 6]
    assert isinstance(found["data"], StandIn)
    np.testing.assert_array_equal(bytes_of(found["data"]), obeyed[b"data"])


@pytest.mark.parametrize("protocol", [3, 4])
def test_a_pickle_saved_again_by_python_3(protocol: int, tmp_path: Path) -> None:
    images = colours(2).reshape(2, -1)
    found = read_pickled(saved(tmp_path, pickle.dumps({"data": images}, protocol=protocol)))
    np.testing.assert_array_equal(bytes_of(found["data"]), images)


def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    content = malicious_pickle(marker)
    with pytest.raises(DataError, match=r"it names \w+\.mkdir, which no array needs"):
        read_pickled(saved(tmp_path, content))
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists()  # the negative control: obeyed, it does something


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(U\x041+11tR.",
        b"c__builtin__\neval\n(U\x031+1tR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"cnumpy\nload\n.",
        b"c_codecs\nencode\n.",
        b"(S'true'\nios\nsystem\n.",  # INST: calls by a name of its own
        b"\x80\x04\x8c\x05numpy\x8c\x10dtype.__reduce__\x93.",  # an attribute of what is allowed
    ],
)
def test_no_other_name_is_looked_up(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="which no array needs"):
        read_pickled(saved(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [b"", b"no pickle", cifar_pickle(colours(1), labels=[1])[:-40], b"\x80\x02.", b"\x80\xff."],
)
def test_damaged_pickles_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"batch cannot be read") as caught:
        read_pickled(saved(tmp_path, content))
    assert caught.value.remedy == "fetch it again"


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no dictionary"):
        read_pickled(saved(tmp_path, pickle.dumps([1, 2])))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), dtype="float64"),
        np.zeros((2, 3), dtype="int8"),
        np.zeros(6, dtype="uint8"),
        np.asfortranarray(np.zeros((2, 3), dtype="uint8")),
        np.array([[None]], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_only_arrays_of_bytes_in_rows_are_taken(array: np.ndarray, tmp_path: Path) -> None:
    found = read_pickled(saved(tmp_path, pickle.dumps({"data": array}, protocol=4)))
    assert bytes_of(found["data"]) is None


def test_what_is_no_array_is_none(tmp_path: Path) -> None:
    for value in (None, [1], "text", b"bytes", StandIn()):
        assert bytes_of(value) is None


def test_a_stand_in_keeps_what_it_is_given_and_no_more() -> None:
    stand_in = StandIn(Malicious, "argument")
    stand_in.__setstate__({"state": 1})
    assert (stand_in.arguments, stand_in.state) == ((Malicious, "argument"), {"state": 1})
    assert not hasattr(stand_in, "__dict__")
