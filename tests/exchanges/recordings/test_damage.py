"""Files that are cut off or damaged: what is before the damage is read, and the rest is told."""

import zipfile
from pathlib import Path

import pytest

from tests.exchanges.recordings.candle_files import AT_ONE_MS, LISTS_OF, line, read


def test_a_cut_list_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    rows = ",".join(f"[{line(number)}]" for number in range(9_000))
    cut = tmp_path / "a.json"
    cut.write_text(f"[{rows}]"[:-30])

    source, candles = read(cut)

    assert (len(candles), source.stats.malformed) == (8_999, 1)
    assert source.stats.problems == ["a.json:9000: the list is cut off here"]
    assert source.stats.cut_off == ["a.json is cut off or damaged after line 8999: get it again"]


ONE, TWO = f"[{line(0)}]", f"[{line(1)}]"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"[{ONE},{TWO}", "3: the list is cut off here"),
        (f"[{ONE},{TWO},", "3: the list is cut off here"),
        (f"[{ONE},null,{TWO}]", "2: before it stands ',null,'"),
        (f"[{ONE},[{AT_ONE_MS},1,{TWO}]", "2: before it stands ',[1704067260000,1,'"),
        (f"[{ONE}][{TWO}]", "2: before it stands ']['"),
        (f"[{ONE}{TWO}]", "2: before it stands ''"),
        (f"[{ONE},{TWO}]]", "3: the list is cut off here"),
    ],
)
def test_a_list_that_is_not_whole_is_told_although_every_row_in_it_is(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "a.json").write_text(text)

    source, candles = read(tmp_path / "a.json")

    assert len(candles) == 2
    assert source.stats.malformed == 1
    assert source.stats.problems[0].startswith(f"a.json:{problem}")


def test_a_damaged_zip_of_a_list_gives_what_is_before_the_damage(tmp_path: Path) -> None:
    rows = ",".join(f"[{line(number)}]" for number in range(20_000))
    with zipfile.ZipFile(tmp_path / "a.json.zip", "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.json", f"[{rows}]")
    whole = (tmp_path / "a.json.zip").read_bytes()
    (tmp_path / "a.json.zip").write_bytes(whole.replace(b",7]", b",8]", 1))

    source, candles = read(tmp_path / "a.json.zip")

    assert 0 < len(candles) < 20_000
    assert source.stats.malformed == 1
    assert "the rest cannot be read" in source.stats.problems[0]


@pytest.mark.slow
@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2], ids=["lzma", "bzip2"])
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_damaged_zip_of_any_packing_gives_what_is_before_the_damage(
    tmp_path: Path, name: str, packing: int
) -> None:
    """What can't be packed well comes in many pieces: those before the damage are sound."""
    rows = [f"{line(number)}.{number**3 * 2_654_435_761 % 10**15}" for number in range(24_000)]
    path = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(path, "w", packing) as packed:
        packed.writestr(name, LISTS_OF[name](rows))
    raw = bytearray(path.read_bytes())
    place = len(raw) * 95 // 100
    raw[place : place + 20] = bytes(20)
    path.write_bytes(raw)

    source, candles = read(path)

    count = len(candles)
    assert 12_000 < count < 24_000
    assert source.stats.malformed == 1
    assert source.stats.cut_off == [
        f"{path.name} is cut off or damaged after line {count}: get it again"
    ]
    assert isinstance(source.rows_expected(), int | None)
