/* safetensors.c - reads tensors from wherever their bytes are.  The format and the rules stand in
 * safetensors.h; files are opened by safetensors_file.c, so that this part needs no system. */
#include "engine/format/safetensors.h"

#include "base/json.h"
#include "base/mem.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors are read as they lie in the file");

enum { HEADER_ARENA_BYTES_MAX = 256 << 20 };

struct safetensors {
    struct arena arena;
    struct safetensors_header h;
    struct safetensors_source from;
    char *name;
};

static const struct {
    char name[8];
    unsigned bytes;
} dtypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"U64", 8}, {"I32", 4},
              {"U32", 4}, {"I16", 2}, {"U16", 2},  {"I8", 1},  {"U8", 1},  {"BOOL", 1}};

/* ---- header */

static enum rc parse_shape(const struct json *shape, struct safetensors_tensor *t, struct err *e)
{
    uint64_t count = 1;

    if (!shape || shape->type != JSON_ARR || shape->list.count > SAFETENSORS_DIMS_MAX)
        return err_set(e, RC_CORRUPT, "tensor '%.*s': shape must be a list of at most %d numbers",
                       STR_F(t->name), SAFETENSORS_DIMS_MAX);
    JSON_EACH(d, shape) {
        if (d->type != JSON_INT || d->i < 0 ||
            __builtin_mul_overflow(count, (uint64_t)d->i, &count))
            return err_set(e, RC_CORRUPT, "tensor '%.*s': its shape is not possible",
                           STR_F(t->name));
        t->shape[t->dims++] = d->i;
    }
    t->count = (size_t)count;
    return RC_OK;
}

static enum rc parse_tensor(const struct json *v, uint64_t data_at, uint64_t data_bytes,
                            struct safetensors_tensor *t, struct err *e)
{
    const struct json *off = json_get(v, "data_offsets");
    str dtype = json_str(v, "dtype", STR_NONE);
    uint64_t size = 0, bytes;
    enum rc rc;

    t->name = v->key;
    if (v->type != JSON_OBJ)
        return err_set(e, RC_CORRUPT, "tensor '%.*s' is not described by an object", STR_F(v->key));
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (str_is(dtype, dtypes[i].name)) {
            memcpy(t->dtype, dtypes[i].name, sizeof t->dtype);
            size = dtypes[i].bytes;
        }
    if (!size)
        return err_set(e, RC_UNSUPPORTED, "tensor '%.*s': the type '%.*s' is not known",
                       STR_F(t->name), (int)(dtype.n > 16 ? 16 : dtype.n), dtype.p);
    rc = parse_shape(json_get(v, "shape"), t, e);
    if (rc)
        return rc;
    if (!off || off->type != JSON_ARR || off->list.count != 2 ||
        off->list.first->type != JSON_INT || off->list.first->next->type != JSON_INT)
        return err_set(e, RC_CORRUPT, "tensor '%.*s': data_offsets must be two numbers",
                       STR_F(t->name));
    int64_t from = off->list.first->i, to = off->list.first->next->i;
    if (from < 0 || to < from || (uint64_t)to > data_bytes)
        return err_set(e, RC_CORRUPT,
                       "tensor '%.*s': its data (%lld to %lld) lie outside the file's %llu bytes",
                       STR_F(t->name), (long long)from, (long long)to,
                       (unsigned long long)data_bytes);
    if (__builtin_mul_overflow((uint64_t)t->count, size, &bytes) || bytes != (uint64_t)(to - from))
        return err_set(e, RC_CORRUPT, "tensor '%.*s': its shape does not fit its %lld bytes",
                       STR_F(t->name), (long long)(to - from));
    t->at = data_at + (uint64_t)from;
    t->bytes = bytes;
    return RC_OK;
}

