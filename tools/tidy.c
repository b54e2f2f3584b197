/* tidy.c - checks the sources against the house rules.  `tools/tidy` builds and runs it.
 *
 *     build/tidy [FAULTS]     in the root of a tree; FAULTS found before are added to the sum
 *
 * Each file of src is read once; a copy with comments and literals blanked is what the rules about
 * code look at.  The rules:
 *   - lines: at most 100 columns, no tabs, no trailing white space
 *   - a file has at most 1,000 lines, a function at most 70; a file starts with its banner
 *   - includes point down src/LAYERS: own folder or a lower line, never a sibling of the same line
 *   - headers have an include guard
 *   - SQL text only in db/, *_sql.c and tests
 *   - sockets only in net/, the heap only in base/mem.c, exit() only in bin/, system calls only in
 *     os/ (net/ may use those that serve sockets)
 * Tests, fuzzers and benchmarks (*_test.c, *_fuzz.c, *_bench.c, base/test.c) may use sockets,
 * system calls and exit().
 *
 * Exceptions stand in tools/tidy.allow, `path what count` a line, where what is a function (count:
 * its lines), `file` (its lines) or a call such as `free()` (how many).  Entries may only shrink:
 * one that allows more than there is, is a fault.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COLUMNS_MAX = 100, FILE_LINES_MAX = 1000, FUNCTION_LINES_MAX = 70, LIST_MAX = 4096 };

struct layer {
    char folder[64];
    int line;
};
struct allow {
    char path[200], what[100];
    int count, seen, line;
};
struct file {
    const char *path; /* "src/base/str.c" */
    const char *in;   /* "base/str.c" */
    char *text, *code;
    size_t n;
    bool header, test;
};

static struct layer layers[256];
static int layers_n;
static struct allow allows[LIST_MAX];
static int allows_n;
static char *paths[LIST_MAX * 4];
static int paths_n;
static int faults;

static void fault(const char *path, int line, const char *what, const char *detail)
{
    printf("%s:%d: %s%s%s\n", path, line, what, *detail ? ": " : "", detail);
    faults++;
}

static char *read_all(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    char *p = NULL;
    long n;

    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    p = calloc(1, (size_t)n + 1);
    if (!p || fread(p, 1, (size_t)n, f) != (size_t)n) {
        perror(path);
        exit(2);
    }
    fclose(f);
    *ret_n = (size_t)n;
    return p;
}

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);

    return n >= m && !strcmp(s + n - m, tail);
}

static bool starts(const char *s, const char *head)
{
    return !strncmp(s, head, strlen(head));
}

static int line_of(const struct file *f, size_t at)
{
    int line = 1;

    for (size_t i = 0; i < at; i++)
        line += f->text[i] == '\n';
    return line;
}

/* ---- the lists */

static void layers_read(void)
{
    size_t n;
    char *text = read_all("src/LAYERS", &n), *save = NULL;
    int line = 0;

    if (!text) {
        printf("src/LAYERS:1: cannot be read\n");
        exit(2);
    }
    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        char *words = NULL;
        line++;
        if (*l == '#')
            continue;
        for (char *w = strtok_r(l, " \t", &words); w && layers_n < 256;
             w = strtok_r(NULL, " \t", &words)) {
            snprintf(layers[layers_n].folder, sizeof layers[0].folder, "%s", w);
            layers[layers_n++].line = line;
        }
    }
    free(text);
}

static void allows_read(void)
{
    size_t n;
    char *text = read_all("tools/tidy.allow", &n), *save = NULL;
    int line = 0;

    for (char *l = text, *next; l && *l; l = next) {
        struct allow *a = &allows[allows_n];
        next = strchr(l, '\n');
        if (next)
            *next++ = 0;
        line++;
        a->line = line;
        if (*l && *l != '#' && allows_n < LIST_MAX - 1) {
            if (sscanf(l, "%199s %99s %d", a->path, a->what, &a->count) == 3)
                allows_n++;
            else
                fault("tools/tidy.allow", line, "a line must be `path what count`", "");
        }
    }
    (void)save;
    free(text);
}

/* Is there an exception?  Then the most that was seen is noted, for allows_check. */
static bool allowed(const char *path, const char *what, int count)
{
    for (int i = 0; i < allows_n; i++) {
        struct allow *a = &allows[i];
        if (strcmp(a->path, path) || strcmp(a->what, what))
            continue;
        if (count > a->seen)
            a->seen = count;
        return count <= a->count;
    }
    return false;
}

