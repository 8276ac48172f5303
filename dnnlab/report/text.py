"""Numbers, durations and sizes as a person reads them; others' text as a terminal may get it."""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, and part of how some scripts are written."""


def printable(text: str) -> str:
    """Returns a text with all that steers a terminal, or turns what it shows around, written out:
    control characters, line ends among them, and invisible ones.

    >>> printable("cat\\x1b[2J"), printable("\\u202edog"), printable("Häuser, 猫")
    ('cat\\\\x1b[2J', '\\\\u202edog', 'Häuser, 猫')
    """
    if text.isprintable():
        return text
    return "".join(map(_written_out, text))


def _written_out(character: str) -> str:
    steers = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if not steers or character in JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def counted(count: float, thing: str) -> str:
    """Returns a number with its noun, which takes a plural s if there is not one of it.

    >>> counted(1, "thread"), counted(1719, "update"), counted(0.5, "epoch")
    ('1 thread', '1,719 updates', '0.5 epochs')
    """
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {thing}{'s' * (count != 1)}"


def shown(value: float) -> str:
    """Returns four significant digits.

    >>> shown(0.82341), shown(12.3456), shown(1.2e-5), shown(1.0)
    ('0.8234', '12.35', '1.2e-05', '1.000')
    """
    if value == 0 or not 1e-3 <= abs(value) < 9999.5:
        return f"{value:.4g}"
    return f"{value:#.4g}".removesuffix(".")


def duration(seconds: float) -> str:
    """Returns 0.4 s, 12 s, 3 min 20 s or 2 h 5 min.

    >>> duration(0.42), duration(200), duration(7500)
    ('0.4 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def size(count: float) -> str:
    """Returns bytes in binary units.

    >>> size(500), size(3_500_000)
    ('500 B', '3.3 MiB')
    """
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"