static enum rc parse_meta(const struct json *v, struct arena *a, struct safetensors_header *h,
                          struct err *e)
{
    if (v->type != JSON_OBJ)
        return err_set(e, RC_CORRUPT, "__metadata__ is not an object");
    h->meta = ARENA_ARRAY(a, struct safetensors_meta, v->list.count + 1);
    if (!h->meta)
        return err_set(e, RC_NOMEM, "no memory for the metadata of a safetensors file");
    JSON_EACH(m, v) {
        if (m->type != JSON_STR)
            return err_set(e, RC_CORRUPT, "__metadata__: '%.*s' is not text", STR_F(m->key));
        h->meta[h->meta_n++] = (struct safetensors_meta){m->key, m->s};
    }
    return RC_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes; /* empty ones first */
}

static int by_name(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

/* Every byte of the data belongs to exactly one tensor. */
static enum rc check_cover(struct safetensors_header *h, uint64_t at, uint64_t end, struct err *e)
{
    if (h->n)
        qsort(h->tensors, h->n, sizeof *h->tensors, by_place);
    for (size_t i = 0; i < h->n; i++) {
        const struct safetensors_tensor *t = &h->tensors[i];
        if (t->at != at)
            return err_set(e, RC_CORRUPT, "tensor '%.*s' %s", STR_F(t->name),
                           t->at < at ? "overlaps another one" : "has a hole before its data");
        at += t->bytes;
    }
    if (at != end)
        return err_set(e, RC_CORRUPT, "%llu bytes at the end belong to no tensor",
                       (unsigned long long)(end - at));
    if (h->n)
        qsort(h->tensors, h->n, sizeof *h->tensors, by_name);
    return RC_OK;
}

enum rc safetensors_parse(str header, uint64_t file_bytes, struct arena *a,
                          struct safetensors_header *ret, struct err *e)
{
    struct json_limits lim = {.depth_max = 4, .nodes_max = SAFETENSORS_TENSORS_MAX * 16};
    struct safetensors_header h = {0};
    const struct json *root;
    uint64_t data_at = 8 + (uint64_t)header.n;
    enum rc rc;

    ASSERT(data_at <= file_bytes);
    rc = json_parse(a, header, &lim, &root, e);
    if (rc)
        return rc == RC_NOMEM ? rc : err_wrap(e, RC_CORRUPT, "the header of the safetensors file");
    if (root->type != JSON_OBJ)
        return err_set(e, RC_CORRUPT, "the header of the safetensors file is not an object");
    if (root->list.count > SAFETENSORS_TENSORS_MAX)
        return err_set(e, RC_TOO_LARGE, "more than %d tensors in a file", SAFETENSORS_TENSORS_MAX);
    h.tensors = ARENA_ARRAY(a, struct safetensors_tensor, root->list.count + 1);
    if (!h.tensors)
        return err_set(e, RC_NOMEM, "no memory for the header of a safetensors file");
    JSON_EACH(v, root) {
        if (str_is(v->key, "__metadata__"))
            rc = parse_meta(v, a, &h, e);
        else
            rc = parse_tensor(v, data_at, file_bytes - data_at, &h.tensors[h.n++], e);
        if (rc)
            return rc;
    }
    rc = check_cover(&h, data_at, file_bytes, e);
    if (!rc)
        *ret = h;
    return rc;
}

/* ---- opening */

static enum rc read_header(struct safetensors *s, struct err *e)
{
    const uint64_t bytes = s->from.bytes;
    uint64_t len;
    char *text;
    enum rc rc;

    if (bytes < 8)
        return err_set(e, RC_CORRUPT, "a safetensors file of %llu bytes is too short",
                       (unsigned long long)bytes);
    rc = s->from.read(s->from.ud, &len, 8, 0, e);
    if (rc)
        return rc;
    if (len > bytes - 8)
        return err_set(e, RC_CORRUPT,
                       "the header says it is %llu bytes long, but the file has %llu",
                       (unsigned long long)len, (unsigned long long)bytes);
    if (len > SAFETENSORS_HEADER_BYTES_MAX)
        return err_set(e, RC_TOO_LARGE, "a header of %llu bytes; the limit is %d",
                       (unsigned long long)len, SAFETENSORS_HEADER_BYTES_MAX);
    text = arena_alloc(&s->arena, (size_t)len + 1);
    if (!text)
        return err_set(e, RC_NOMEM, "no memory for the header of a safetensors file");
    rc = s->from.read(s->from.ud, text, (size_t)len, 8, e);
    return rc ? rc : safetensors_parse((str){text, (size_t)len}, bytes, &s->arena, &s->h, e);
}

enum rc safetensors_begin(struct safetensors **ret, const char *name,
                          const struct safetensors_source *from, struct err *e)
{
    struct safetensors *s = mem_zalloc(sizeof *s);
    enum rc rc;

    if (!s) {
        from->close(from->ud);
        return err_set(e, RC_NOMEM, "no memory to open %s", name);
    }
    arena_init(&s->arena, HEADER_ARENA_BYTES_MAX);
    s->from = *from;
    s->name = mem_strndup(name, strlen(name));
    rc = s->name ? read_header(s, e) : err_set(e, RC_NOMEM, "no memory to open %s", name);
    if (rc) {
        safetensors_close(s);
        return err_wrap(e, rc, "%s", name);
    }
    *ret = s;
    return RC_OK;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    s->from.close(s->from.ud);
    arena_done(&s->arena);
    mem_free(s->name);
    mem_free(s);
}

static enum rc read_memory(void *ud, void *p, size_t n, uint64_t at, struct err *e)
{
    const char *bytes = ud;

    memcpy(p, bytes + at, n);
    return RC_OK;
}

static void close_memory(void *ud)
{
}

enum rc safetensors_view(struct safetensors **ret, const char *name, str bytes, struct err *e)
{
    const struct safetensors_source from = {
        bytes.n, read_memory, close_memory, (void *)(uintptr_t)bytes.p};

    return safetensors_begin(ret, name, &from, e);
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->h.n;
}

const struct safetensors_tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    ASSERT(i < s->h.n);
    return &s->h.tensors[i];
}

