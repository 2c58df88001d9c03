"""What the first bytes of a file tell, where they are not the text that its name promises."""

from messages.errors import DataError

_KINDS = {
    b"PK\x03\x04": "is a zip, as .xlsx is: end its name in .zip, or save the sheet as CSV",
    b"\x1f\x8b": "is gzip: end its name in .gz",
    b"\xd0\xcf\x11\xe0": "is an Excel file: save the sheet as CSV",
    b"PAR1": "is Parquet: end its name in .parquet",
    b"ARROW1": "is Feather: end its name in .feather",
    b"\x28\xb5\x2f\xfd": "is packed with zstd: unpack it",
    b"\xfd7zXZ": "is packed with xz: unpack it",
    b"BZh": "is packed with bzip2: unpack it",
    b"7z\xbc\xaf": "is packed with 7-Zip: unpack it",
}
_UTF16 = "is UTF-16, as Excel's Unicode text is: save it as UTF-8"
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 16


def refuse_other_kinds(path: object, head: bytes) -> None:
    """Look at the beginning of a file that is read as text.

    Raises:
        DataError: it is no text, or none in UTF-8; the sentence says what to do.
    """
    kind = next((told for mark, told in _KINDS.items() if head.startswith(mark)), "")
    if not kind and (head.startswith(_MARKS) or _is_every_other_nul(head[:_LOOKED_AT])):
        kind = _UTF16
    if kind:
        raise DataError(f"{path}: {kind}")


def _is_every_other_nul(head: bytes) -> bool:
    """UTF-16 of plain letters without its mark."""
    one, other = head[::2], head[1::2]
    return len(head) >= _LOOKED_AT and (
        (not any(one) and all(other)) or (not any(other) and all(one))
    )
