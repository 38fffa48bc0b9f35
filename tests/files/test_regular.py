"""Only regular files within size limits are opened; every refusal names the file."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from bayes_mdd.errors import SpecError, UnreadableFileError
from bayes_mdd.files import regular, sizes, text
from bayes_mdd.files.arrays import read_npy, read_npz
from bayes_mdd.files.images import load_image
from bayes_mdd.files.mat import read_mat, read_mat_names
from bayes_mdd.files.regular import own_errors, read_bytes, require_file
from bayes_mdd.files.structured import read_json, read_yaml
from bayes_mdd.files.text import read_text

pytestmark = pytest.mark.timeout(60)
READERS = {
    "a.tsv": read_text,
    "a.tsv.gz": read_text,
    "a.yaml": read_yaml,
    "a.json": read_json,
    "a.npy": read_npy,
    "a.npz": read_npz,
    "a.mat": read_mat,
    "b.mat": read_mat_names,
    "a.nii": load_image,
    "a.nii.gz": load_image,
    "a.pconn.nii": load_image,
    "a.mgz": load_image,
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_refused_before_it_is_opened(name, special, tmp_path, refused):
    word, make = special
    make(tmp_path / name)
    message = refused(READERS[name], tmp_path / name)
    assert message.startswith(name)
    assert word in message


@pytest.mark.parametrize("name", READERS)
def test_missing_empty_and_huge_files_are_refused(name, tmp_path, refused):
    path = tmp_path / name
    assert "missing" in refused(READERS[name], path)
    path.touch()
    if name != "a.yaml":
        assert "is empty" in refused(READERS[name], path)
    with path.open("wb") as stream:
        stream.truncate(10 * sizes.MAX_BYTES)  # takes no space
    assert "more than the" in refused(READERS[name], path)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"\x00" * 999, bytes(range(256)) * 9, b"text only\n" * 99])
def test_content_of_another_kind_is_refused(name, content, tmp_path, refused):
    if name in ("a.tsv", "a.yaml") and content.isascii() and content[0]:
        pytest.skip("it is text")
    (tmp_path / name).write_bytes(content)
    assert refused(READERS[name], tmp_path / name).startswith(name)


def test_links_to_regular_files_are_read(tmp_path):
    (tmp_path / "annex").write_text("a\tb\n", encoding="utf-8")
    (tmp_path / "a.tsv").symlink_to(tmp_path / "annex")
    assert read_text(tmp_path / "a.tsv") == "a\tb\n"


@pytest.mark.parametrize(
    "pointer", ["/annex/objects/MD5E-s9--0.tsv\n", "version https://git-lfs.github.com/spec/v1\n"]
)
def test_pointers_to_content_that_was_not_downloaded_are_named(pointer, tmp_path, refused):
    (tmp_path / "a.tsv").write_text(pointer, encoding="utf-8")
    assert "datalad get" in refused(read_text, tmp_path / "a.tsv")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, refused, monkeypatch):
    import os

    os.mkfifo(tmp_path / "a.tsv")
    monkeypatch.setattr(text, "require_file", lambda *args, **options: 10)
    assert "regular file" in refused(read_text, tmp_path / "a.tsv")


def test_limits_hold_while_a_file_grows(tmp_path, refused, monkeypatch):
    (tmp_path / "a.tsv").write_bytes(b"x" * 100)
    monkeypatch.setattr(text, "require_file", lambda *args, **options: 10)
    assert "100 bytes" not in refused(read_text, tmp_path / "a.tsv", limit=50)
    monkeypatch.setattr(regular, "require_file", lambda *args, **options: 10)
    assert "more than the 50 bytes" in refused(read_bytes, tmp_path / "a.tsv", limit=50)


def test_little_memory_refuses_large_files_only(monkeypatch, refused):
    monkeypatch.setattr(sizes, "available_memory", lambda: sizes.FREE_BYTES)
    sizes.check_size("a.npy", sizes.FREE_BYTES, sizes.MAX_BYTES)
    large = sizes.FREE_BYTES + 1
    assert "memory" in refused(sizes.check_size, "a.npy", large, sizes.MAX_BYTES)


def test_compressed_content_may_expand_only_so_far(tmp_path, refused, monkeypatch):
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"0\t" * 500_000))
    assert len(read_text(path)) == 1_000_000  # zeros compress well: this is no bomb
    monkeypatch.setattr(sizes, "FREE_BYTES", 100_000)
    assert "expands to" in refused(read_text, path)
    path.write_bytes(gzip.compress(b"0\t" * 500_000)[:-20])
    monkeypatch.undo()
    assert "truncated" in refused(read_text, path)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("a\tb\n".encode("utf-16"), "UTF-16"),
        (b"a\tb\nM\xfcller\t1\n", "byte 0xfc in line 2"),
        (b"PK\x03\x04....", "spreadsheet"),
        (b"a\x00b\n", "null bytes"),
        (b"\x1f\x8b\x08\x00", "gzip"),
    ],
)
def test_other_encodings_are_named(content, word, tmp_path, refused):
    (tmp_path / "a.tsv").write_bytes(content)
    assert word in refused(read_text, tmp_path / "a.tsv")


def test_a_mark_of_byte_order_and_a_head_of_lines(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbf# note\na\tb\n\n1\t2\n3\t4\n")
    assert read_text(path, lines=2) == "# note\na\tb\n\n1\t2\n"
    assert read_text(path).splitlines()[-1] == "3\t4"


@pytest.mark.parametrize(
    "foreign",
    [RecursionError("deep"), MemoryError(), KeyError("k"), ArithmeticError(), UserWarning("w")],
)
def test_every_foreign_error_becomes_one_that_names_the_file(foreign):
    words = r"^x.bin cannot be read as a thing"
    with pytest.raises(UnreadableFileError, match=words), own_errors("folder/x.bin", "a thing"):
        raise foreign
    with pytest.raises(SpecError), own_errors("x.bin", "a thing"):
        raise SpecError("own errors pass")


def test_messages_are_short_and_printable(tmp_path, refused):
    with pytest.raises(UnreadableFileError) as error, own_errors("x.bin", "a thing"):
        raise ValueError("\x07" + "long " * 1000)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400
    assert require_file(__file__) > 100
    assert "cannot be read" in refused(require_file, tmp_path / ("n" * 300))
    assert "cannot be read" in refused(require_file, f"{tmp_path}/a\0b")
    assert np.isfinite(sizes.available_memory())