static void allows_check(void)
{
    char text[64];

    for (int i = 0; i < allows_n; i++) {
        const struct allow *a = &allows[i];
        if (a->seen >= a->count)
            continue;
        if (a->seen)
            snprintf(text, sizeof text, "lower it to %d", a->seen);
        else
            snprintf(text, sizeof text, "remove it");
        fault("tools/tidy.allow", a->line, "the exception allows more than is there", text);
    }
}

/* ---- SQL, while literals are blanked */

static bool sql_starts(const char *lit)
{
    static const char *const heads[] = {
        "SELECT ",      "INSERT INTO ",   "INSERT OR ",      "UPDATE ",        "DELETE FROM ",
        "CREATE TABLE", "CREATE INDEX",   "CREATE UNIQUE",   "CREATE VIEW",    "CREATE TRIGGER",
        "CREATE TEMP",  "CREATE VIRTUAL", "BEGIN IMMEDIATE", "BEGIN DEFERRED", "BEGIN EXCLUSIVE",
        "BEGIN TRANS",  "BEGIN\"",        "BEGIN;",
    };

    while (*lit == ' ' || starts(lit, "\\n"))
        lit += *lit == ' ' ? 1 : 2;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (starts(lit, heads[i]))
            return true;
    }
    return false;
}

static void check_sql(const struct file *f, size_t at)
{
    if (f->test || starts(f->in, "db/") || ends(f->path, "_sql.c") || !sql_starts(f->text + at + 1))
        return;
    fault(f->path, line_of(f, at), "SQL text belongs in db/ or a *_sql.c file", "");
}

/* Fills f->code: the text with comments and the insides of literals as spaces. */
static void blank(struct file *f)
{
    enum { CODE, LINE, BLOCK, QUOTE, TICK } in = CODE;
    char *c = f->code;

    for (size_t i = 0; i < f->n; i++) {
        char now = f->text[i], next = f->text[i + 1];
        if (in == CODE) {
            if (now == '/' && (next == '/' || next == '*')) {
                in = next == '/' ? LINE : BLOCK;
                c[i++] = ' ';
                c[i] = ' ';
            } else if (now == '"' ||
                       (now == '\'' && (i == 0 || !isxdigit((unsigned char)f->text[i - 1])))) {
                bool include = now == '"';
                in = now == '"' ? QUOTE : TICK;
                if (include)
                    check_sql(f, i);
            }
            continue;
        }
        if (now == '\n') {
            if (in != BLOCK)
                in = CODE;
            continue;
        }
        if ((in == QUOTE || in == TICK) && now == '\\') {
            c[i++] = ' ';
            if (f->text[i] != '\n')
                c[i] = ' ';
            continue;
        }
        if ((in == QUOTE && now == '"') || (in == TICK && now == '\'')) {
            in = CODE;
            continue;
        }
        c[i] = ' ';
        if (in == BLOCK && now == '*' && next == '/') {
            c[++i] = ' ';
            in = CODE;
        }
    }
}

/* ---- lines */

static void check_line(const struct file *f, int line, const char *p, size_t n)
{
    int columns = 0;

    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)p[i] & 0xC0) != 0x80;
    if (columns > COLUMNS_MAX) {
        char text[32];
        snprintf(text, sizeof text, "%d", columns);
        fault(f->path, line, "more than 100 columns", text);
    }
    if (memchr(p, '\t', n))
        fault(f->path, line, "a tab", "");
    if (n && (p[n - 1] == ' ' || p[n - 1] == '\r' || p[n - 1] == '\t'))
        fault(f->path, line, "trailing white space", "");
}

static void check_lines(const struct file *f)
{
    int line = 0;

    for (const char *p = f->text, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, '\n');
        check_line(f, ++line, p, (size_t)(end - p));
    }
    if (f->n && f->text[f->n - 1] != '\n')
        fault(f->path, line, "no newline at the end of the file", "");
    if (line > FILE_LINES_MAX && !allowed(f->path, "file", line)) {
        char text[32];
        snprintf(text, sizeof text, "%d", line);
        fault(f->path, line, "more than 1000 lines in a file", text);
    }
    if (!starts(f->text, "/*"))
        fault(f->path, 1, "the file does not start with its banner comment", "");
}

/* ---- functions: a body opens with '{' and closes with '}' in the first column */

