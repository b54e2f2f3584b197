/* process_test.c - children: their pipes, their environment, their end, and ours. */
#include "os/process.c"

#include "base/test.h"

static str read_end(int fd)
{
    static char out[8192];
    struct err e = {0};
    size_t n = 0, got = 1;

    while (got && n < sizeof out) {
        CHECK_OK(os_read(fd, out + n, sizeof out - n, &got, &e), &e);
        n += got;
    }
    os_close(fd);
    return (str){out, n};
}

static int shell(const char *script, const char *const *env, const char *cwd, str *ret_out)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct os_child c;
    struct err e = {0};
    int status = -1;

    CHECK_OK(os_spawn(&c, argv, env, cwd, OS_SPAWN_STDOUT, &e), &e);
    CHECK(c.stdin_fd == -1 && c.stdout_fd > 2 && c.stderr_fd == -1);
    *ret_out = read_end(c.stdout_fd);
    CHECK_OK(os_wait(c.pid, 10000, &status, &e), &e);
    return status;
}

TEST(a_child_gets_arguments_environment_folder_and_pipes)
{
    const char *argv[] = {"cat", NULL}, *env[] = {"ANNEAL_A=over", "ANNEAL_B=two words", NULL};
    struct os_child c;
    struct err e = {0};
    int status = -1;
    str out;

    setenv("ANNEAL_A", "ours", 1);
    setenv("ANNEAL_AB", "kept", 1);
    CHECK_EQ(shell("echo $ANNEAL_A,$ANNEAL_B,$ANNEAL_AB; pwd; exit 7", env, "/", &out), 7);
    CHECK_STR(out, "over,two words,kept\n/\n");
    CHECK_OK(os_spawn(&c, argv, NULL, NULL, OS_SPAWN_STDIN | OS_SPAWN_STDOUT, &e), &e);
    CHECK_OK(os_write_all(c.stdin_fd, "hello", 5, &e), &e);
    os_close(c.stdin_fd);
    CHECK_STR(read_end(c.stdout_fd), "hello");
    CHECK_OK(os_wait(c.pid, -1, &status, &e), &e);
    CHECK_EQ(status, 0);
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(standard_error_has_its_own_pipe_and_input_is_empty)
{
    const char *argv[] = {"/bin/sh", "-c", "cat; echo out; echo err >&2", NULL};
    struct os_child c;
    struct err e = {0};
    int status = -1;

    CHECK_OK(os_spawn(&c, argv, NULL, NULL, OS_SPAWN_STDOUT | OS_SPAWN_STDERR, &e), &e);
    CHECK_STR(read_end(c.stdout_fd), "out\n"); /* cat saw the end of /dev/null */
    CHECK_STR(read_end(c.stderr_fd), "err\n");
    CHECK_OK(os_wait(c.pid, 10000, &status, &e), &e);
}

static str output_of(const char *const *argv)
{
    struct os_child c;
    struct err e = {0};
    int status = -1;
    str out;

    CHECK_OK(os_spawn(&c, argv, NULL, NULL, OS_SPAWN_STDOUT, &e), &e);
    out = read_end(c.stdout_fd);
    CHECK_OK(os_wait(c.pid, 10000, &status, &e), &e);
    CHECK_EQ(status, 0);
    return out;
}

TEST(no_other_descriptor_and_no_signal_setting_is_passed_on)
{
    const char *list[] = {"ls", "/proc/self/fd", NULL};
    const char *signals[] = {"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", NULL};
    int leak = open("/dev/null", O_RDONLY), high = dup2(leak, 200); /* without O_CLOEXEC */
    sigset_t usr1;
    str out;

    CHECK(leak > 2 && high == 200);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    CHECK_STR(output_of(list), "0\n1\n2\n3\n"); /* 3 is the folder that ls reads */
    out = output_of(signals);
    CHECK(str_starts(out, STR("SigBlk:\t0000000000000000\nSigIgn:\t")));
    /* 32 and 33 are the C library's own and stay as they came to us */
    CHECK_EQ(strtoull(out.p + 32, NULL, 16) & ~UINT64_C(0x180000000), 0);
}

TEST(a_program_that_cannot_start_is_an_error_and_leaves_nothing)
{
    const char *none[] = {"/nonexistent/anneal-no-such-program", NULL};
    const char *path[] = {"anneal-no-such-program", NULL};
    const char *ok[] = {"true", NULL};
    const char *plain[] = {"/etc/passwd", NULL};
    struct os_child c = {.pid = -7};
    struct err e = {0};
    int before = dup(0), after;

    CHECK_EQ(os_spawn(&c, none, NULL, NULL, 7, &e), RC_NOT_FOUND);
    CHECK(str_find(str_of(e.text), STR("cannot start '/nonexistent/anneal-no-such-program'")) == 0);
    CHECK_EQ(os_spawn(&c, path, NULL, NULL, 7, &e), RC_NOT_FOUND);
    CHECK_EQ(os_spawn(&c, plain, NULL, NULL, 7, &e), RC_IO);
    CHECK_EQ(os_spawn(&c, ok, NULL, "/nonexistent", 7, &e), RC_NOT_FOUND);
    CHECK(str_find(str_of(e.text), STR("enter the working folder")) > 0);
    CHECK_EQ(c.pid, -7);
    after = dup(0);
    CHECK_EQ(after, before + 1); /* no descriptor leaked */
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    mem_fail_at(0);
    CHECK_EQ(os_spawn(&c, ok, NULL, NULL, 0, &e), RC_NOMEM);
    CHECK(mem_fail_disarm());
    CHECK_EQ(mem_live_bytes(), 0);
}

TEST(waiting_has_a_deadline_and_tells_the_signal)
{
    const char *argv[] = {"sleep", "30", NULL};
    struct os_child c;
    struct err e = {0};
    int status = -1;
    int64_t start;

    CHECK_OK(os_spawn(&c, argv, NULL, NULL, 0, &e), &e);
    CHECK_EQ(os_wait(c.pid, 0, &status, &e), RC_TIMEOUT);
    start = os_mono_ms();
    CHECK_EQ(os_wait(c.pid, 80, &status, &e), RC_TIMEOUT);
    CHECK(os_mono_ms() - start >= 80 && os_mono_ms() - start < 5000);
    CHECK_EQ(status, -1);
    os_kill(c.pid, SIGTERM);
    start = os_mono_ms();
    CHECK_OK(os_wait(c.pid, 20000, &status, &e), &e);
    CHECK(os_mono_ms() - start < 10000); /* it wakes when the child ends, not at the deadline */
    CHECK_EQ(status, 128 + SIGTERM);
    CHECK(os_wait(c.pid, 0, &status, &e) != RC_OK); /* already taken */
    os_kill(0, SIGKILL);                            /* would be our own group: ignored */
    os_kill(-1, SIGKILL);
}

TEST(a_child_dies_with_us_when_asked)
{
    int line[2];
    pid_t parent, child = -1;
    int64_t until = os_mono_ms() + 10000;

    CHECK(pipe(line) == 0);
    parent = fork();
    if (parent == 0) {
        const char *argv[] = {"sleep", "60", NULL};
        struct os_child c = {.pid = -1};
        enum rc rc = os_spawn(&c, argv, NULL, NULL, OS_SPAWN_DIE_WITH_US, NULL);
        ssize_t n = write(line[1], &c.pid, sizeof c.pid);
        (void)n;
        (void)rc;
        raise(SIGKILL);
    }
    CHECK(read(line[0], &child, sizeof child) == (ssize_t)sizeof child && child > 0);
    CHECK(waitpid(parent, NULL, 0) == parent);
    while (kill(child, 0) == 0 && os_mono_ms() < until) {
        char path[64], state[256] = "";
        int fd;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
        fd = open(path, O_RDONLY);
        if (fd >= 0 && read(fd, state, sizeof state - 1) > 0 && strstr(state, ") Z"))
            until = 0; /* dead; whoever inherited it has not taken its status */
        os_close(fd);
        os_sleep_ms(2);
    }
    CHECK(until == 0 || kill(child, 0) != 0);
}

TEST(a_container_quota_rounds_up_to_processors)
{
    CHECK_EQ(quota_cpus(STR("200000 100000\n")), 2);
    CHECK_EQ(quota_cpus(STR("150000 100000\n")), 2);
    CHECK_EQ(quota_cpus(STR("1000 100000\n")), 1);
    CHECK_EQ(quota_cpus(STR("max 100000\n")), 0);
    CHECK_EQ(quota_cpus(STR("")), 0);
    CHECK_EQ(quota_cpus(STR("5 0")), 0);
    CHECK_EQ(quota_cpus(STR("18446744073709551615 1")), 0);
}

TEST(facts_about_this_process)
{
    CHECK(str_ends(str_of(os_self_path()), STR("process_test")));
    CHECK(os_self_path()[0] == '/');
    CHECK(os_rss_bytes() > 100000);
    CHECK(os_cpu_count() >= 1);
}