ptrdiff_t safetensors_find(const struct safetensors *s, str name)
{
    struct safetensors_tensor key = {.name = name}, *t = NULL;

    if (s->h.n)
        t = bsearch(&key, s->h.tensors, s->h.n, sizeof key, by_name);
    return t ? t - s->h.tensors : -1;
}

str safetensors_meta(const struct safetensors *s, const char *key)
{
    for (size_t i = 0; i < s->h.meta_n; i++)
        if (str_is(s->h.meta[i].key, key))
            return s->h.meta[i].value;
    return STR_NONE;
}

static float float_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction. */
static float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h >> 15) << 31, exp = h >> 10 & 31, frac = h & 1023;

    if (exp == 0) {
        float f = (float)frac * 0x1p-24f; /* subnormal: exact */
        return sign ? -f : f;
    }
    return float_of_bits(sign | (exp == 31 ? 255u : exp + 112u) << 23 | frac << 13);
}

enum rc safetensors_read(struct safetensors *s, size_t i, float *ret, struct err *e)
{
    const struct safetensors_tensor *t = safetensors_at(s, i);
    bool half = strcmp(t->dtype, "F16") == 0, brain = strcmp(t->dtype, "BF16") == 0;
    enum rc rc;

    if (strcmp(t->dtype, "F32") == 0)
        return s->from.read(s->from.ud, ret, (size_t)t->bytes, t->at, e);
    if (!half && !brain)
        return err_set(e, RC_UNSUPPORTED,
                       "%s: tensor '%.*s' is %s; weights must be F32, F16 or BF16", s->name,
                       STR_F(t->name), t->dtype);
    /* The 2-byte values go to the upper half of the room for 4-byte ones, and widen upwards. */
    uint16_t *in = (uint16_t *)ret + t->count;
    rc = s->from.read(s->from.ud, in, (size_t)t->bytes, t->at, e);
    if (rc)
        return rc;
    for (size_t k = 0; k < t->count; k++) {
        uint16_t v;
        memcpy(&v, in + k, sizeof v);
        float f = half ? float_of_half(v) : float_of_bits((uint32_t)v << 16);
        memcpy(ret + k, &f, sizeof f);
    }
    return RC_OK;
}