/* The name before the last '(' ... ')' that ends before `at`; of TEST(x), x. */
static void name_before(const struct file *f, size_t at, char *ret, size_t cap)
{
    size_t end = at, from;
    int depth = 0;

    ret[0] = 0;
    while (end > 0 && f->code[end - 1] != ')' && f->code[end - 1] != ';' && f->code[end - 1] != '}')
        end--;
    if (!end || f->code[end - 1] != ')')
        return;
    for (end--; end > 0; end--) {
        depth += (f->code[end] == ')') - (f->code[end] == '(');
        if (!depth)
            break;
    }
    for (from = end;
         from > 0 && (isalnum((unsigned char)f->code[from - 1]) || f->code[from - 1] == '_');)
        from--;
    if (end - from == 4 && !strncmp(f->code + from, "TEST", 4)) {
        from = end + 1;
        for (end = from; isalnum((unsigned char)f->code[end]) || f->code[end] == '_';)
            end++;
    }
    snprintf(ret, cap, "%.*s", (int)(end - from), f->code + from);
}

static void check_functions(const struct file *f)
{
    int line = 1, opened = 0;
    char name[100] = "", text[160];

    for (size_t i = 0; i < f->n; i++) {
        bool first = i == 0 || f->code[i - 1] == '\n';
        if (first && f->code[i] == '{') {
            opened = line;
            name_before(f, i, name, sizeof name);
        } else if (first && f->code[i] == '}' && opened) {
            int lines = line - opened + 1;
            if (lines > FUNCTION_LINES_MAX && !allowed(f->path, name, lines)) {
                snprintf(text, sizeof text, "%s, %d", name, lines);
                fault(f->path, opened, "more than 70 lines in a function", text);
            }
            opened = 0;
        }
        line += f->code[i] == '\n';
    }
}

/* ---- includes and guards */

static const struct layer *layer_of(const char *in)
{
    const struct layer *best = NULL;

    for (int i = 0; i < layers_n; i++) {
        size_t n = strlen(layers[i].folder);
        if (!strncmp(in, layers[i].folder, n) && in[n] == '/' &&
            (!best || n > strlen(best->folder)))
            best = &layers[i];
    }
    return best;
}

static void check_include(const struct file *f, int line, const char *name)
{
    const struct layer *here = layer_of(f->in), *there = layer_of(name);
    char text[400];

    if (!strchr(name, '/')) {
        fault(f->path, line, "an include must name its path from src/", name);
        return;
    }
    if (!here || !there) {
        fault(f->path, line, "the folder is not in src/LAYERS", here ? name : f->in);
        return;
    }
    snprintf(text, sizeof text, "%s may not include %s", here->folder, name);
    if (here == there)
        return;
    if (here->line == there->line)
        fault(f->path, line, "an include of a sibling (same line of src/LAYERS)", text);
    else if (there->line < here->line)
        fault(f->path, line, "an include points up src/LAYERS", text);
}

static void check_includes(const struct file *f)
{
    int line = 0;
    char name[256], guard[256] = "", defined[256] = "";
    bool code_before = false;

    for (const char *p = f->text, *end; *p; p = *end ? end + 1 : end) {
        const char *code = f->code + (p - f->text);
        end = strchrnul(p, '\n');
        line++;
        if (sscanf(code, "#ifndef %255[A-Za-z0-9_]", name) == 1 && !guard[0] && !code_before)
            snprintf(guard, sizeof guard, "%s", name);
        else if (sscanf(code, "#define %255[A-Za-z0-9_]", name) == 1 && guard[0] && !defined[0])
            snprintf(defined, sizeof defined, "%s", name);
        else if (*code == '#' && sscanf(p, "#include \"%255[^\"]\"", name) == 1)
            check_include(f, line, name);
        for (const char *c = code; c < code + (end - p); c++)
            code_before = code_before || !isspace((unsigned char)*c);
    }
    if (f->header && (!guard[0] || strcmp(guard, defined)))
        fault(f->path, 1, "the header has no include guard", "");
}

/* ---- calls */

enum { IN_OS = 1, IN_NET = 2, IN_BIN = 4, IN_MEM = 8, IN_TEST = 16 };
static const struct {
    const char *names;
    int where;
    const char *say;
} calls[] = {
    {"malloc calloc realloc free reallocarray aligned_alloc posix_memalign strdup strndup asprintf "
     "vasprintf getline",
     IN_MEM, "the heap belongs to base/mem.h"},
    {"socket bind listen accept accept4 socketpair", IN_NET | IN_TEST, "sockets belong to net/"},
    {"exit quick_exit", IN_BIN | IN_TEST, "only bin/ exits"},
    {"read write close poll select epoll_create1 epoll_ctl epoll_wait eventfd timerfd_create ioctl "
     "fcntl pipe pipe2 dup dup2 shutdown connect send recv sendto recvfrom sendmsg recvmsg",
     IN_OS | IN_NET | IN_TEST, "system calls belong to os/"},
    {"open openat creat pread pwrite readv writev lseek fsync fdatasync sync ftruncate truncate rename "
     "renameat unlink unlinkat link symlink mkdir rmdir remove stat fstat lstat access chmod opendir "
     "readdir nftw mmap munmap flock fopen fdopen freopen tmpfile mkstemp fork vfork execv execve "
     "execvp execvpe execl execlp posix_spawn posix_spawnp system popen wait waitpid kill prctl "
     "syscall getrandom clock_nanosleep nanosleep usleep sleep chdir _exit sigaction",
     IN_OS | IN_TEST, "system calls belong to os/"},
    {"rand srand random srandom drand48", 0, "random numbers come from base/hash.h or os/os.h"},
};

