"""Content-Disposition: the file name that a server suggests, made safe."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncclient.message.disposition import (
    MAX_NAME,
    NO_NAME,
    decode_extended,
    make_safe,
    parse_filename,
    suggest_filename,
)

EURO = "UTF-8''%e2%82%ac%20rates.txt"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("attachment; filename=foo.html", "foo.html"),
        ('attachment; filename="foo.html"', "foo.html"),
        ('inline; FILENAME="foo.html"', "foo.html"),
        ('attachment;filename = "foo.html" ;size=3', "foo.html"),
        (r'attachment; filename="a \"b\" \\c;d.html"', r'a "b" \c;d.html'),
        ("attachment; filename=two words.txt; size=3", "two words.txt"),
        ('filename="no type.txt"', "no type.txt"),
        ("attachment; filename='quotes'.txt", "'quotes'.txt"),
        ('attachment; filename="open', "open"),
        ("attachment; filename=first; filename=second", "first"),
        ("attachment; xfilename=foo", ""),
        ('attachment; title="; filename=foo"', ""),
        ("attachment; filename=", ""),
        ('attachment; filename=""', ""),
        ("attachment", ""),
        ("", ""),
        (";;;=\"'", ""),
    ],
)
def test_plain_names(value: str, name: str) -> None:
    assert parse_filename(value) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (f'attachment; filename="rates.txt"; filename*={EURO}', "€ rates.txt"),
        (f'attachment; filename*={EURO}; filename="rates.txt"', "€ rates.txt"),
        (f"attachment; filename*={EURO}", "€ rates.txt"),
        (f'attachment; filename*="{EURO}"', "€ rates.txt"),
        ("attachment; filename*=utf-8'en'a%20b", "a b"),
        ("attachment; filename*=UTF-8''it's%20two words", "it's two words"),
        ("attachment; filename*=iso-8859-1''%A3", "£"),
        ("attachment; filename=plain; filename*=UTF-8''%FF", "plain"),
        ("attachment; filename*=UTF-8''%FF", "\ufffd"),
        ("attachment; filename=plain; filename*=UTF-8''%4", "plain"),
        ("attachment; filename=plain; filename*=utf-16''a", "plain"),
        ("attachment; filename=plain; filename*=foo", "plain"),
        ("attachment; filename=plain; filename*=UTF-8''", "plain"),
        ('attachment; filename="%e2%82%ac"', "%e2%82%ac"),
    ],
)
def test_extended_names(value: str, name: str) -> None:
    assert parse_filename(value) == name


@pytest.mark.parametrize(("sent", "name"), [("naïve €.txt".encode(), "naïve €.txt"), (b"na\xefve.txt", "naïve.txt")])
def test_names_in_raw_bytes(sent: bytes, name: str) -> None:
    value = (b'attachment; filename="' + sent + b'"').decode("latin-1")
    assert parse_filename(value) == name


@pytest.mark.parametrize("value", ["i\u017fo-8859-1''a", "utf-8''\u20ac", "utf-8'", "''a", "%41"])
def test_extended_values_never_raise(value: str) -> None:
    assert decode_extended(value) in (None, "?")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("name.tar.gz", "name.tar.gz"),
        ("名前 (1) – ü.txt", "名前 (1) – ü.txt"),
        ("../../etc/passwd", "passwd"),
        (r"..\..\windows\win.ini", "win.ini"),
        (r"C:\dir\file.txt", "file.txt"),
        ("C:file.txt", "C_file.txt"),
        ("/absolute", "absolute"),
        ("directory/", ""),
        ("..", ""),
        (" . ", ""),
        (".bashrc", "bashrc"),
        ("name. . ", "name"),
        ("a\0b\nc\x7fd\x85e", "a_b_c_d_e"),
        ('a"b*c:d<e>f?g|h', "a_b_c_d_e_f_g_h"),
        ("gpj.\u202eexe", "gpj._exe"),
        ("\ud800x", "_x"),
        ("-rf", "_-rf"),
        ("NUL", "_NUL"),
        ("com1.txt", "_com1.txt"),
        ("Aux .txt", "_Aux .txt"),
        ("console.log", "console.log"),
        ("setup.exe.part", "setup.exe.part_"),
        ("-a.part", "_-a.part_"),
        ("aux.part.note", "_aux.part.note_"),
        ("setup.exe.PART.NOTE", "setup.exe.PART.NOTE_"),
        ("\u200d", "\u200d"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert make_safe(name) == safe


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("x" * 1000, "x"),
        ("x" * 1000 + ".tar.gz", "x.tar.gz"),
        ("€" * 1000 + ".pdf", "€.pdf"),
        ("x" * 300 + "." + "y" * 300, "x"),
        ("x" * 1000 + ".part", "x.part_"),
    ],
)
def test_long_names_are_cut_and_keep_their_ending(name: str, end: str) -> None:
    safe = make_safe(name)
    assert MAX_NAME - 3 <= len(safe.encode()) <= MAX_NAME + 1
    assert safe.endswith(end)


@given(st.text(st.sampled_from("./\\ :~-\0\u202ecomnulpart1€") | st.characters(), max_size=300))
def test_any_name_is_made_safe(name: str) -> None:
    safe = make_safe(name)
    assert "/" not in safe
    assert "\\" not in safe
    assert safe == safe.strip(". ")
    assert len(safe.encode()) <= MAX_NAME + 1
    assert make_safe(safe) in (safe, safe + "_", "_" + safe)


@pytest.mark.parametrize(
    ("values", "path", "name"),
    [
        (["attachment; filename=given"], "/path/of-url.txt", "given"),
        (["attachment", "attachment; filename=../", "attachment; filename=third"], "/x", "third"),
        ([], "/path/of-url.txt", "of-url.txt"),
        (["inline"], "/path/%e2%82%ac%20rates.txt", "€ rates.txt"),
        ([], "/path/..%2f..%2fetc%2fpasswd", "passwd"),
        ([], "/path/%2e%2e", NO_NAME),
        ([], "/directory/", "directory"),
        ([], "/%ff", "\ufffd"),
        ([], "/", NO_NAME),
        ([], "", NO_NAME),
    ],
)
def test_the_name_is_from_the_field_or_the_url(values: list[str], path: str, name: str) -> None:
    assert suggest_filename(values, path) == name


@pytest.mark.parametrize("piece", [";", '"', "\\", ";filename=", "%41", "%4", ".", ". ", "/", ".part", "-", "é"])
@pytest.mark.parametrize("start", ["attachment; filename=", 'attachment; filename="', "attachment; filename*=UTF-8''"])
def test_a_hostile_value_of_1_mb_takes_linear_time(start: str, piece: str) -> None:
    value = start + piece * (1_000_000 // len(piece))
    began = time.process_time()
    suggest_filename([value], value)
    assert time.process_time() - began < 3  # 0.5 s at most when measured alone; quadratic would be minutes
