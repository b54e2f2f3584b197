/* blocks.c - see blocks.h. */
#include "store/blocks.h"

#include "base/crc32c.h"
#include "base/mem.h"

enum { MAGIC = 0x4b4c4241, MAGIC_AT = 4 * GROUP_BLOCKS, GROUP_BYTES = GROUP_BLOCKS * BLOCK_BYTES };

static void put32(char *p, uint32_t v)
{
    memcpy(p, &v, sizeof v); /* little-endian machines only */
}

static uint32_t get32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

uint64_t blocks_file_bytes(uint64_t bytes)
{
    return bytes + (bytes + GROUP_BYTES - 1) / GROUP_BYTES * PAGE_BYTES;
}

static uint32_t page_sum(const char *page, int64_t id)
{
    return crc32c(crc32c(0, &id, sizeof id), page, PAGE_BYTES - 4);
}

enum rc blocks_page_check(str page, int64_t id, uint64_t group, struct err *e)
{
    if (page.n < PAGE_BYTES || get32(page.p + MAGIC_AT) != MAGIC)
        return err_set(e, RC_CORRUPT, "no page of checksums where one belongs");
    if (get32(page.p + PAGE_BYTES - 4) != page_sum(page.p, id))
        return err_set(e, RC_CORRUPT, "a page of checksums has the wrong checksum itself");
    if (get32(page.p + MAGIC_AT + 4) != BLOCKS_VERSION)
        return err_set(e, RC_UNSUPPORTED, "a file of version %u, this program knows %d",
                       get32(page.p + MAGIC_AT + 4), BLOCKS_VERSION);
    if (get32(page.p + MAGIC_AT + 8) != (uint32_t)group)
        return err_set(e, RC_CORRUPT, "a page of checksums of another place");
    return RC_OK;
}

/* ---- writing */

enum rc blocks_begin(struct blocks_writer *w, int fd, int64_t id, struct err *e)
{
    *w = (struct blocks_writer){.fd = fd, .id = id, .page = mem_zalloc(PAGE_BYTES)};
    return w->page ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

static enum rc put_page(struct blocks_writer *w, uint64_t group, struct err *e)
{
    enum rc rc;

    put32(w->page + MAGIC_AT, MAGIC);
    put32(w->page + MAGIC_AT + 4, BLOCKS_VERSION);
    put32(w->page + MAGIC_AT + 8, (uint32_t)group);
    put32(w->page + PAGE_BYTES - 4, page_sum(w->page, w->id));
    rc = os_write_all(w->fd, w->page, PAGE_BYTES, e);
    memset(w->page, 0, PAGE_BYTES);
    return rc;
}

enum rc blocks_add(struct blocks_writer *w, const void *data, size_t n, struct err *e)
{
    const char *p = data;
    enum rc rc = RC_OK;

    while (!rc && n) {
        size_t in_block = (size_t)(w->bytes % BLOCK_BYTES);
        uint64_t block = w->bytes / BLOCK_BYTES;
        size_t take = BLOCK_BYTES - in_block < n ? BLOCK_BYTES - in_block : n;
        w->sum = in_block ? crc32c(w->sum, p, take) : block_sum(w->id, block, p, take);
        put32(w->page + block % GROUP_BLOCKS * 4, w->sum);
        rc = os_write_all(w->fd, p, take, e);
        p += take;
        n -= take;
        w->bytes += take;
        if (!rc && w->bytes % GROUP_BYTES == 0)
            rc = put_page(w, w->bytes / GROUP_BYTES - 1, e);
    }
    return rc;
}

enum rc blocks_end(struct blocks_writer *w, struct err *e)
{
    return w->bytes % GROUP_BYTES ? put_page(w, w->bytes / GROUP_BYTES, e) : RC_OK;
}

void blocks_done(struct blocks_writer *w)
{
    mem_free(w->page);
    w->page = NULL;
}

/* ---- reading */

enum rc blocks_open(struct blocks_reader *r, int fd, int64_t id, uint64_t bytes, struct err *e)
{
    uint64_t size;
    enum rc rc;

    *r = (struct blocks_reader){.fd = fd, .id = id, .bytes = bytes, .group = -1};
    rc = os_fd_size(fd, &size, e);
    if (!rc && size != blocks_file_bytes(bytes))
        rc = err_set(e, RC_CORRUPT, "the file has %llu bytes instead of %llu",
                     (unsigned long long)size, (unsigned long long)blocks_file_bytes(bytes));
    if (rc)
        return rc;
    r->page = mem_alloc(PAGE_BYTES);
    return r->page ? RC_OK : err_set(e, RC_NOMEM, "out of memory");
}

void blocks_close(struct blocks_reader *r)
{
    os_close(r->fd);
    mem_free(r->page);
    mem_free(r->block);
    *r = (struct blocks_reader){.fd = -1};
}

static uint64_t in_file(uint64_t at)
{
    return at + at / GROUP_BYTES * PAGE_BYTES;
}

static enum rc load_page(struct blocks_reader *r, uint64_t group, struct err *e)
{
    uint64_t end = (group + 1) * GROUP_BYTES;
    enum rc rc;

    if (r->group == (int64_t)group)
        return RC_OK;
    if (end > r->bytes)
        end = r->bytes;
    r->group = -1;
    rc = os_pread_full(r->fd, r->page, PAGE_BYTES, end + group * PAGE_BYTES, e);
    if (!rc)
        rc = blocks_page_check((str){r->page, PAGE_BYTES}, r->id, group, e);
    if (!rc)
        r->group = (int64_t)group;
    return rc;
}

static enum rc verify(struct blocks_reader *r, uint64_t block, const char *p, size_t n,
                      struct err *e)
{
    if (get32(r->page + block % GROUP_BLOCKS * 4) == block_sum(r->id, block, p, n))
        return RC_OK;
    return err_set(e, RC_CORRUPT, "block %llu has the wrong checksum", (unsigned long long)block);
}

enum rc blocks_read(struct blocks_reader *r, uint64_t at, void *p, size_t cap, size_t *ret_n,
                    struct err *e)
{
    uint64_t block = at / BLOCK_BYTES, begin = block * BLOCK_BYTES;
    uint64_t group = block / GROUP_BLOCKS, left = r->bytes - begin;
    uint64_t to_group = (group + 1) * GROUP_BYTES - begin;
    size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES, run = n;
    bool straight = at == begin && cap >= n;
    char *to = p;
    enum rc rc;

    ASSERT(at < r->bytes && cap);
    if (!straight && !r->block && !(r->block = mem_alloc(BLOCK_BYTES)))
        return err_set(e, RC_NOMEM, "out of memory");
    if (straight) { /* as many whole blocks of this group as there is room for, in one call */
        uint64_t most = left < to_group ? left : to_group;
        run = most <= cap ? (size_t)most : cap / BLOCK_BYTES * BLOCK_BYTES;
    } else {
        to = r->block;
    }
    rc = load_page(r, group, e);
    if (!rc)
        rc = os_pread_full(r->fd, to, run, in_file(begin), e);
    for (size_t i = 0; !rc && i < run; i += BLOCK_BYTES)
        rc = verify(r, block + i / BLOCK_BYTES, to + i,
                    run - i < BLOCK_BYTES ? run - i : BLOCK_BYTES, e);
    if (rc)
        return rc;
    if (!straight) {
        size_t skip = (size_t)(at - begin);
        run = n - skip < cap ? n - skip : cap;
        memcpy(p, to + skip, run);
    }
    *ret_n = run;
    return RC_OK;
}
