/* process.c - children, and facts about this process.
 *
 * A child is forked, not posix_spawn-ed: it must ask to die with its parent (PR_SET_PDEATHSIG)
 * before it executes.  Between fork and exec only async-signal-safe calls are made; arguments and
 * environment are put together before.  A pipe that closes on exec tells the parent why exec
 * failed. The child gets /dev/null as standard input unless a pipe is asked for, our standard
 * output and error unless pipes are asked for, default signal handling, and no other descriptor.
 */
#include "os/os.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PARENT, CHILD }; /* the ends of a pipe, by who keeps them */

struct spawn {
    const char *const *argv;
    char **env;
    const char *cwd;
    unsigned flags;
    pid_t parent;
    int in[2], out[2], err[2], report[2];
};

struct spawn_fault {
    int errnum;
    int step; /* index into spawn_steps */
};
static const char *const spawn_steps[] = {"follow its parent", "enter the working folder",
                                          "set up its descriptors", "execute"};

static void pipe_close(int ends[2])
{
    os_close(ends[PARENT]);
    os_close(ends[CHILD]);
    ends[PARENT] = ends[CHILD] = -1;
}

/* Both ends above 2, so that the child may dup2 them onto 0, 1 and 2 in any order. */
static enum rc pipe_make(int ends[2], bool child_reads, struct err *e)
{
    int raw[2], high[2];

    if (pipe2(raw, O_CLOEXEC) != 0)
        return err_errno(e, errno, "cannot make a pipe");
    for (int i = 0; i < 2; i++) {
        high[i] = raw[i] > 2 ? raw[i] : fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
        if (high[i] != raw[i])
            os_close(raw[i]);
    }
    ends[CHILD] = high[child_reads ? 0 : 1];
    ends[PARENT] = high[child_reads ? 1 : 0];
    if (high[0] < 0 || high[1] < 0) {
        pipe_close(ends);
        return err_set(e, RC_UNAVAILABLE, "cannot make a pipe: too many open files");
    }
    return RC_OK;
}

_Noreturn static void child_fails(const struct spawn *s, int step)
{
    struct spawn_fault fault = {errno, step};
    ssize_t ignored = write(s->report[CHILD], &fault, sizeof fault);

    (void)ignored;
    _exit(127);
}

static void child_signals(void)
{
    struct sigaction plain;
    sigset_t none;

    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &plain, NULL); /* SIGKILL, SIGSTOP and the C library's own refuse: fine */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Marks every descriptor from 3 on to be closed by exec. */
static void child_cloexec(void)
{
    long max;

    if (syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
    max = sysconf(_SC_OPEN_MAX); /* kernels before 5.11 */
    for (int fd = 3; fd < max && fd < 65536; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

_Noreturn static void child_run(const struct spawn *s)
{
    int null;

    child_signals();
    if (s->flags & OS_SPAWN_DIE_WITH_US) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            child_fails(s, 0);
        if (getppid() != s->parent) /* it died before the prctl */
            _exit(127);
    }
    if (s->cwd && chdir(s->cwd) != 0)
        child_fails(s, 1);
    null = s->in[CHILD] >= 0 ? s->in[CHILD] : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0)
        child_fails(s, 2);
    if (null == 0)
        fcntl(0, F_SETFD, 0); /* dup2 onto itself keeps the flag */
    if ((s->out[CHILD] >= 0 && dup2(s->out[CHILD], 1) < 0) ||
        (s->err[CHILD] >= 0 && dup2(s->err[CHILD], 2) < 0))
        child_fails(s, 2);
    child_cloexec();
    execvpe(s->argv[0], (char *const *)(uintptr_t)s->argv, s->env);
    child_fails(s, 3);
}

static size_t list_count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* Ours with env_add put over it; the array is the caller's to free, the strings are not. */
static char **env_make(const char *const *env_add)
{
    size_t ours = list_count((const char *const *)environ), added = list_count(env_add), n = 0;
    char **env = mem_alloc_array(ours + added + 1, sizeof *env);

    if (!env)
        return NULL;
    for (size_t i = 0; i < ours; i++) {
        size_t name = strcspn(environ[i], "="), k = 0;
        while (k < added && (strncmp(environ[i], env_add[k], name) || env_add[k][name] != '='))
            k++;
        if (k == added)
            env[n++] = environ[i];
    }
    for (size_t k = 0; k < added; k++)
        env[n++] = (char *)(uintptr_t)env_add[k];
    return env;
}

static enum rc pipes_make(struct spawn *s, struct err *e)
{
    enum rc rc = pipe_make(s->report, false, e);

    if (!rc && s->flags & OS_SPAWN_STDIN)
        rc = pipe_make(s->in, true, e);
    if (!rc && s->flags & OS_SPAWN_STDOUT)
        rc = pipe_make(s->out, false, e);
    if (!rc && s->flags & OS_SPAWN_STDERR)
        rc = pipe_make(s->err, false, e);
    return rc;
}

/* Waits for exec: the report pipe closes, or says what failed. */
static enum rc exec_result(struct spawn *s, pid_t pid, struct err *e)
{
    struct spawn_fault fault;
    ssize_t got;
    int status;

    do
        got = read(s->report[PARENT], &fault, sizeof fault);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof fault)
        return RC_OK;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return err_errno(e, fault.errnum, "cannot start '%s': the child could not %s", s->argv[0],
                     spawn_steps[fault.step]);
}

