"""Lines of chunks: one for each, stamped with its first byte, safe to show."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.record.side import Side
from gatewayd.record.text import LONGEST, TextFormat, escaped, unescaped


def stamp(when: float) -> bytes:
    return b"%g" % when


@pytest.fixture
def text() -> TextFormat:
    return TextFormat(stamp)


def test_a_line_is_stamped_with_its_first_byte(text: TextFormat) -> None:
    assert text.said(Side.DEVICE, b"ME", 1) == b""
    assert text.said(Side.DEVICE, b"AS\r\nne", 2) == b"1 < MEAS\n"
    assert text.said(Side.DEVICE, b"xt\r\n", 3) == b"2 < next\n"


def test_several_lines_at_once(text: TextFormat) -> None:
    assert text.said(Side.DEVICE, b"a\r\nb\n\nc\r\nd", 1) == b"1 < a\n1 < b\n1 < \n1 < c\n"
    assert text.said(Side.DEVICE, b"e\n", 2) == b"1 < de\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\r", b"\r\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_each_kind_of_end_ends_one_line(text: TextFormat, end: bytes, size: int) -> None:
    data = end.join([b"one", b"two", b"three", b""])
    written = b"".join(
        text.said(Side.DEVICE, data[at : at + size], 1) for at in range(0, len(data), size)
    )
    assert written == b"1 < one\n1 < two\n1 < three\n"


@pytest.mark.parametrize("size", [1, 2, 100])
def test_an_empty_line_is_a_line(text: TextFormat, size: int) -> None:
    data = b"\r\none\r\n\r\ntwo\n"
    written = b"".join(
        text.said(Side.DEVICE, data[at : at + size], 1) for at in range(0, len(data), size)
    )
    assert written == b"1 < \n1 < one\n1 < \n1 < two\n"


def test_both_sides_have_their_own_line(text: TextFormat) -> None:
    text.said(Side.DEVICE, b"dev", 1)
    text.said(Side.CLIENT, b"cli", 1.01)
    assert text.said(Side.DEVICE, b"ice\n", 1.02) == b"1 < device\n"
    assert text.said(Side.CLIENT, b"ent\r", 1.03) == b"1.01 > client\n"


def test_a_prompt_comes_before_the_answer_to_it(text: TextFormat) -> None:
    assert text.said(Side.DEVICE, b"login: ", 1) == b""
    assert text.said(Side.CLIENT, b"root\r", 1.5) == b"1 < login: \n1.5 > root\n"
    # The echo of Enter ends the prompt's line, which was written already.
    assert text.said(Side.DEVICE, b"\r\nPassword: ", 1.6) == b""
    assert text.flush(1.6) == b"1.6 < Password: \n"


def test_an_unfinished_line_is_written_when_it_rests(text: TextFormat) -> None:
    text.said(Side.DEVICE, b"dev> ", 1)
    text.said(Side.CLIENT, b"x", 1.01)
    assert text.open
    assert text.flush(0.9) == b""
    assert text.flush(1) == b"1 < dev> \n"
    assert text.open
    assert text.flush(2) == b"1.01 > x\n"
    assert not text.open


def test_what_happened_is_a_line_and_does_not_cut_one(text: TextFormat) -> None:
    text.said(Side.DEVICE, b"half", 1)
    assert text.happened("break received", 2) == b"2 ! break received\n"
    assert text.said(Side.DEVICE, b" whole\n", 3) == b"1 < half whole\n"


def test_what_happened_cannot_fake_a_line(text: TextFormat) -> None:
    assert text.happened("a\nb", 1) == b"1 ! a\\x0ab\n"
    assert text.happened("\x1b[2J", 1) == b"1 ! \\x1b[2J\n"


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"plain \ttext", b"plain \ttext"),
        (b"\x1b[31mred\x07", b"\\x1b[31mred\\x07"),
        (b"\x00\x7f", b"\\x00\\x7f"),
        ("µ Ω ü".encode(), "µ Ω ü".encode()),
        (b"\xb5 \xff", b"\\xb5 \\xff"),
        ("\x85\x9b\u2028\u202e".encode(), rb"\xc2\x85\xc2\x9b\xe2\x80\xa8\xe2\x80\xae"),
        (b"C:\\dir\\x", b"C:\\dir\\x"),
        (rb"\x1b", rb"\x5cx1b"),
        (b"end\\", rb"end\x5c"),
    ],
)
def test_what_is_not_plain_is_escaped(data: bytes, written: bytes) -> None:
    assert escaped(data) == written
    assert unescaped(written) == data


@given(st.binary(max_size=200))
def test_what_is_escaped_can_be_had_back_and_shown(data: bytes) -> None:
    written = escaped(data)
    assert unescaped(written) == data
    assert written.decode().replace("\t", "").isprintable()
    assert not written.endswith(b"\\")


def test_a_long_line_is_cut(text: TextFormat) -> None:
    written = text.said(Side.DEVICE, b"x" * (2 * LONGEST + 3) + b"\n", 1)
    assert written.split(b"\n") == [
        b"1 < " + b"x" * LONGEST + b"\\",
        b"1 < " + b"x" * LONGEST + b"\\",
        b"1 < xxx",
        b"",
    ]


def test_a_line_of_just_the_longest_is_not(text: TextFormat) -> None:
    written = b"".join(text.said(Side.DEVICE, b"x", 1) for _ in range(LONGEST))
    assert written == b""
    assert text.said(Side.DEVICE, b"\n", 2) == b"1 < " + b"x" * LONGEST + b"\n"


def test_a_character_is_not_cut(text: TextFormat) -> None:
    written = text.said(Side.DEVICE, b"x" + "µ".encode() * LONGEST, 1) + text.flush(1)
    assert "\\x" not in written.decode()


def test_no_end_needs_bounded_memory(text: TextFormat) -> None:
    for _ in range(100):
        text.said(Side.DEVICE, b"x" * 4096, 1)
    assert len(text.flush(1)) <= LONGEST + 10


LINES = st.lists(
    st.sampled_from([b"a", b"\r\n", b"\n", b"\\", b"\xff", b"\t", b"x" * 1100]), max_size=12
)


@settings(deadline=None)
@given(LINES, st.integers(1, 7))
def test_chunks_make_no_difference(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole, pieces = TextFormat(stamp), TextFormat(stamp)
    at_once = whole.said(Side.DEVICE, data, 1) if data else b""
    written = [
        pieces.said(Side.DEVICE, data[at : at + size], 1) for at in range(0, len(data), size)
    ]
    assert b"".join(written) + pieces.flush(1) == at_once + whole.flush(1)


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"MEAS 1.2", b"a\tb", b"\\x41\\", b"\x1b[2J", "µ".encode(), b"x" * 600]
)
CHUNKS = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.lists(PIECES, min_size=1, max_size=6).map(b"".join),
        st.sampled_from([0.0, 1.0, 0.5, 0.001]),
    ),
    max_size=20,
)


@given(CHUNKS)
def test_chunks_together_are_written_as_each_by_itself(
    chunks: list[tuple[Side, bytes, float]],
) -> None:
    one_by_one, together = TextFormat(stamp), TextFormat(stamp)
    now = 0.0
    timed = []
    for side, data, pause in chunks:
        now += pause
        timed.append((side, now, data))
    expected = b"".join(one_by_one.said(side, data, when) for side, when, data in timed)
    written = b"".join(
        together.said_all(side, [(when, data) for _, when, data in run])
        for side, run in groupby(timed, key=lambda one: one[0])
    )
    assert written == expected
    assert together.flush() == one_by_one.flush()
