/* platform.c - what stands below the engine where there is no operating system: one thread, no
 * oneDNN, no files, and a log that goes to the page's console.
 *
 * Each function stands in for one of the same name in src/ (crew.c, onednn.c, log.c, err_system.c,
 * map_key.c, os/), whose file the module leaves out.
 */
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/graph/crew.h"
#include "engine/kernel/onednn/onednn.h"
#include "os/os.h"
#include <locale.h>

/* ---- log: one import */

__attribute__((import_module("anneal"), import_name("log"))) void
host_log(int32_t level, const char *text, size_t bytes);

void log_at(enum log_level level, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        host_log((int32_t)level, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

_Noreturn void assert_failed(const char *file, int line, const char *what)
{
    log_error("%s:%d: assertion failed: %s (this is a defect of Anneal)", file, line, what);
    __builtin_trap();
}

/* ---- the system: memory is limited by what malloc can still get, not by a number known before */

__attribute__((import_module("anneal"), import_name("now"))) double host_now(void); /* ms */

/* Processor time of one thread: the page's clock will do (only graph_time asks). */
int64_t os_cpu_ns(void)
{
    return (int64_t)(host_now() * 1e6);
}

int64_t os_mono_ns(void)
{
    return (int64_t)(host_now() * 1e6);
}

uint64_t os_memory_available(void)
{
    return 0;
}

void os_memory_large_pages(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
}

int os_cpu_count(void)
{
    return 1;
}

/* Nobody but the page's own user chooses names here. */
const uint64_t *map_key(void)
{
    static const uint64_t key[2] = {0x616e6e65616c2121, 0x7761736d33322121}; /* "anneal!!".. */

    return key;
}

/* ---- the C library: parts of its own that would import WASI's system calls.  newlocale
 * reads the environment (without one, base/str.c uses strtod, which knows only the C locale here);
 * printf of a long double, which nobody calls, writes to standard error and aborts. */

locale_t newlocale(int mask, const char *name, locale_t base)
{
    return NULL;
}

int fputs(const char *restrict text, FILE *restrict to)
{
    log_error("%s", text);
    return 0;
}

const char __stderr_FILE; /* what its `stderr` points to: only fputs above is ever given it */

_Noreturn void abort(void)
{
    __builtin_trap();
}

/* ---- a crew of one: the caller */

struct crew {
    char unused;
};

enum rc crew_new(struct crew **ret, int threads, void (*enter)(void), struct err *e)
{
    if (threads != 1)
        return err_set(e, RC_UNSUPPORTED, "%d threads; this build has one", threads);
    struct crew *c = mem_alloc(sizeof *c);
    if (!c)
        return err_set(e, RC_NOMEM, "out of memory for a crew");
    *ret = c;
    return RC_OK;
}

void crew_free(struct crew *c)
{
    mem_free(c);
}

int crew_threads(const struct crew *c)
{
    return 1;
}

void crew_begin(struct crew *c)
{
}

void crew_end(struct crew *c)
{
}

void crew_run(struct crew *c, int items, crew_fn fn, void *ud)
{
    for (int i = 0; i < items; i++)
        fn(ud, i, 0);
}

/* ---- oneDNN: the check says that there is none, and nobody goes further */

const char *onednn_version(void)
{
    return "";
}

enum rc onednn_check(struct err *e)
{
    return err_set(e, RC_UNAVAILABLE, "this build has no oneDNN");
}

enum rc onednn_new(struct onednn **ret, int threads, struct err *e)
{
    return onednn_check(e);
}

void onednn_free(struct onednn *o)
{
    ASSERT(!o);
}

void onednn_enter_thread(void)
{
}

enum rc onednn_conv_new(struct onednn_conv **ret, struct onednn *o, const struct conv_shape *s,
                        int images, bool train, enum act act, bool residual, struct err *e)
{
    return onednn_check(e);
}

void onednn_conv_free(struct onednn_conv *c)
{
    ASSERT(!c);
}

size_t onednn_conv_scratch(const struct onednn_conv *c)
{
    return 0;
}

const char *onednn_conv_name(const struct onednn_conv *c)
{
    return "none";
}

bool onednn_conv_input_first(const struct onednn_conv *c)
{
    return false;
}

bool onednn_conv_forward(struct onednn_conv *c, int thread, const float *x, const float *w,
                         const float *bias, float *y, float *scratch)
{
    return false;
}

bool onednn_conv_backward_data(struct onednn_conv *c, int thread, const float *dy,
                               const float *swapped, float *dx, float *scratch)
{
    return false;
}

bool onednn_conv_backward_weights(struct onednn_conv *c, int thread, const float *x,
                                  const float *dy, float *dw, float *scratch)
{
    return false;
}
