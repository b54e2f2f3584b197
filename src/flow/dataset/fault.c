/* fault.c - see fault.h. */
#include "flow/dataset/fault.h"

const char *const fault_severity_names[] = {"error", "warning", "info", NULL};

static const struct {
    const char *name;
    enum fault_severity severity;
} codes[] = {
#define X(name, code, severity) [FAULT_CODE_##name] = {code, FAULT_##severity},
    FAULT_TABLE(X)
#undef X
};

const char *fault_code_name(enum fault_code c)
{
    ASSERT(c < FAULT_CODE_COUNT);
    return codes[c].name;
}

enum fault_severity fault_code_severity(enum fault_code c)
{
    ASSERT(c < FAULT_CODE_COUNT);
    return codes[c].severity;
}

void faults_init(struct faults *f, struct arena *a)
{
    *f = (struct faults){.a = a};
}

void faults_done(struct faults *f)
{
    VEC_DONE(&f->list);
}

static void keep(struct faults *f, struct fault one)
{
    f->counts[one.code]++;
    f->total++;
    if (f->list.n >= FAULTS_KEPT_MAX)
        return;
    if (!VEC_PUSH(&f->list, one))
        f->nomem = true;
}

void faults_add(struct faults *f, enum fault_code code, str file, int32_t line, str image,
                const char *action, const char *fmt, ...)
{
    char text[FAULT_TEXT_MAX];
    struct fault one = {code, line, file, image, STR_NONE, str_of(action)};
    va_list ap;

    if (f->list.n < FAULTS_KEPT_MAX) {
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        one.message = arena_str(f->a, (str){text, n < 0 ? 0 : strlen(text)});
        if (!one.message.p)
            f->nomem = true;
    }
    keep(f, one);
}

void faults_merge(struct faults *f, const struct faults *from)
{
    for (size_t i = 0; i < from->list.n && f->list.n < FAULTS_KEPT_MAX; i++)
        if (!VEC_PUSH(&f->list, from->list.p[i]))
            f->nomem = true;
    for (int c = 0; c < FAULT_CODE_COUNT; c++)
        f->counts[c] += from->counts[c];
    f->total += from->total;
    f->nomem |= from->nomem;
}

void fault_write(const struct fault *f, struct jw *w)
{
    jw_obj(w);
    jw_kcstr(w, "severity", fault_severity_names[fault_code_severity(f->code)]);
    jw_kcstr(w, "code", fault_code_name(f->code));
    jw_kstr(w, "file", f->file);
    jw_kint(w, "line", f->line);
    jw_kstr(w, "image", f->image);
    jw_kstr(w, "message", f->message);
    jw_kstr(w, "action", f->action);
    jw_obj_end(w);
}

void faults_counts_write(const struct faults *f, struct jw *w)
{
    jw_obj(w);
    for (int c = 0; c < FAULT_CODE_COUNT; c++)
        if (f->counts[c])
            jw_kint(w, fault_code_name((enum fault_code)c), (int64_t)f->counts[c]);
    jw_obj_end(w);
}
