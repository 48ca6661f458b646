"""hashlib.pbkdf2_hmac, which CPython has from OpenSSL only (RFC 8018, 5.2)."""

import hashlib

_INNER = bytes(x ^ 0x36 for x in range(256))
_OUTER = bytes(x ^ 0x5C for x in range(256))


def pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None):
    """Derives a key of dklen bytes, by default as many as the hash has."""
    if not isinstance(hash_name, str):
        raise TypeError("hash_name must be a str")
    inner, outer = hashlib.new(hash_name), hashlib.new(hash_name)
    size = inner.digest_size
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    if dklen is None:
        dklen = size
    if dklen < 1:
        raise ValueError("key length must be greater than 0.")
    password, salt = bytes(password), bytes(salt)
    if len(password) > inner.block_size:
        password = hashlib.new(hash_name, password).digest()
    password = password.ljust(inner.block_size, b"\0")
    inner.update(password.translate(_INNER))
    outer.update(password.translate(_OUTER))

    def prf(message, inner=inner.copy, outer=outer.copy):
        first, second = inner(), outer()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    key = b""
    for block in range(1, -(-dklen // size) + 1):
        step = prf(salt + block.to_bytes(4, "big"))
        folded = int.from_bytes(step, "big")
        for _ in range(iterations - 1):
            step = prf(step)
            folded ^= int.from_bytes(step, "big")
        key += folded.to_bytes(size, "big")
    return key[:dklen]


hashlib.pbkdf2_hmac = pbkdf2_hmac
