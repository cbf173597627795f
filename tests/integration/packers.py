"""Compressors that Python's library lacks, by the same C libraries that the bridge reads with."""
import ctypes
import ctypes.util
import functools

IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
CHUNK = 65536


@functools.cache
def library(name):
    return ctypes.CDLL(ctypes.util.find_library(name))


def zstd(data):
    bound = library("zstd").ZSTD_compressBound
    compress = library("zstd").ZSTD_compress
    bound.restype = compress.restype = ctypes.c_size_t
    bound.argtypes = [ctypes.c_size_t]
    compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    out = ctypes.create_string_buffer(bound(len(data)))
    n = compress(out, len(out), data, len(data), 3)
    assert n <= len(out), "libzstd cannot compress this"
    return out.raw[:n]


def snappy_block(data):
    bound = library("snappy").snappy_max_compressed_length
    bound.restype = ctypes.c_size_t
    n = ctypes.c_size_t(bound(ctypes.c_size_t(len(data))))
    out = ctypes.create_string_buffer(n.value)
    assert library("snappy").snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(n)) == 0
    return out.raw[:n.value]


def masked_crc32c(data):
    c = 0xFFFFFFFF
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    c ^= 0xFFFFFFFF
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF


def snappy_frames(data):
    out = [IDENTIFIER]
    for at in range(0, len(data), CHUNK):
        part = data[at:at + CHUNK]
        packed = masked_crc32c(part).to_bytes(4, "little") + snappy_block(part)
        out += [b"\x00", len(packed).to_bytes(3, "little"), packed]
    return b"".join(out)
