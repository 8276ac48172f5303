from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from http.client import IncompleteRead
from pathlib import Path

import pytest

from dnnlab.choices.datasets.cifar import Cifar10, Cifar100
from dnnlab.choices.datasets.downloads import Downloadable, data_home, fetch, unpack
from dnnlab.choices.datasets.images import Emnist, FashionMnist, Kmnist, Mnist
from dnnlab.choices.datasets.svhn import Svhn
from dnnlab.errors import DataError
from dnnlab.spec import choice_name

ALL = [Mnist, FashionMnist, Kmnist, Emnist, Cifar10, Cifar100, Svhn]
CONTENT = b"the right bytes"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Server:
    """Stands for the network: what each address answers, and which were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, object]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        monkeypatch.setattr("torchvision.datasets.utils._urlretrieve", self.retrieve)
        monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", self.no_redirect)

    def no_redirect(self, url: str, max_hops: int) -> str:
        return url

    def retrieve(self, url: str, path: str, chunk_size: int = 0) -> None:
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            Path(path).write_bytes(CONTENT[:4])  # what came before it broke off
            raise answer
        assert isinstance(answer, bytes)
        Path(path).write_bytes(answer)


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and folder, and a name server that knows nothing. Returns the home."""

    def fail(*args: object, **settings: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", fail)
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    places = Downloadable.places
    monkeypatch.setattr(
        Downloadable,
        "places",
        lambda self: [place for place in places(self) if not place.is_relative_to("/usr")],
    )
    return tmp_path / "home"


@pytest.mark.parametrize("dataset", ALL)
def test_nothing_there_and_no_network(dataset: type[Mnist], no_network: Path) -> None:
    with pytest.raises(DataError) as caught:
        dataset().read()
    message, remedy = caught.value.message, caught.value.remedy
    name = choice_name(dataset)
    assert message.startswith(f"{name}: ")
    assert dataset().wanted() in message
    for place in dataset().places():
        assert str(place) in message
    assert str(no_network / str(name)) in message
    assert "the download failed: " in message
    assert "Name or service not known" in message
    assert "put the files into one of these folders" in remedy
    assert "`data: digits` needs no download" in remedy
    assert [path for path in no_network.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("dataset", ALL)
def test_a_folder_without_the_files_is_named_and_nothing_is_downloaded(
    dataset: type[Mnist], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "download", None)
    with pytest.raises(DataError, match="are not in") as caught:
        dataset(folder=str(tmp_path)).read()
    assert str(tmp_path) in caught.value.message
    assert caught.value.remedy == "correct data.folder, or leave it out"


def test_debians_package_is_mentioned_where_there_is_one(no_network: Path) -> None:
    with pytest.raises(DataError) as caught:
        FashionMnist().read()
    assert "apt-get install dataset-fashion-mnist" in caught.value.remedy


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNNLAB_DATA", "~/somewhere")
    assert data_home() == Path.home() / "somewhere"
    monkeypatch.setenv("DNNLAB_DATA", "")
    assert data_home() == Path.home() / ".cache" / "dnnlab"


def test_the_second_address_is_asked_if_the_first_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: dict[str, object] = {"http://a/x.bin": OSError("down"), "http://b/x.bin": CONTENT}
    server = Server(monkeypatch, answers)
    path = fetch(list(answers), MD5, tmp_path / "new")
    assert path == tmp_path / "new" / "x.bin"
    assert path.read_bytes() == CONTENT
    assert server.asked == list(answers)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "answer", [b"other bytes", OSError("down"), IncompleteRead(b"xx", 7)], ids=repr
)
def test_nothing_is_left_under_the_name_if_the_bytes_are_not_right(
    answer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server(monkeypatch, {"http://a/x.bin": answer})
    with pytest.raises(OSError, match="http://a/x.bin: "):
        fetch(["http://a/x.bin"], MD5, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_whole_file_is_kept_and_a_torn_one_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch, {"http://a/x.bin": CONTENT})
    (tmp_path / "x.bin").write_bytes(CONTENT)
    fetch(["http://a/x.bin"], MD5, tmp_path)
    assert server.asked == []
    (tmp_path / "x.bin").write_bytes(CONTENT[:5])
    assert fetch(["http://a/x.bin"], MD5, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["http://a/x.bin"]


def archive(folder: Path, kind: str, names: list[str]) -> Path:
    path = folder / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as opened_zip:
            for name in names:
                opened_zip.writestr(name, name)
    else:
        with tarfile.open(path, "w:gz") as opened_tar:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = len(name)
                opened_tar.addfile(entry, io.BytesIO(name.encode()))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_only_the_wanted_members_are_unpacked(kind: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive(tmp_path, kind, ["x/wanted", "x/other", "../escaped", "/tmp/absolute"])
    unpack(path, ["x/wanted"], inside)
    assert [each.name for each in inside.iterdir()] == ["wanted"]
    assert (inside / "wanted").read_text() == "x/wanted"
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "inside"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_without_the_member_or_damaged_is_refused(kind: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive(tmp_path, kind, ["x/first"])
    with pytest.raises(OSError, match="x/second"):
        unpack(path, ["x/first", "x/second"], inside)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(OSError, match=path.name):
        unpack(path, ["x/first"], inside)
    assert list(inside.iterdir()) == []


def test_a_link_in_an_archive_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as opened:
        entry = tarfile.TarInfo("x/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/hostname"
        opened.addfile(entry)
    with pytest.raises(OSError, match="a.tar.gz"):
        unpack(path, ["x/link"], tmp_path)
