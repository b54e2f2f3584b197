/* pictures.c - see pictures.h. */
#include "engine/feed/pictures.h"

#include "base/mem.h"
#include "os/os.h"
#include <stdatomic.h>

static bool fits(const struct pictures *p, size_t bytes_max)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < p->n && sum <= bytes_max; i++) {
        int32_t w, h;
        frame_work_size(&p->frame, p->samples[i].width, p->samples[i].height, &w, &h);
        sum += 3 * (uint64_t)w * (uint64_t)h + sizeof(struct image);
    }
    return sum <= bytes_max;
}

bool pictures_init(struct pictures *p, const struct sample_ref *samples, size_t n,
                   const char *blobs_dir, const struct frame *f, size_t cache_bytes_max)
{
    *p = (struct pictures){.samples = samples, .n = n, .blobs_dir = blobs_dir, .frame = *f};
    if (!cache_bytes_max || !fits(p, cache_bytes_max))
        return true;
    p->cache = mem_alloc_array(n, sizeof *p->cache);
    return p->cache != NULL;
}

void pictures_done(struct pictures *p)
{
    for (size_t i = 0; p->cache && i < p->n; i++) {
        struct image *im = atomic_load(&p->cache[i]);
        if (im)
            image_done(im);
        mem_free(im);
    }
    mem_free(p->cache);
    *p = (struct pictures){0};
}

static enum rc read_blob(const struct pictures *p, const struct sample_ref *r, struct arena *file,
                         str *ret, struct err *e)
{
    char hex[SHA256_HEX + 1];
    struct buf path;
    enum rc rc;

    buf_init(&path, 8192);
    buf_printf(&path, "%s/%.2s/%s", p->blobs_dir, r->sha256, r->sha256);
    rc = buf_ok(&path, e);
    arena_reset(file);
    if (!rc)
        rc = os_read_file(file, path.p, PICTURE_FILE_BYTES_MAX, ret, e);
    buf_done(&path);
    if (rc)
        return rc;
    sha256_hex(*ret, hex);
    if (strcmp(hex, r->sha256) != 0)
        return err_set(e, RC_CORRUPT, "its content is not what was imported (SHA-256 %s, not %s)",
                       hex, r->sha256);
    return RC_OK;
}

/* Boxes and the cache's budget go by the manifest's size. */
static enum rc check_size(const struct sample_ref *r, str bytes, struct err *e)
{
    struct image_info info;
    enum rc rc = image_probe(bytes, NULL, &info, e);

    if (!rc && (info.width != r->width || info.height != r->height))
        return err_set(e, RC_CORRUPT, "it is %dx%d pixels, but the manifest says %dx%d", info.width,
                       info.height, r->width, r->height);
    return rc;
}

static enum rc publish(struct pictures *p, uint32_t i, struct picture *pic, struct err *e)
{
    struct image *mine = mem_alloc(sizeof *mine), *other = NULL;

    if (!mine)
        return err_set(e, RC_NOMEM, "no memory for the cache of pictures");
    *mine = pic->im;
    if (!atomic_compare_exchange_strong(&p->cache[i], &other, mine)) {
        image_done(mine);
        mem_free(mine);
        pic->im = *other;
    }
    pic->cached = true;
    return RC_OK;
}

enum rc picture_open(struct pictures *p, struct arena *file, uint32_t i, struct picture *ret,
                     struct err *e)
{
    const struct sample_ref *r = &p->samples[i];
    const struct image *kept = p->cache ? atomic_load(&p->cache[i]) : NULL;
    struct picture pic = {0};
    str bytes;
    enum rc rc;

    if (kept) {
        *ret = (struct picture){*kept, true};
        return RC_OK;
    }
    rc = read_blob(p, r, file, &bytes, e);
    if (!rc)
        rc = check_size(r, bytes, e);
    if (!rc)
        rc = frame_open(&p->frame, bytes, NULL, &pic.im, e);
    if (!rc && p->cache)
        rc = publish(p, i, &pic, e);
    if (!rc) {
        *ret = pic;
        return RC_OK;
    }
    picture_close(&pic);
    return err_wrap(e, rc, "the picture '%.*s'", STR_F(r->name));
}

void picture_close(struct picture *p)
{
    if (!p->cached)
        image_done(&p->im);
    *p = (struct picture){0};
}

enum rc picture_input(struct pictures *p, struct arena *file, uint32_t i, float *ret, struct err *e)
{
    const struct sample_ref *r = &p->samples[i];
    struct picture pic;
    str bytes;
    enum rc rc;

    if (p->cache) {
        rc = picture_open(p, file, i, &pic, e);
        if (rc)
            return rc;
        rc = frame_eval(&p->frame, &pic.im, ret, e);
        picture_close(&pic);
    } else {
        rc = read_blob(p, r, file, &bytes, e);
        if (!rc)
            rc = check_size(r, bytes, e);
        if (!rc)
            rc = frame_input(&p->frame, bytes, NULL, ret, e);
    }
    return rc ? err_wrap(e, rc, "the picture '%.*s'", STR_F(r->name)) : RC_OK;
}
