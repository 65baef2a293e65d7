"""Settings of a line as a strategy of hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from gatewayd.line.model import LineSettings, Parity, StopBits

SETTINGS = st.builds(
    LineSettings,
    baudrate=st.integers(1, 2**31 - 1),
    bytesize=st.integers(5, 8),
    parity=st.sampled_from(Parity),
    stopbits=st.sampled_from(StopBits),
    ixon=st.booleans(),
    ixoff=st.booleans(),
    rtscts=st.booleans(),
)