static int where_of(const struct file *f)
{
    int where = f->test ? IN_TEST : 0;

    where |= starts(f->in, "os/") ? IN_OS : 0;
    where |= starts(f->in, "net/") ? IN_NET : 0;
    where |= starts(f->in, "bin/") ? IN_BIN : 0;
    where |= !strcmp(f->in, "base/mem.c") ? IN_MEM : 0;
    return where;
}

static bool has_word(const char *words, const char *w, size_t n)
{
    for (const char *p = words; (p = strstr(p, w)) != NULL; p += n) {
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    }
    return false;
}

/* Does the file define a static function of this name?  Then the call is to that one. */
static bool own_function(const struct file *f, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = f->code; (p = strstr(p, name)) != NULL; p += n) {
        const char *line = p;
        while (line > f->code && line[-1] != '\n')
            line--;
        if (starts(line, "static ") && p[n] == '(' && (p[-1] == ' ' || p[-1] == '*'))
            return true;
    }
    return false;
}

static void check_call(const struct file *f, size_t from, size_t n, int count[], int where)
{
    char name[64], what[72];

    if (n >= sizeof name)
        return;
    snprintf(name, sizeof name, "%.*s", (int)n, f->code + from);
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
        if (!has_word(calls[k].names, name, n) || (calls[k].where & where) || own_function(f, name))
            continue;
        snprintf(what, sizeof what, "%s()", name);
        if (!allowed(f->path, what, ++count[k]))
            fault(f->path, line_of(f, from), calls[k].say, what);
    }
}

static void check_calls(const struct file *f)
{
    int count[sizeof calls / sizeof calls[0]] = {0};
    int where = where_of(f);
    bool directive = false;

    for (size_t i = 0; i < f->n;) {
        size_t from = i, before = i;
        if (f->code[i] == '#' && (i == 0 || f->code[i - 1] == '\n'))
            directive = true;
        else if (f->code[i] == '\n')
            directive = false;
        while (isalnum((unsigned char)f->code[i]) || f->code[i] == '_')
            i++;
        if (i == from) {
            i++;
            continue;
        }
        while (before > 0 && f->code[before - 1] == ' ')
            before--;
        if (f->code[i] != '(' || directive || isdigit((unsigned char)f->code[from]))
            continue;
        if (before > 0 &&
            (f->code[before - 1] == '.' ||
             (f->code[before - 1] == '>' && before > 1 && f->code[before - 2] == '-')))
            continue; /* a member */
        check_call(f, from, i - from, count, where);
    }
}

/* ---- the tree */

static void walk(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *v;

    if (!d)
        return;
    while ((v = readdir(d))) {
        char path[512];
        struct stat st;
        if (v->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, v->d_name);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            walk(path);
        else if ((ends(path, ".c") || ends(path, ".h")) && paths_n < LIST_MAX * 4)
            paths[paths_n++] = strdup(path);
    }
    closedir(d);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_file(const char *path)
{
    struct file f = {.path = path, .in = path + 4};

    f.text = read_all(path, &f.n);
    if (!f.text)
        return;
    f.code = malloc(f.n + 1);
    memcpy(f.code, f.text, f.n + 1);
    f.header = ends(path, ".h");
    f.test = ends(path, "_test.c") || ends(path, "_fuzz.c") || ends(path, "_bench.c") ||
             !strcmp(f.in, "base/test.c");
    blank(&f);
    check_lines(&f);
    check_functions(&f);
    check_includes(&f);
    if (strcmp(f.in, "base/banned.h"))
        check_calls(&f);
    free(f.text);
    free(f.code);
}

int main(int argc, char **argv)
{
    faults = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    layers_read();
    allows_read();
    walk("src");
    qsort(paths, (size_t)paths_n, sizeof paths[0], by_text);
    for (int i = 0; i < paths_n; i++)
        check_file(paths[i]);
    allows_check();
    printf("tidy: %d files, %d faults\n", paths_n, faults);
    for (int i = 0; i < paths_n; i++)
        free(paths[i]);
    return faults ? 1 : 0;
}
