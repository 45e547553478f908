"""The examples of tests/frames.json, which the JavaScript tests read too, and the promises of docs/protocol.md.

protocol.py takes and makes exactly these.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptgrimoire.realtime import protocol
from promptgrimoire.realtime.protocol import CloseCode, ErrorCode, Frame, Incoming, Outgoing, decode, encode

ROOT = Path(__file__).parents[2]
EXAMPLES = json.loads((ROOT / "tests/frames.json").read_text("utf-8"))
DOCUMENT = (ROOT / "docs/protocol.md").read_text("utf-8")


class Typed(msgspec.Struct):
    """A frame whose messages are all decoded."""

    seq: int
    messages: list[Outgoing]


def examples(direction: str, kind: str) -> pytest.MarkDecorator:
    found = EXAMPLES[direction][kind]
    return pytest.mark.parametrize("example", found, ids=[example["why"] for example in found])


@examples("browser_to_server", "valid")
def test_messages_of_browsers_are_taken(example: dict[str, Any]) -> None:
    message = example["message"]
    taken = decode(json.dumps(message))
    assert type(taken).__struct_config__.tag == message["type"]
    again = json.loads(msgspec.json.encode(taken))
    assert {name: again.get(name) for name in message if name in again} == {
        name: value for name, value in message.items() if name in again
    }


@examples("browser_to_server", "invalid")
def test_what_is_no_message_of_browsers_is_refused(example: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(example["text"])


@examples("server_to_browser", "valid")
def test_frames_of_the_server_are_made_so(example: dict[str, Any]) -> None:
    """Taken apart and put together again, not a byte of meaning differs."""
    frame = example["frame"]
    typed = msgspec.json.decode(json.dumps(frame), type=Typed)
    assert json.loads(encode(Frame(typed.seq, list(typed.messages)))) == frame
    encoded = [encode(message) for message in typed.messages]
    assert json.loads(protocol.frame(typed.seq, encoded)) == frame


@examples("server_to_browser", "invalid")
def test_what_is_no_frame_of_the_server(example: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(example["text"], type=Typed)


@pytest.mark.parametrize(
    ("direction", "union"), [("browser_to_server", Incoming), ("server_to_browser", Outgoing)], ids=["in", "out"]
)
def test_there_is_an_example_and_a_heading_for_each_message(direction: str, union: Any) -> None:
    types = {struct.__struct_config__.tag for struct in union.__args__}
    valid = EXAMPLES[direction]["valid"]
    messages = [one for example in valid for one in [*example.get("frame", {}).get("messages", [])]]
    messages += [example["message"] for example in valid if "message" in example]
    assert {message["type"] for message in messages} == types
    assert {name for name in types if f"#### `{name}`" not in DOCUMENT} == set()


def test_fields_codes_and_reasons_stand_in_the_document() -> None:
    for struct in (*Incoming.__args__, *Outgoing.__args__):
        section = DOCUMENT.split(f"#### `{struct.__struct_config__.tag}`", 1)[1].split("\n#", 1)[0]
        missing = [
            field.encode_name for field in msgspec.structs.fields(struct) if f"`{field.encode_name}`" not in section
        ]
        assert missing == [], struct
    for code in ErrorCode.__args__:  # type: ignore[attr-defined]
        assert f"| `{code}` |" in DOCUMENT
    for reason in msgspec.structs.fields(protocol.Bye)[0].type.__args__:
        assert f"| `{reason}` |" in DOCUMENT
    for name, number in vars(CloseCode).items():
        if not name.startswith("_"):
            assert f"| {number} |" in DOCUMENT


def test_examples_in_the_document_are_valid() -> None:
    blocks = DOCUMENT.split("```json\n")[1:]
    assert len(blocks) > 10
    for block in blocks:
        for line in filter(None, block.split("```")[0].splitlines()):
            content = json.loads(line)
            if "messages" in content:
                msgspec.json.decode(line, type=Typed)
            else:
                decode(line)
