/* cli_out.c - what the commands print: tables, sizes, times, progress. */
#include "bin/cli.h"
#include "os/os.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUIET_LINE_MS = 10000,
    DRAW_MS = 100,
    BAR_CELLS_MAX = 30,
    BAR_CELLS_MIN = 12,
    LINE_COLUMNS = 79
};

void cli_say(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->json)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

void cli_note(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet)
        return;
    fflush(stdout);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
}

void cli_json_text(struct cli *c, str json)
{
    if (c->json)
        printf("%.*s\n", STR_F(json));
}

void cli_json_buf(struct cli *c, struct buf *b)
{
    cli_json_text(c, buf_view(b));
    buf_done(b);
}

const char *cli_cstr(struct cli *c, str s)
{
    char *copy = arena_cstr(c->a, s);

    for (char *p = copy; p && *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = '?';
    return copy ? copy : "";
}

const char *cli_style(const struct cli *c, enum cli_style s)
{
    static const char *const codes[] = {"\033[0m", "\033[32m", "\033[31m", "\033[2m", "\033[1m"};

    return c->colour ? codes[s] : "";
}

enum cli_style cli_status_style(str s)
{
    if (str_is(s, "completed") || str_is(s, "done"))
        return STYLE_GOOD;
    if (str_is(s, "failed") || str_is(s, "cancelled"))
        return STYLE_BAD;
    return str_is(s, "running") ? STYLE_BOLD : STYLE_DIM;
}

/* ---- numbers for people */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

const char *cli_bytes(struct arena *a, double bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    size_t u = 0;

    for (; bytes >= 999.5 && u + 1 < sizeof units / sizeof *units; u++)
        bytes /= 1000;
    return or_empty(arena_printf(a, "%.*f %s", u && bytes < 9.95 ? 1 : 0, bytes, units[u]));
}

const char *cli_seconds(struct arena *a, double s)
{
    long n = s < 0 || !isfinite(s) ? 0 : lround(s);

    if (n < 60)
        return or_empty(arena_printf(a, "%ld s", n));
    if (n < 3600)
        return or_empty(arena_printf(a, "%ld min %02ld s", n / 60, n % 60));
    if (n < 86400)
        return or_empty(arena_printf(a, "%ld h %02ld min", n / 3600, n / 60 % 60));
    return or_empty(arena_printf(a, "%ld d %02ld h", n / 86400, n / 3600 % 24));
}

const char *cli_when(struct arena *a, str t)
{
    if (t.n < 16)
        return "";
    return or_empty(arena_printf(a, "%.10s %.5s", t.p, t.p + 11));
}

/* ---- tables */

size_t text_width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

void table_init(struct table *t, struct cli *c, const char *const *heads)
{
    *t = (struct table){.c = c, .heads = heads};
    while (heads[t->columns])
        t->columns++;
}

void table_cell(struct table *t, const char *fmt, ...)
{
    struct buf b;
    const char *text = NULL;
    va_list ap;
    char piece[1024];

    va_start(ap, fmt);
    vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    buf_init(&b, sizeof piece);
    for (size_t i = 0; piece[i]; i++) /* user text cannot steer the terminal */
        buf_putc(&b, (unsigned char)piece[i] < 32 || piece[i] == 127 ? '?' : piece[i]);
    if (!buf_ok(&b, NULL))
        text = arena_cstr(t->c->a, buf_view(&b));
    buf_done(&b);
    if (!VEC_PUSH(&t->cells, or_empty(text)))
        VEC_DONE(&t->cells);
}

static void print_row(const struct table *t, const char *const *cells, const size_t *width,
                      const char *style, const char *plain)
{
    for (size_t i = 0; i < t->columns; i++) {
        bool right = t->heads[i][0] == '>', last = i + 1 == t->columns;
        const char *s = cells[i] + (cells == t->heads && right);
        int pad = (int)(width[i] - text_width(s));

        printf("%*s%s%s%s%*s%s", right ? pad : 0, "", style, s, plain, right || last ? 0 : pad, "",
               last ? "\n" : "  ");
    }
}

void table_print(struct table *t, const char *none)
{
    size_t width[16] = {0};

    if (t->c->json) {
        VEC_DONE(&t->cells);
        return;
    }
    if (!t->cells.n) {
        puts(none);
        return;
    }
    for (size_t i = 0; i < t->columns; i++)
        width[i] = text_width(t->heads[i]) - (t->heads[i][0] == '>');
    for (size_t i = 0; i < t->cells.n; i++)
        if (text_width(t->cells.p[i]) > width[i % t->columns])
            width[i % t->columns] = text_width(t->cells.p[i]);
    print_row(t, t->heads, width, cli_style(t->c, STYLE_DIM), cli_style(t->c, STYLE_NONE));
    for (size_t i = 0; i + t->columns <= t->cells.n; i += t->columns)
        print_row(t, t->cells.p + i, width, "", "");
    VEC_DONE(&t->cells);
}

/* ---- progress */

static int line_columns(void)
{
    int n = os_terminal_columns(STDERR_FILENO);

    return n > 20 ? n - 1 : LINE_COLUMNS;
}

static void wipe(struct progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r\033[K");
    p->shown = false;
}

/* The bar takes what the words leave; what is still too long is cut. */
static void draw(struct progress *p, double part, const char *detail)
{
    char bar[BAR_CELLS_MAX * 3 + 1], line[512];
    int columns = line_columns(), cells, full;
    size_t n = 0, width;

    cells = columns - (int)text_width(detail) - (int)text_width(p->phase) - 9;
    cells = cells > BAR_CELLS_MAX ? BAR_CELLS_MAX : cells < BAR_CELLS_MIN ? BAR_CELLS_MIN : cells;
    full = part < 0 ? 0 : (int)(part * cells + 0.5);
    for (int i = 0; i < cells; i++, n += 3)
        memcpy(bar + n, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91", 3);
    bar[n] = 0;
    if (part < 0)
        snprintf(line, sizeof line, "%s  %s", p->phase, detail);
    else
        snprintf(line, sizeof line, "%s %s %3d%%  %s", p->phase, bar, (int)(part * 100), detail);
    width = text_width(line);
    for (n = strlen(line); width > (size_t)columns && n; n--)
        width -= ((unsigned char)line[n - 1] & 0xC0) != 0x80;
    line[n] = 0;
    wipe(p);
    fputs(line, stderr);
    fflush(stderr);
    p->shown = true;
}

void progress_show(struct progress *p, const char *phase, double part, const char *detail)
{
    int64_t now = os_mono_ms();
    bool fresh = strcmp(phase, p->phase) != 0;

    if (p->c->quiet)
        return;
    if (!p->started_ms)
        p->started_ms = now;
    snprintf(p->phase, sizeof p->phase, "%s", phase);
    if (p->c->bar) {
        if (fresh || now - p->drawn_ms >= DRAW_MS) {
            draw(p, part > 1 ? 1 : part, detail);
            p->drawn_ms = now;
        }
    } else if (fresh || now - p->line_ms >= QUIET_LINE_MS) {
        if (part < 0)
            fprintf(stderr, "%s%s%s\n", phase, *detail ? ": " : "", detail);
        else
            fprintf(stderr, "%s: %d%%%s%s\n", phase, (int)(part * 100), *detail ? ", " : "",
                    detail);
        p->line_ms = now;
    }
}

void progress_line(struct progress *p, const char *fmt, ...)
{
    va_list ap;

    if (p->c->quiet)
        return;
    wipe(p);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    p->drawn_ms = 0;
}

void progress_end(struct progress *p)
{
    wipe(p);
    fflush(stderr);
    p->phase[0] = 0;
}
