"""Whole numbers in as few bytes as they need: 7 bits a byte, the lowest first."""


def to_varint(number: int) -> bytes:
    """A number >= 0; every byte but the last has its highest bit set.

    >>> list(to_varint(300))
    [172, 2]
    """
    code = bytearray()
    while number > 0x7F:
        code.append(number & 0x7F | 0x80)
        number >>= 7
    code.append(number)
    return bytes(code)
