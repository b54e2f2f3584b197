/* cli_doctor.c - `anneal doctor`: what this machine and this installation lack, and what to do.
 *
 * A finding is fine, a remark (things work, but slower or not yet) or a fault (something that is
 * needed is missing: exit status 1).  Every remark and fault has a remedy. */
#include "bin/cli.h"
#include "engine/kernel/onednn/onednn.h"
#include "lab/vision/sample_font.h"
#include "os/os.h"
#include "spec/config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 400, PROC_BYTES_MAX = 64 << 10, FINDINGS_MAX = 32 };

enum state { FINE, REMARK, FAULT };
static const char *const state_names[] = {"ok", "remark", "fault"};

struct finding {
    enum state state;
    const char *name;
    char text[TEXT_MAX], remedy[TEXT_MAX];
};
struct doctor {
    struct cli *c;
    struct config *config;
    struct finding all[FINDINGS_MAX];
    size_t n;
    bool serving; /* a server of ours answers */
};

static void add(struct doctor *d, enum state state, const char *name, const char *remedy,
                const char *fmt, ...) printf_like(5, 6);
static void add(struct doctor *d, enum state state, const char *name, const char *remedy,
                const char *fmt, ...)
{
    struct finding *f = &d->all[d->n < FINDINGS_MAX - 1 ? d->n++ : d->n];
    va_list ap;

    f->state = state;
    f->name = name;
    snprintf(f->remedy, sizeof f->remedy, "%s", remedy);
    va_start(ap, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, ap);
    va_end(ap);
}

/* ---- the machine */

static void check_cpu(struct doctor *d)
{
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int cores = os_cpu_count();
    struct err e = {0};

    add(d, cores < 2 ? REMARK : FINE, "cores",
        "one core trains and serves in turns; two are better", "%d", cores);
    if (wide || avx2)
        add(d, FINE, "instructions", "", "%s", wide ? "AVX-512" : "AVX2 and FMA");
    else
        add(d, REMARK, "instructions", "training works, several times slower; use a newer machine",
            "neither AVX2 nor AVX-512");
    if (!onednn_check(&e))
        add(d, FINE, "oneDNN", "", "found");
    else
        add(d, REMARK, "oneDNN",
            wide ? "apt install libdnnl-dev (training works without, slower)"
                 : "nothing to do: our own kernels are used",
            "not used: %.300s", e.text);
}

/* A line "Name:  123 kB" of /proc/meminfo, in bytes; 0 if it is not there. */
static double meminfo(str text, const char *name)
{
    str line, rest = text;
    uint64_t kb;

    while (str_line(&rest, &line)) {
        str value;

        if (!str_starts(line, str_of(name)))
            continue;
        value = str_trim(str_sub(line, strlen(name), line.n));
        if (str_ends(value, STR(" kB")) && str_u64(str_sub(value, 0, value.n - 3), &kb))
            return (double)kb * 1024;
    }
    return 0;
}

static void check_memory(struct doctor *d)
{
    struct arena *a = d->c->a;
    str text;
    double total, spare;

    if (os_read_file(a, "/proc/meminfo", PROC_BYTES_MAX, &text, NULL))
        return;
    total = meminfo(text, "MemTotal:");
    spare = meminfo(text, "MemAvailable:");
    add(d,
        spare < 256e6 ? FAULT
        : spare < 1e9 ? REMARK
                      : FINE,
        "memory", "end other programs, or train a smaller model with a smaller --batch-size",
        "%s of %s available", cli_bytes(a, spare), cli_bytes(a, total));
}

static void check_fonts(struct doctor *d)
{
    struct fonts *f = NULL;
    struct err e = {0};

    if (fonts_open(&f, &e)) {
        add(d, REMARK, "fonts", "apt install fonts-dejavu-core (`anneal sample` draws with them)",
            "%.300s", e.text);
        return;
    }
    add(d, FINE, "fonts", "", "%zu that can write", fonts_count(f));
    fonts_close(f);
}

/* ---- this installation */

