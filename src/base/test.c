/* test.c - main() of every unit test program (base/test.h).
 *
 *     x_test [-v] [-l] [SUBSTRING ...]      -v: every test and its output; -l: list them
 *
 * Each test runs in a process of its own, so that a crash, a leak (LeakSanitizer runs at its exit)
 * or a changed seam stays its own.  A watchdog kills what hangs, after ANNEAL_TEST_TIMEOUT seconds
 * (300: the slowest take 20, and ten times that on a machine with other work).
 * What it prints is shown only when it fails.
 */
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_case *first_test, **last_link = &first_test;

struct report {
    char why[1024]; /* "" while it has not failed */
};
static struct report *report; /* shared with the child */
static char dir_path[512];

void test_register(struct test_case *t)
{
    *last_link = t;
    last_link = &t->next;
}

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
{
    char text[960];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(report->why, sizeof report->why, "%.100s:%d: %.900s", file, line, text);
    fflush(stdout);
    _exit(1);
}

const char *test_dir(void)
{
    if (mkdir(dir_path, 0700) != 0 && errno != EEXIST)
        test_fail(__FILE__, __LINE__, "cannot make %s: %s", dir_path, strerror(errno));
    return dir_path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)chmod(path, 0700);
    return remove(path);
}

static void dir_remove(void)
{
    if (access(dir_path, F_OK) == 0)
        nftw(dir_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

_Noreturn static void child(const struct test_case *t, int out, pid_t parent, unsigned seconds)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (out >= 0) {
        dup2(out, 1);
        dup2(out, 2);
        close(out);
    }
    signal(SIGALRM, SIG_DFL);
    alarm(seconds);
    t->run();
    fflush(stdout);
    exit(0);
}

static void show(int out)
{
    char piece[4096];
    ssize_t n;

    fflush(stdout);
    lseek(out, 0, SEEK_SET);
    while ((n = read(out, piece, sizeof piece)) > 0)
        fwrite(piece, 1, (size_t)n, stdout);
}

/* True if it passed. */
static bool run_one(const struct test_case *t, bool verbose, unsigned seconds)
{
    const char *tmp = getenv("TMPDIR");
    int out = verbose ? -1 : memfd_create("test-output", MFD_CLOEXEC), status = 0;
    pid_t parent = getpid(), pid;
    bool ok;

    snprintf(dir_path, sizeof dir_path, "%.300s/anneal-test-%d-%.100s", tmp && *tmp ? tmp : "/tmp",
             (int)parent, t->name);
    report->why[0] = 0;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        child(t, out, parent, seconds);
    if (pid < 0) {
        printf("FAIL %s: fork: %s\n", t->name, strerror(errno));
        return false;
    }
    setpgid(pid, pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    kill(-pid, SIGKILL); /* what it left running */
    ok = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !report->why[0];
    if (!ok && report->why[0])
        printf("FAIL %s: %s\n", t->name, report->why);
    else if (!ok && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        printf("FAIL %s: it took more than %u s\n", t->name, seconds);
    else if (!ok && WIFSIGNALED(status))
        printf("FAIL %s: killed by signal %d (%s)\n", t->name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else if (!ok)
        printf("FAIL %s: exit status %d (a sanitizer's report, or a leak)\n", t->name,
               WEXITSTATUS(status));
    else if (verbose)
        printf("ok   %s\n", t->name);
    if (!ok && out >= 0)
        show(out);
    if (out >= 0)
        close(out);
    dir_remove();
    return ok;
}

static bool wanted(const struct test_case *t, int n, char **filters)
{
    bool any = false;

    for (int i = 0; i < n; i++) {
        if (filters[i][0] == '-')
            continue;
        if (strstr(t->name, filters[i]))
            return true;
        any = true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    const char *limit = getenv("ANNEAL_TEST_TIMEOUT");
    bool verbose = false, list = false;
    uint64_t seconds = 300;
    int passed = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        verbose = verbose || !strcmp(argv[i], "-v");
        list = list || !strcmp(argv[i], "-l");
    }
    if (limit && (!str_u64(str_of(limit), &seconds) || seconds > 86400)) {
        fprintf(stderr, "ANNEAL_TEST_TIMEOUT must be a number of seconds, not '%s'\n", limit);
        return 2;
    }
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 2;
    for (const struct test_case *t = first_test; t; t = t->next) {
        if (!wanted(t, argc - 1, argv + 1))
            continue;
        if (list)
            printf("%s\n", t->name);
        else if (run_one(t, verbose, (unsigned)seconds))
            passed++;
        else
            failed++;
    }
    if (!list)
        printf("%s: %d passed, %d failed\n", name, passed, failed);
    return failed || (!list && !passed) ? 1 : 0;
}
