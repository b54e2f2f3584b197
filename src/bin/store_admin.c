/* store_admin.c - `anneal store stat|check|scrub|compact|backup`: numbers of a store's folder, its
 * integrity, its space and its copy. */
#include "store/admin.h"

#include "bin/store_verbs.h"

#include <stdio.h>

#define DATA_HELP "Data directory; else ANNEAL_DATA, else the default of `anneal serve`."
#define RATE_HELP "Reads and writes at most so many bytes a second: 50MB; else as fast as it goes."
#define S         struct store_walk_flags
const struct field store_walk_fields[] = {
    F_STR(S, data, .help = DATA_HELP), F_STR(S, rate, .max = 32, .help = RATE_HELP),
    F_BOOL(S, quick, .help = "Look at the index and the folders only, not at the bytes."),
    FIELD_END};
const struct field store_scrub_fields[] = {F_STR(S, data, .help = DATA_HELP),
                                           F_STR(S, rate, .max = 32, .help = RATE_HELP), FIELD_END};
#undef S
#define S struct store_compact_flags
const struct field store_compact_fields[] = {
    F_STR(S, data, .help = DATA_HELP), F_STR(S, rate, .max = 32, .help = RATE_HELP),
    F_INT(S, dead_percent, .min = 1, .max = 100, .dflt = "25",
          .help = "Segments with at least so much dead space."),
    FIELD_END};
#undef S

/* A number of a result: its name, where it stands, how it is shown. */
struct number {
    const char *name, *label;
    size_t at;
    enum { COUNT, BYTES, TIME } kind;
};

static uint64_t value_of(const void *result, const struct number *n)
{
    return *(const uint64_t *)(const void *)((const char *)result + n->at);
}

static void say_numbers(struct cli *c, struct jw *w, const struct number *list, size_t n,
                        const void *result)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v = value_of(result, &list[i]);
        char when[OS_TIME_TEXT] = "never";

        if (list[i].kind != TIME) {
            jw_kint(w, list[i].name, (int64_t)v);
            cli_say(c, "%-30s %s\n", list[i].label,
                    list[i].kind == BYTES ? cli_bytes(c->a, (double)v)
                                          : arena_printf(c->a, "%llu", (unsigned long long)v));
            continue;
        }
        if (v)
            os_time_text((int64_t)v, when);
        jw_kcstr(w, list[i].name, v ? when : NULL);
        cli_say(c, "%-30s %s\n", list[i].label, when);
    }
}

static enum rc read_rate(struct cli *c, str text, uint64_t *ret, struct err *e)
{
    *ret = 0;
    if (text.n && !str_bytes_size(text, ret))
        return cli_misuse(c, e, "--rate is a size such as 50MB or 1GiB");
    return RC_OK;
}

/* ---- stat */

#define N(member, text, k)                                                                         \
    {                                                                                              \
#member, text, offsetof(struct store_stat, member), k                                      \
    }
static const struct number stat_numbers[] = {
    N(buckets, "buckets", COUNT),
    N(objects, "objects", COUNT),
    N(object_bytes, "bytes of objects", BYTES),
    N(uploads, "unfinished uploads", COUNT),
    N(contents, "different contents", COUNT),
    N(content_bytes, "bytes of contents", BYTES),
    N(packed, "contents in segments", COUNT),
    N(packed_bytes, "bytes of them", BYTES),
    N(filed, "contents in files", COUNT),
    N(filed_bytes, "bytes of them", BYTES),
    N(fresh, "contents still in the index", COUNT),
    N(fresh_bytes, "bytes of them", BYTES),
    N(segments, "segments", COUNT),
    N(segment_bytes, "bytes of segments", BYTES),
    N(segment_dead_bytes, "dead bytes in segments", BYTES),
    N(unverified, "contents without checksums", COUNT),
    N(damaged, "damaged contents", COUNT),
    N(scrub_ended_ms, "last whole scrub", TIME),
    N(scrub_done, "scrubbed in this round", COUNT),
    N(scrub_pending, "left in this round", COUNT),
    N(disk_free_bytes, "free on the disk", BYTES),
    N(disk_bytes, "size of the disk", BYTES),
};
#undef N