static void check_disk(struct doctor *d, const char *data)
{
    struct arena *a = d->c->a;
    char path[4096];
    uint64_t spare = 0, total = 0;
    struct err e = {0};

    snprintf(path, sizeof path, "%s", data);
    while (!os_exists(path) && strrchr(path, '/') && strrchr(path, '/') != path)
        *strrchr(path, '/') = 0; /* the nearest folder that exists */
    if (os_disk_free(path, &spare, &total, &e))
        add(d, FAULT, "disk", "give a data directory that can be read (--data)", "%.300s", e.text);
    else
        add(d,
            spare < (512u << 20) ? FAULT
            : spare < 5e9        ? REMARK
                                 : FINE,
            "disk", "free some space, or put the data directory on a larger disk (--data)",
            "%s of %s free for %s", cli_bytes(a, (double)spare), cli_bytes(a, (double)total), data);
}

static void check_data(struct doctor *d, const char *data)
{
    const char *token = arena_printf(d->c->a, "%s/admin.token", data);
    unsigned mode;
    bool usable;

    if (os_permission(data, &mode, &usable, NULL)) {
        add(d, REMARK, "data", "`make run` makes it at the first start", "%s does not exist yet",
            data);
        return;
    }
    if (!usable)
        add(d, FAULT, "data", "give it to the user that runs `anneal serve` (chown, chmod 700)",
            "%s cannot be read and written by this user", data);
    else if (mode & 077)
        add(d, REMARK, "data", "chmod 700 the folder", "%s can be entered by other users (mode %o)",
            data, mode);
    else
        add(d, FINE, "data", "", "%s, for this user alone", data);
    if (!token || os_permission(token, &mode, &usable, NULL))
        return;
    if (mode & 077)
        add(d, FAULT, "token",
            "chmod 600 the file; revoke the token with `anneal token` and start serve anew",
            "%s can be read by other users (mode %o)", token, mode);
    else if (!usable)
        add(d, FAULT, "token", "run the commands as the user that runs `anneal serve`",
            "%s cannot be read by this user", token);
    else
        add(d, FINE, "token", "", "%s", token);
}

static void check_parts(struct doctor *d, const struct json *health)
{
    JSON_EACH(p, json_get(health, "parts")) {
        str status = json_str(p, "status", STR(""));

        if (p->type != JSON_OBJ)
            continue;
        if (str_is(p->key, "trainers")) {
            JSON_EACH(t, p)
                if (!str_is(json_str(t, "status", STR("")), "up"))
                    add(d, REMARK, "trainer",
                        "see the log of `anneal serve`; jobs wait until it answers",
                        "'%.*s' is %.*s: %.*s", STR_F(t->key),
                        STR_F(json_str(t, "status", STR("down"))),
                        STR_F(str_sub(json_str(t, "error", STR("")), 0, 200)));
        } else if (!str_is(status, "up")) {
            add(d, FAULT, "server", "see the log of `anneal serve`", "its %.*s is down: %.*s",
                STR_F(p->key), STR_F(str_sub(json_str(p, "error", STR("")), 0, 200)));
        }
    }
}

static void check_server(struct doctor *d)
{
    const struct json *health = NULL, *who = NULL;
    struct err e = {0};
    str version;
    enum rc rc = cli_call(d->c, d->c->a, HTTP_GET, "/health", NULL, &health, &e);

    if (rc == RC_UNAUTHENTICATED && !d->c->token) { /* nobody needs one to ask for the health */
        d->c->token = "";
        rc = cli_call(d->c, d->c->a, HTTP_GET, "/health", NULL, &health, &e);
    }
    if (rc == RC_UNAVAILABLE) {
        add(d, REMARK, "server", "start it with `make run` or `anneal serve`", "none answers");
        return;
    }
    if (rc) {
        add(d, FAULT, "server", "see the log of `anneal serve`", "%.300s", e.text);
        return;
    }
    d->serving = true;
    version = json_str(health, "version", STR("?"));
    if (!str_is(version, ANNEAL_VERSION))
        add(d, REMARK, "version", "start the server anew after an update",
            "the server is %.*s, this program %s", STR_F(version), ANNEAL_VERSION);
    check_parts(d, health);
    if (cli_call(d->c, d->c->a, HTTP_GET, "/auth/me", NULL, &who, &e))
        add(d, FAULT, "server", "give the token of this server: --token, or --data of this server",
            "it runs, but refuses our token: %.250s", e.text);
    else
        add(d, FINE, "server", "", "runs, version %.*s; we are %.*s (%.*s)", STR_F(version),
            STR_F(json_str(who, "email", STR("?"))), STR_F(json_str(who, "role", STR("?"))));
}

