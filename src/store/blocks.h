/* blocks.h - a large content in a file of its own, with a checksum for every block.
 * Private to store/.
 *
 *     group 0: GROUP_BLOCKS blocks of BLOCK_BYTES, page 0: their checksums
 *     group 1: ...
 *     last group: the blocks that are left (the last one may be shorter), its page
 *
 * A page has PAGE_BYTES, little-endian:
 *        0        4 each  CRC-32C of the blocks (block_sum of the file's number; zero where none
 * is) 4080  4  0x4b4c4241 ("ABLK") 4084  4  version, 1 4088  4  the group's number 4092  4  CRC-32C
 * of the file's number (8 bytes) and of bytes 0..4092
 *
 * So memory does not grow with the file, any place is found by arithmetic, and the file's length
 * follows from the content's: blocks_file_bytes().  One owner thread.
 */
#ifndef ANNEAL_STORE_BLOCKS_H
#define ANNEAL_STORE_BLOCKS_H

#include "os/os.h"
#include "store/segment.h"

enum { GROUP_BLOCKS = 1020, PAGE_BYTES = 4096, BLOCKS_VERSION = 1 };

uint64_t blocks_file_bytes(uint64_t bytes);

struct blocks_writer {
    int fd; /* lent */
    int64_t id;
    uint64_t bytes;
    uint32_t sum; /* of the block under way */
    char *page;
};
enum rc blocks_begin(struct blocks_writer *w, int fd, int64_t id, struct err *e) must_check;
enum rc blocks_add(struct blocks_writer *w, const void *p, size_t n, struct err *e) must_check;
enum rc blocks_end(struct blocks_writer *w, struct err *e) must_check; /* the last page; no sync */
void blocks_done(struct blocks_writer *w);                             /* frees; any time */

struct blocks_reader {
    int fd; /* taken */
    int64_t id;
    uint64_t bytes;
    int64_t group; /* of the page in memory; -1: none */
    char *page, *block;
};
/* RC_CORRUPT: the file's length is not that of `bytes`.  fd is closed in any case by
 * blocks_close. */
enum rc blocks_open(struct blocks_reader *r, int fd, int64_t id, uint64_t bytes,
                    struct err *e) must_check;
/* Verified bytes from `at` (< bytes); *ret_n at least 1.  Whole blocks go straight into p when `at`
 * begins one and cap has room for it. */
enum rc blocks_read(struct blocks_reader *r, uint64_t at, void *p, size_t cap, size_t *ret_n,
                    struct err *e) must_check;
void blocks_close(struct blocks_reader *r);
/* A page as read from a file: for the fuzzer, too. */
enum rc blocks_page_check(str page, int64_t id, uint64_t group, struct err *e) must_check;

#endif
