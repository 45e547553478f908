"""Tables beside the study, bytes as addresses, classes of entries: what needs no session."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from promptgrimoire.authoring.entries import Entry
from promptgrimoire.authoring.files import append_to_csv, data_uri, read_csv
from promptgrimoire.errors import AuthorError


def test_an_entry_class_is_frozen_and_has_no_id() -> None:
    class Bid(metaclass=Entry):
        price: float

    bid = Bid(3.5)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        bid.price = 4.0
    with pytest.raises(TypeError, match="every entry has an id already"):
        Entry("Bad", (), {"__annotations__": {"id": int}})
    with pytest.raises(TypeError, match=r"class Wrong\(metaclass=Entry\)"):
        type("Wrong", (Entry,), {})


def test_a_table_grows_by_rows_and_columns(tmp_path: Path) -> None:
    file = tmp_path / "paid.csv"
    append_to_csv(file, {"name": "Ann", "amount": Decimal("1.50")})
    append_to_csv(file, {"amount": 2, "name": "Bö, b"})
    append_to_csv(file, {"name": "Cy", "note": None})
    assert read_csv(file) == [
        {"name": "Ann", "amount": "1.50", "note": ""},
        {"name": "Bö, b", "amount": "2", "note": ""},
        {"name": "Cy", "amount": "", "note": ""},
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["paid.csv"]
    with pytest.raises(AuthorError, match="no folder"):
        append_to_csv(tmp_path / "missing" / "x.csv", {"a": 1})
    file.write_text("a,b\n1,2,3\n")
    with pytest.raises(AuthorError, match="row 2 has more values"):
        read_csv(file)


def test_a_data_uri_says_what_it_holds() -> None:
    assert data_uri(b"\x89PNG\r\n\x1a\nrest") == "data:image/png;base64,iVBORw0KGgpyZXN0"
    assert data_uri(b"\x00\x00\x00\x18ftypmp42").startswith("data:video/mp4;")
    assert data_uri(b"?") == "data:application/octet-stream;base64,Pw=="
    assert data_uri(b"?", "text/plain").startswith("data:text/plain;")
    with pytest.raises(AuthorError, match="expected bytes"):
        data_uri("text")  # type: ignore[arg-type]