static void no_request(struct http_req *r, void *ud)
{
    http_reply(r, 503, "text/plain", STR("anneal doctor is looking at this port\n"));
}

/* A port is free when it can be taken. */
static void check_port(struct doctor *d, const char *name, const char *setting)
{
    const char *listen = config_str(d->config, setting);
    struct http_limits small = {.io_threads = 1, .workers = 1};
    struct http_server *s = NULL;
    char flag[FLAG_TEXT_MAX], remedy[160];
    struct err e = {0};

    flag_text(setting, flag);
    snprintf(remedy, sizeof remedy, "end what uses it, or choose another with %s HOST:PORT", flag);
    if (d->serving)
        return; /* it is the server's, or the server uses others */
    if (http_server_new(&s, listen, &small, no_request, NULL, NULL, &e)) {
        add(d, FAULT, name, remedy, "%s cannot be taken: %.250s", listen, e.text);
        return;
    }
    http_server_free(s);
    add(d, FINE, name, "", "%s is free", listen);
}

/* ---- the report */

static void report(struct doctor *d)
{
    static const char *const marks[] = {"ok", "--", "!!"};
    struct cli *c = d->c;
    enum state worst = FINE;
    struct buf b;
    struct jw w;

    buf_init(&b, 1 << 20);
    jw_init(&w, &b);
    jw_obj(&w);
    jw_karr(&w, "findings");
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->all[i];
        enum cli_style style = f->state == FINE    ? STYLE_GOOD
                               : f->state == FAULT ? STYLE_BAD
                                                   : STYLE_BOLD;

        worst = f->state > worst ? f->state : worst;
        cli_say(c, "%s%s%s  %-13s %s\n", cli_style(c, style), marks[f->state],
                cli_style(c, STYLE_NONE), f->name, f->text);
        if (f->state != FINE)
            cli_say(c, "    %-13s -> %s\n", "", f->remedy);
        jw_obj(&w);
        jw_kcstr(&w, "name", f->name);
        jw_kcstr(&w, "state", state_names[f->state]);
        jw_kcstr(&w, "text", f->text);
        jw_kcstr(&w, "remedy", f->state == FINE ? NULL : f->remedy);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_kbool(&w, "ok", worst != FAULT);
    jw_kcstr(&w, "version", ANNEAL_VERSION);
    jw_obj_end(&w);
    cli_json_buf(c, &b);
    c->status = worst == FAULT ? EXIT_FAILED : EXIT_OK;
}

static enum rc run_doctor(struct cli *c, struct err *e)
{
    struct doctor *d = ARENA_NEW(c->a, struct doctor);
    const char *flag = arena_printf(c->a, "data=%.*s", STR_F(c->server.data)), *data;
    struct err bad = {0};

    if (!d || !flag)
        return cli_nomem(e);
    d->c = c;
    check_cpu(d);
    check_memory(d);
    check_fonts(d);
    if (config_load(&d->config, &flag, c->server.data.n ? 1 : 0, NULL, environ, &bad)) {
        add(d, FAULT, "settings", "`anneal config --list` tells what each setting takes", "%.300s",
            bad.text);
    } else {
        data = config_str(d->config, "data");
        check_disk(d, data);
        check_data(d, data);
        check_server(d);
        check_port(d, "port", "listen");
        if (!*config_str(d->config, "s3_endpoint"))
            check_port(d, "store port", "store_listen");
        config_free(d->config);
    }
    report(d);
    return RC_OK;
}

static const struct verb verbs[] = {
    {.name = "",
     .args = "",
     .summary = "Look over this machine and installation, and say what to do.",
     .help =
         "Cores, memory, disk, instruction sets, oneDNN, fonts, the data directory and its token,\n"
         "the server and its parts, ports.  Exit 1 if something that is needed is missing.\n",
     .examples = "  anneal doctor\n  anneal doctor --data /srv/anneal --json\n",
     .run = run_doctor},
    {.name = NULL}};
const struct command doctor_command = {
    "doctor", "[--data DIR] [--json]", "Say what this machine lacks, and what to do.", "", NULL,
    verbs};
