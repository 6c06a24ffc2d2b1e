"""RSA signatures as a gateway checks them: PKCS #1 v1.5 with SHA-512 (RFC 8017, 8.2.2 and A.1.1)."""

import hashlib
import hmac
import ssl
from pathlib import Path

import trustme

SHA512 = bytes.fromhex("3051300d060960864801650304020305000440")
"""How the digest of SHA-512 is named in a signature (RFC 8017, 9.2, note 1)."""
INTEGER = 2


def make_key(path: Path) -> bytes:
    """Write a new private key, as `python -m pypowerwall register` does; returns what a gateway registers of it."""
    owner = trustme.CA().issue_cert("owner.example", key_type=trustme.KeyType.RSA)
    owner.private_key_pem.write_to_path(str(path))
    path.chmod(0o600)
    return ssl.PEM_cert_to_DER_cert(owner.cert_chain_pems[0].bytes().decode())


def is_signed(content: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether the holder of the private half of this key (DER, PKCS #1) has signed."""
    modulus, exponent = _numbers(public_key)
    length = (modulus.bit_length() + 7) // 8
    found = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(length, "big")
    digest = SHA512 + hashlib.sha512(content).digest()
    wanted = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    return hmac.compare_digest(found, wanted)


def _numbers(public_key: bytes) -> tuple[int, int]:
    """Modulus and exponent: a sequence of two integers."""
    _, rest, _ = _taken(public_key)
    _, modulus, rest = _taken(rest)
    kind, exponent, _ = _taken(rest)
    if kind != INTEGER:
        raise ValueError("not an RSA public key")
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _taken(raw: bytes) -> tuple[int, bytes, bytes]:
    """The kind of the first element, what it holds, and what comes after it."""
    length, place = raw[1], 2
    if length & 0x80:
        place += length & 0x7F
        length = int.from_bytes(raw[2:place], "big")
    return raw[0], raw[place : place + length], raw[place + length :]
