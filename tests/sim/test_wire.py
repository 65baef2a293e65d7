"""Characters on the wire, bit by bit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewayd.line.model import LineSettings, Parity
from tests.line.settings import SETTINGS
from tests.sim.wire import Heard, frame, hear, hearing

BYTES = st.integers(0, 255)
S8N1 = LineSettings()
S7E1 = LineSettings(bytesize=7, parity=Parity.EVEN)


@given(BYTES, SETTINGS)
def test_equal_settings_hear_each_byte_without_its_top_bits(
    byte: int, settings: LineSettings
) -> None:
    mask = (1 << settings.bytesize) - 1
    assert hear(byte, settings, settings) == Heard(byte & mask, False, False)


@given(BYTES, SETTINGS, SETTINGS)
def test_what_is_heard_fits_the_receivers_size(
    byte: int, sender: LineSettings, receiver: LineSettings
) -> None:
    heard = hear(byte, sender, receiver)
    assert heard == hearing(sender, receiver)[byte]
    assert heard is None or 0 <= heard.byte < 1 << receiver.bytesize


def test_a_frame_is_start_bit_data_from_the_lowest_and_parity() -> None:
    assert frame(0b01000011, S8N1) == [0, 1, 1, 0, 0, 0, 0, 1, 0]
    assert frame(0b01000011, S7E1) == [0, 1, 1, 0, 0, 0, 0, 1, 1]
    assert frame(0, S8N1._replace(parity=Parity.MARK))[-1] == 1
    assert frame(255, S8N1._replace(parity=Parity.SPACE))[-1] == 0
    assert frame(0, S8N1._replace(parity=Parity.ODD))[-1] == 1


def test_7e1_heard_as_8n1_has_its_parity_in_the_top_bit() -> None:
    assert hear(ord("C"), S7E1, S8N1) == Heard(ord("C") | 0x80, False, False)
    assert hear(ord("A"), S7E1, S8N1) == Heard(ord("A"), False, False)


def test_8n1_heard_as_7e1_has_parity_errors_where_the_top_bit_is_wrong() -> None:
    assert hear(ord("C"), S8N1, S7E1) == Heard(ord("C"), False, True)
    assert hear(ord("A"), S8N1, S7E1) == Heard(ord("A"), False, False)


def test_another_speed_garbles_and_breaks_the_frame() -> None:
    slow, fast = LineSettings(baudrate=9600), LineSettings(baudrate=19200)
    # Half as fast: each bit is heard twice, and the stop bit falls into the data.
    assert hear(0x00, slow, fast) == Heard(0x00, True, False)
    assert hear(0x55, slow, fast) == Heard(0x66, True, False)
    # Twice as fast: the character is over before the receiver is through.
    assert hear(0x00, fast, slow) == Heard(0xF8, False, False)


def test_a_start_bit_too_short_to_be_seen_is_no_character() -> None:
    assert hear(0xFF, LineSettings(baudrate=115200), LineSettings(baudrate=9600)) is None


def test_two_percent_off_is_heard_well() -> None:
    for byte in range(256):
        assert hear(byte, LineSettings(baudrate=9600), LineSettings(baudrate=9790)) == Heard(
            byte, False, False
        )