enum rc store_run_stat(struct cli *c, struct err *e)
{
    const struct store_data_flags *f = c->flags;
    const char *dir, *master;
    struct store_stat s;
    struct buf b;
    struct jw w;
    enum rc rc = store_dir(c, f->data, &dir, &master, e);

    if (!rc)
        rc = store_stat(dir, &s, e);
    if (rc)
        return rc;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kint(&w, "layout", s.layout);
    say_numbers(c, &w, stat_numbers, sizeof stat_numbers / sizeof *stat_numbers, &s);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    return RC_OK;
}

/* ---- check and scrub */

struct found {
    struct cli *c;
    struct buf b; /* JSON array of faults, the first FAULTS_LISTED of them */
    struct jw w;
    uint64_t faults;
};
enum { FAULTS_LISTED = 10000 };

static enum rc say_fault(void *ud, const struct store_fault *f, struct err *e)
{
    struct found *x = ud;

    cli_say(x->c, "%s%s%s: %s%s%s%s%s: %s\n", cli_style(x->c, STYLE_BAD),
            store_fault_names[f->kind], cli_style(x->c, STYLE_NONE), cli_cstr(x->c, f->bucket),
            f->bucket.n ? "/" : "", cli_cstr(x->c, f->key), *f->path ? " in " : "", f->path,
            f->text);
    if (x->faults++ >= FAULTS_LISTED)
        return RC_OK;
    jw_obj(&x->w);
    jw_kcstr(&x->w, "kind", store_fault_names[f->kind]);
    jw_kint(&x->w, "content", f->data);
    jw_kstr(&x->w, "bucket", f->bucket);
    jw_kstr(&x->w, "key", f->key);
    jw_kcstr(&x->w, "path", f->path);
    jw_kcstr(&x->w, "text", f->text);
    jw_obj_end(&x->w);
    return RC_OK;
}

typedef enum rc (*walk_fn)(const char *dir, const struct store_check_options *o,
                           struct store_check_result *ret, struct err *e);

static void say_result(struct cli *c, struct found *x, const struct store_check_result *r)
{
    struct buf b;
    struct jw w;
    uint64_t bad = 0;

    buf_init(&b, CLI_REPLY_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kint(&w, "contents", (int64_t)r->contents);
    jw_kint(&w, "bytes", (int64_t)r->bytes);
    jw_kbool(&w, "manifest", r->manifest);
    jw_kobj(&w, "faults");
    for (size_t i = 0; i < STORE_FAULT_KINDS; i++) {
        jw_kint(&w, store_fault_names[i], (int64_t)r->faults[i]);
        bad += i == STORE_FAULT_ORPHAN ? 0 : r->faults[i];
    }
    jw_obj_end(&w);
    jw_kbool(&w, "sound", !bad);
    jw_kraw(&w, "found", buf_view(&x->b));
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c, "%llu contents, %s read: ", (unsigned long long)r->contents,
            cli_bytes(c->a, (double)r->bytes));
    cli_say(c, bad ? "%llu faults\n" : "sound\n", (unsigned long long)bad);
    if (r->faults[STORE_FAULT_ORPHAN])
        cli_say(c, "%llu pieces that nothing names waste space; no object is harmed\n",
                (unsigned long long)r->faults[STORE_FAULT_ORPHAN]);
    if (bad)
        c->status = EXIT_FAILED;
}

static enum rc walk(struct cli *c, bool bytes, walk_fn fn, struct err *e)
{
    const struct store_walk_flags *f = c->flags;
    struct found x = {.c = c};
    struct store_check_options o = {.bytes = bytes, .each = say_fault, .ud = &x};
    struct store_check_result r;
    const char *dir, *master;
    enum rc rc = read_rate(c, f->rate, &o.bytes_per_s, e);

