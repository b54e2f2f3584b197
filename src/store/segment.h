/* segment.h - the format of a segment: many small contents, one behind the other, in a file that
 * only grows.  Private to store/.  Pure functions; the files are segments.h's.
 *
 * DIR/segments/<number, 8 hex digits>.seg, at most SEGMENT_BYTES_MAX long.  Numbers little-endian.
 *
 *     head, SEGMENT_HEAD_BYTES at 0
 *        0  8  "ANNSEG1\n"
 *        8  4  version, 1
 *       12  4  the segment's number
 *       16  4  CRC-32C of bytes 0..16
 *       20     zero
 *     record, at multiples of 8
 *        0  4  0x52474553 ("SEGR")
 *        4  4  CRC-32C over the segment's number and the record's place (4 bytes each), then over
 *              bytes 8.. of the record up to its body: a record that lies elsewhere is wrong
 *        8  8  the content's number (data.id)
 *       16  4  bytes of the body, 1..PACK_BYTES_MAX
 *       20  4  zero
 *       24     for each block of BLOCK_BYTES of the body: its CRC-32C (blocks.h); zero up to a
 *              multiple of 8; the body; zero up to a multiple of 8
 *
 * A record is never changed.  Which records count says the index alone: one without a row is dead
 * space.  Behind the last record there is nothing that means anything (reserved space, or what an
 * unfinished append left).
 */
#ifndef ANNEAL_STORE_SEGMENT_H
#define ANNEAL_STORE_SEGMENT_H

#include "base/str.h"

enum {
    SEGMENT_BYTES_MAX = 64 << 20,
    SEGMENT_HEAD_BYTES = 4096,
    SEGMENT_VERSION = 1,
    BLOCK_BYTES = 64 << 10,     /* one checksum each */
    PACK_BYTES_MAX = 256 << 10, /* a longer body gets a file of its own */
    RECORD_BYTES_MAX = 24 + 4 * (PACK_BYTES_MAX / BLOCK_BYTES) + PACK_BYTES_MAX + 8,
};

/* The checksum of a block, with whose it is and where in it. */
uint32_t block_sum(int64_t id, uint64_t block, const void *p, size_t n);

void segment_head_put(uint32_t number, char ret[SEGMENT_HEAD_BYTES]);
enum rc segment_head_check(str head, uint32_t number, struct err *e) must_check;

size_t record_bytes(size_t body_bytes); /* whole, a multiple of 8 */
void record_put(uint32_t segment, uint32_t at, int64_t id, str body, char *ret);
/* The record at the beginning of `bytes`, all blocks verified; the body is lent.  RC_CORRUPT says
 * what is wrong. */
enum rc record_check(uint32_t segment, uint32_t at, str bytes, int64_t *ret_id, str *ret_body,
                     struct err *e) must_check;

#endif
