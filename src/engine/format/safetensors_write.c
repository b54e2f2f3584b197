/* safetensors_write.c - writes files of tensors.  The format and the rules stand in safetensors.h.
 */
#include "engine/format/safetensors.h"

#include "base/json.h"
#include "base/mem.h"
#include "os/os.h"
#include <errno.h>
#include <fcntl.h>

struct writer {
    const struct safetensors_entry *entries;
    size_t n;
    bool durable;
    size_t *order;  /* entries by name */
    size_t largest; /* elements */
    struct hasher hash;
    int fd;
    int64_t bytes;
};

static size_t elements(const struct safetensors_entry *t)
{
    size_t n = 1;
    for (int d = 0; d < t->dims; d++)
        n *= (size_t)t->shape[d];
    return n;
}

/* By insertion: qsort has no context argument, and a net has hundreds of tensors. */
static enum rc sort_names(struct writer *w, struct err *e)
{
    for (size_t i = 0; i < w->n; i++) {
        str name = str_of(w->entries[i].name);
        size_t lo = 0, hi = i;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            int c = str_cmp(str_of(w->entries[w->order[mid]].name), name);
            if (c == 0)
                return err_set(e, RC_INVALID, "two tensors are named '%.*s'", STR_F(name));
            if (c < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        memmove(w->order + lo + 1, w->order + lo, (i - lo) * sizeof *w->order);
        w->order[lo] = i;
    }
    return RC_OK;
}

static void meta_write(struct jw *j, const struct safetensors_meta *meta, size_t n)
{
    jw_kobj(j, "__metadata__");
    for (size_t done = 0; done < n; done++) { /* the done-th smallest key; there are few */
        for (size_t i = 0; i < n; i++) {
            size_t smaller = 0;
            for (size_t k = 0; k < n; k++)
                smaller += str_cmp(meta[k].key, meta[i].key) < 0;
            if (smaller == done) {
                jw_key_str(j, meta[i].key);
                jw_str(j, meta[i].value);
            }
        }
    }
    jw_obj_end(j);
}

static void header_write(struct writer *w, const struct safetensors_meta *meta, size_t meta_n,
                         struct buf *out)
{
    struct jw j;
    int64_t at = 0;

    buf_add(out, "\0\0\0\0\0\0\0\0", 8);
    jw_init(&j, out);
    jw_obj(&j);
    if (meta_n)
        meta_write(&j, meta, meta_n);
    for (size_t i = 0; i < w->n; i++) {
        const struct safetensors_entry *t = &w->entries[w->order[i]];
        int64_t bytes = (int64_t)elements(t) * 4;
        jw_kobj(&j, t->name);
        jw_kcstr(&j, "dtype", "F32");
        jw_karr(&j, "shape");
        for (int d = 0; d < t->dims; d++)
            jw_int(&j, t->shape[d]);
        jw_arr_end(&j);
        jw_karr(&j, "data_offsets");
        jw_int(&j, at);
        jw_int(&j, at += bytes);
        jw_arr_end(&j);
        jw_obj_end(&j);
    }
    jw_obj_end(&j);
    while (out->n % 8 && !out->rc)
        buf_putc(out, ' ');
    if (!out->rc) {
        uint64_t len = out->n - 8;
        memcpy(out->p, &len, 8);
    }
}

static enum rc put(struct writer *w, const void *p, size_t n, struct err *e)
{
    hasher_add(&w->hash, p, n);
    w->bytes += (int64_t)n;
    return os_write_all(w->fd, p, n, e);
}

static enum rc put_all(struct writer *w, const struct safetensors_meta *meta, size_t meta_n,
                       safetensors_get_fn get, void *ud, struct err *e)
{
    struct buf head;
    float *data = mem_alloc_array(w->largest ? w->largest : 1, sizeof *data);
    enum rc rc;

    buf_init(&head, SAFETENSORS_HEADER_BYTES_MAX);
    header_write(w, meta, meta_n, &head);
    rc = data ? buf_ok(&head, e) : err_set(e, RC_NOMEM, "no memory to write tensors");
    if (!rc)
        rc = put(w, head.p, head.n, e);
    for (size_t i = 0; !rc && i < w->n; i++) {
        size_t k = w->order[i];
        get(ud, k, data);
        rc = put(w, data, elements(&w->entries[k]) * sizeof *data, e);
    }
    if (!rc && w->durable)
        rc = os_fsync(w->fd, e);
    buf_done(&head);
    mem_free(data);
    return rc;
}

static enum rc write_file(struct writer *w, const char *path, const struct safetensors_meta *meta,
                          size_t meta_n, safetensors_get_fn get, void *ud, struct err *e)
{
    struct buf tmp;
    enum rc rc;

    buf_init(&tmp, 4096);
    buf_printf(&tmp, "%s.tmp", path);
    rc = buf_ok(&tmp, e);
    if (!rc)
        rc = os_open(tmp.p, O_WRONLY | O_CREAT | O_TRUNC, 0600, &w->fd, e);
    if (!rc)
        rc = put_all(w, meta, meta_n, get, ud, e);
    os_close(w->fd);
    if (!rc && w->durable)
        rc = os_rename_durable(tmp.p, path, e);
    else if (!rc && os_sys.rename(tmp.p, path) != 0)
        rc = err_errno(e, errno, "cannot rename to '%s'", path);
    if (rc && w->fd >= 0)
        (void)os_sys.unlink(tmp.p);
    buf_done(&tmp);
    return rc;
}

enum rc safetensors_write(const char *path, const struct safetensors_meta *meta, size_t meta_n,
                          const struct safetensors_entry *entries, size_t n, bool durable,
                          safetensors_get_fn get, void *ud, struct safetensors_written *ret,
                          struct err *e)
{
    struct writer w = {.entries = entries, .n = n, .durable = durable, .fd = -1};
    uint8_t digest[SHA256_BYTES];
    enum rc rc;

    ASSERT(n <= SAFETENSORS_TENSORS_MAX);
    for (size_t i = 0; i < n; i++)
        w.largest = elements(&entries[i]) > w.largest ? elements(&entries[i]) : w.largest;
    w.order = mem_alloc_array(n ? n : 1, sizeof *w.order);
    if (!w.order)
        return err_set(e, RC_NOMEM, "no memory to write %s", path);
    rc = sort_names(&w, e);
    if (!rc)
        rc = sha256_init(&w.hash, e);
    if (!rc) {
        rc = write_file(&w, path, meta, meta_n, get, ud, e);
        hasher_final(&w.hash, digest);
    }
    mem_free(w.order);
    if (rc)
        return err_wrap(e, rc, "writing %s", path);
    hex_of(digest, SHA256_BYTES, ret->sha256);
    ret->bytes = w.bytes;
    return RC_OK;
}
