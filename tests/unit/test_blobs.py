"""Chunks of columns as blobs: what goes in comes out, and what was changed in between is refused."""

import zlib

import numpy as np
import pytest

from data_layer.store.blobs import block, columns_of, pack, unpack

TIMES = np.array([1, 2**62, -(2**63)], np.int64)
VALUES = np.array([1.5, -0.0, np.nan])


def test_columns_come_back_bit_by_bit_at_their_place_in_a_block():
    blob, crc32 = pack((TIMES, VALUES))
    room = block(2, 5)
    room[:] = 7
    unpack(blob, crc32, room, slice(1, 4))
    times, values = columns_of(room, 1)
    assert [column.dtype.str for column in (times, values)] == ["<i8", "<f8"]
    assert times.tolist() == [7, *TIMES.tolist(), 7]
    assert values[1:4].tobytes() == VALUES.tobytes()
    assert values.flags.c_contiguous
    assert np.shares_memory(values, room)


def test_the_checksum_is_the_crc32_that_older_stores_hold():
    columns = (np.arange(4096, dtype=np.int64), np.linspace(0.0, 1.0, 4096))
    _, crc32 = pack(columns)
    assert crc32 == zlib.crc32(b"".join(column.tobytes() for column in columns))


@pytest.mark.parametrize("place", [0, 20, 47])
def test_a_blob_with_one_bit_changed_is_refused_and_nothing_of_it_is_served(place):
    blob, crc32 = pack((TIMES, VALUES))
    torn = bytearray(blob)
    torn[place] ^= 1
    room = block(2, 3)
    room[:] = 7
    with pytest.raises(ValueError, match="wrong checksum"):
        unpack(bytes(torn), crc32, room, slice(0, 3))
    assert np.all(room == 7)


def test_a_blob_that_was_cut_is_refused():
    blob, crc32 = pack((TIMES, VALUES))
    with pytest.raises(ValueError, match="has 40 bytes"):
        unpack(blob[:-8], crc32, block(2, 3), slice(0, 3))