enum rc os_spawn(struct os_child *ret, const char *const *argv, const char *const *env_add,
                 const char *cwd, unsigned flags, struct err *e)
{
    struct spawn s = {argv,     env_make(env_add), cwd,      flags,   getpid(),
                      {-1, -1}, {-1, -1},          {-1, -1}, {-1, -1}};
    enum rc rc = s.env ? RC_OK : err_set(e, RC_NOMEM, "out of memory starting '%s'", argv[0]);
    pid_t pid = -1;

    if (!rc)
        rc = pipes_make(&s, e);
    if (!rc) {
        pid = fork();
        if (pid == 0)
            child_run(&s);
        if (pid < 0)
            rc = err_errno(e, errno, "cannot start '%s'", argv[0]);
    }
    os_close(s.report[CHILD]);
    s.report[CHILD] = -1;
    if (!rc)
        rc = exec_result(&s, pid, e);
    if (!rc) {
        *ret = (struct os_child){pid, s.in[PARENT], s.out[PARENT], s.err[PARENT]};
        s.in[PARENT] = s.out[PARENT] = s.err[PARENT] = -1;
    }
    pipe_close(s.in);
    pipe_close(s.out);
    pipe_close(s.err);
    pipe_close(s.report);
    mem_free(s.env);
    return rc;
}

/* Waits until the process has ended or the time is over, by a descriptor of it (Linux 5.3). */
static void wait_end(int pidfd, int64_t timeout_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int64_t until = os_mono_ms() + timeout_ms, left = timeout_ms;

    while (left > 0 && poll(&p, 1, left > 60000 ? 60000 : (int)left) <= 0)
        left = until - os_mono_ms();
}

enum rc os_wait(pid_t pid, int64_t timeout_ms, int *ret_status, struct err *e)
{
    int status = 0, pidfd;
    pid_t got;

    do
        got = waitpid(pid, &status, timeout_ms < 0 ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0 && timeout_ms > 0) {
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0)
            return err_errno(e, errno, "cannot watch process %d", (int)pid);
        wait_end(pidfd, timeout_ms);
        os_close(pidfd);
        got = waitpid(pid, &status, WNOHANG);
    }
    if (got < 0)
        return err_errno(e, errno, "cannot wait for process %d", (int)pid);
    if (got == 0)
        return err_set(e, RC_TIMEOUT, "process %d still runs after %lld ms", (int)pid,
                       (long long)timeout_ms);
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return RC_OK;
}

void os_kill(pid_t pid, int sig)
{
    if (pid > 0) /* 0 and below would mean groups */
        kill(pid, sig);
}

static char self_path[4096];
static pthread_once_t self_once = PTHREAD_ONCE_INIT;

static void self_find(void)
{
    ssize_t n = readlink("/proc/self/exe", self_path, sizeof self_path - 1);

    self_path[n > 0 ? n : 0] = 0;
}

const char *os_self_path(void)
{
    pthread_once(&self_once, self_find);
    return self_path;
}

uint64_t os_rss_bytes(void)
{
    char text[128];
    size_t n = 0;
    uint64_t pages = 0;
    str rest, word;
    int fd = -1;

    if (os_open("/proc/self/statm", O_RDONLY, 0, &fd, NULL) != RC_OK)
        return 0;
    if (os_read(fd, text, sizeof text, &n, NULL) != RC_OK)
        n = 0;
    os_close(fd);
    rest = (str){text, n};
    if (!str_next(&rest, ' ', &word) || !str_next(&rest, ' ', &word) || !str_u64(word, &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t os_disk_read_bytes(void)
{
    char text[512];
    size_t n = 0;
    uint64_t bytes = 0;
    str rest, line, name = STR("read_bytes: ");
    int fd = -1;

    if (os_open("/proc/self/io", O_RDONLY, 0, &fd, NULL) != RC_OK)
        return 0;
    if (os_read(fd, text, sizeof text, &n, NULL) != RC_OK)
        n = 0;
    os_close(fd);
    rest = (str){text, n};
    while (str_line(&rest, &line))
        if (str_starts(line, name) && str_u64(str_sub(line, name.n, line.n), &bytes))
            return bytes;
    return 0;
}

/* The quota of a container: "<microseconds> <period>" in cpu.max (cgroup v2); 0 if there is none.
 */
static int quota_cpus(str text)
{
    uint64_t quota, period;
    str word, rest = str_trim(text);

    if (!str_next(&rest, ' ', &word) || !str_u64(word, &quota) || !str_u64(rest, &period) ||
        !period)
        return 0; /* "max" among them */
    return quota / period >= 65536 ? 0 : (int)((quota + period - 1) / period);
}

int os_cpu_count(void)
{
    char text[64];
    cpu_set_t set;
    size_t n = 0;
    int count = 0, quota = 0, fd = -1;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    if (count < 1)
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (os_open("/sys/fs/cgroup/cpu.max", O_RDONLY, 0, &fd, NULL) == RC_OK) {
        if (os_read(fd, text, sizeof text, &n, NULL) == RC_OK)
            quota = quota_cpus((str){text, n});
        os_close(fd);
    }
    return quota > 0 && quota < count ? quota : count;
}

int os_terminal_columns(int fd)
{
    struct winsize w = {0};

    return ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}