    if (!rc)
        rc = store_dir(c, f->data, &dir, &master, e);
    if (rc)
        return rc;
    buf_init(&x.b, CLI_REPLY_MAX);
    jw_init(&x.w, &x.b);
    jw_arr(&x.w);
    rc = fn(dir, &o, &r, e);
    jw_arr_end(&x.w);
    if (!rc)
        say_result(c, &x, &r);
    buf_done(&x.b);
    return rc;
}

enum rc store_run_check(struct cli *c, struct err *e)
{
    const struct store_walk_flags *f = c->flags;

    return walk(c, !f->quick, store_check, e);
}

enum rc store_run_scrub(struct cli *c, struct err *e)
{
    return walk(c, true, store_scrub, e);
}

/* ---- compact */

enum rc store_run_compact(struct cli *c, struct err *e)
{
    const struct store_compact_flags *f = c->flags;
    struct store_compact_options o = {.dead_percent = (unsigned)f->dead_percent};
    struct store_compact_result r;
    const char *dir, *master;
    struct buf b;
    struct jw w;
    enum rc rc = read_rate(c, f->rate, &o.bytes_per_s, e);

    if (!rc)
        rc = store_dir(c, f->data, &dir, &master, e);
    if (!rc)
        rc = store_compact(dir, &o, &r, e);
    if (rc)
        return rc;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kint(&w, "segments", (int64_t)r.segments);
    jw_kint(&w, "bytes_before", (int64_t)r.bytes_before);
    jw_kint(&w, "bytes_after", (int64_t)r.bytes_after);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    cli_say(c, "%llu segments: %s became %s\n", (unsigned long long)r.segments,
            cli_bytes(c->a, (double)r.bytes_before), cli_bytes(c->a, (double)r.bytes_after));
    return RC_OK;
}

/* ---- backup */

#define N(member, text, k)                                                                         \
    {                                                                                              \
#member, text, offsetof(struct store_backup_result, member), k                             \
    }
static const struct number backup_numbers[] = {
    N(files, "files", COUNT), N(bytes, "bytes", BYTES), N(contents, "contents", COUNT),
    N(faults, "faults found", COUNT), N(taken_ms, "as of", TIME)};
#undef N

enum rc store_run_backup(struct cli *c, struct err *e)
{
    const struct store_walk_flags *f = c->flags;
    struct found x = {.c = c};
    struct store_check_options o = {.bytes = true, .each = say_fault, .ud = &x};
    struct store_backup_result r;
    const char *dir, *master, *to = arena_printf(c->a, "%.*s", STR_F(c->args[0])), *below;
    struct buf b;
    struct jw w;
    enum rc rc = read_rate(c, f->rate, &o.bytes_per_s, e);

    below = to ? arena_printf(c->a, "%s/store", to) : NULL;
    if (!below)
        return cli_nomem(e);
    if (!rc)
        rc = store_dir(c, f->data, &dir, &master, e);
    if (!rc)
        rc = os_mkdirs(to, 0700, e);
    if (rc)
        return rc;
    buf_init(&x.b, CLI_REPLY_MAX);
    jw_init(&x.w, &x.b);
    jw_arr(&x.w);
    rc = store_backup(dir, below, &o, &r, e);
    jw_arr_end(&x.w);
    buf_done(&x.b);
    if (rc)
        return rc;
    buf_init(&b, 1 << 16);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_kcstr(&w, "copy", below);
    say_numbers(c, &w, backup_numbers, sizeof backup_numbers / sizeof *backup_numbers, &r);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    if (r.faults)
        c->status = EXIT_FAILED;
    cli_note(c,
             "prove it with `anneal store check --data %s`; the master key of the identities is "
             "not in it: keep %s.master too\n",
             to, dir);
    return RC_OK;
}
