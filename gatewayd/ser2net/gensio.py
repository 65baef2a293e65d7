"""The strings by which ser2net 4 names a stack of streams: `telnet(rfc2217),tcp,localhost,2000`."""

from __future__ import annotations

import re
from dataclasses import dataclass

FILTERS = {
    *("certauth", "conacc", "delay", "kiss", "keepopen", "msgdelim", "mux", "perf", "ratelimit"),
    *("relpkt", "script", "ssl", "telnet", "trace", "xlt"),
}
"""What stands on top of another stream."""
STREAMS = {
    *("afskmdm", "ax25", "cm108gpio", "dummy", "echo", "file", "ipmisol", "kissxlt", "mdns", "pty"),
    *("sctp", "sdev", "serialdev", "sound", "stdio", "tcp", "udp", "unix", "unixdgram", "unixseq"),
}
"""What a stack can stand on."""
FAMILIES = ("ipv4", "ipv6", "ipv6n4")


@dataclass(frozen=True, slots=True)
class Layer:
    """One part of a stack and what stands in its parentheses."""

    name: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """The filters from the outside in, the stream at the bottom, and the words behind it."""

    filters: tuple[Layer, ...]
    bottom: Layer
    words: tuple[str, ...]


def parse(text: str) -> Stack:
    """Take a stack apart. Raises ValueError for what is none."""
    words = split(text, ",")
    filters: list[Layer] = []
    while words:
        layer = _layer(words.pop(0))
        if layer.name not in FILTERS:
            return Stack(tuple(filters), layer, tuple(words))
        filters.append(layer)
    raise ValueError(f"{text!r} names no stream")


def parse_accepter(text: str) -> Stack:
    """Take a stack apart that clients come in by. Raises ValueError for what is none.

    Where the name of a stream should stand there may be an address as ser2net 3 knew it, which is
    one of TCP: `[ipv4,|ipv6,][tcp,|udp,][HOST,]PORT`.
    """
    words = split(text, ",")
    filters: list[Layer] = []
    while words and words[0].partition("(")[0].strip() in FILTERS:
        filters.append(_layer(words.pop(0)))
    if not words:
        raise ValueError(f"{text!r} names no stream")
    family = [words.pop(0)] if words[0] in FAMILIES else []
    bottom = Layer("tcp")
    if words and words[0].partition("(")[0].strip() in STREAMS:
        bottom = _layer(words.pop(0))
    return Stack(tuple(filters), bottom, (*family, *words))


def split(text: str, separators: str) -> list[str]:
    """`text` at each of `separators` outside of parentheses and quotes, which are taken off."""
    words, word, depth, quote = [], "", 0, ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            word += next(characters, "")
        elif quote:
            quote, word = ("", word) if character == quote else (quote, word + character)
        elif character in "'\"" and depth == 0:
            quote = character
        elif character in separators and depth == 0:
            words.append(word.strip())
            word = ""
        else:
            depth += (character == "(") - (character == ")")
            word += character
    if quote or depth:
        raise ValueError(f"{text!r} has a quote or a parenthesis that is not closed")
    return [*words, word.strip()]


def _layer(word: str) -> Layer:
    form = re.fullmatch(r"([\w-]+)\s*(?:\((.*)\))?", word, re.DOTALL)
    if form is None:
        raise ValueError(f"{word!r} is no name of a stream")
    options = [option for option in split(form[2] or "", ",") if option]
    return Layer(form[1], tuple(options))
