/* launcher_test.c - the launcher with real child processes: this test binary itself plays the
 * trainer when its first argument is "trainer". */
#include "base/test.h"
#include "flow/job/launcher.c"
#include <unistd.h>

__attribute__((constructor(101))) static void play_trainer(int argc, char **argv)
{
    const char *token = getenv("TRAINER_TOKEN");
    char text[200];
    int n;

    if (argc < 6 || strcmp(argv[1], "trainer"))
        return;
    if (access("fail", F_OK) == 0)
        _exit(7);
    /* The port tells the process, so that a test sees another one come. */
    n = snprintf(text, sizeof text, "hello\nlistening on http://127.0.0.1:%d\nmore\n",
                 (int)getpid());
    if (strlen(token) != 64 || write(1, text, (size_t)n) != n)
        _exit(8);
    for (;;)
        pause();
}

static struct config *config;
static struct launcher *launcher;
static struct err err;

static void up(const char *flag)
{
    char data[300];
    const char *flags[] = {data, flag};

    snprintf(data, sizeof data, "data=%s", test_dir());
    CHECK_OK(config_load(&config, flags, flag ? 2 : 1, NULL, (char *[]){NULL}, &err), &err);
    CHECK_OK(launcher_new(&launcher, config, &err), &err);
}
static void down(void)
{
    launcher_stop(launcher, 2000);
    launcher_free(launcher);
    config_free(config);
}

static void wait_site(struct site *ret)
{
    int64_t until = os_mono_ms() + 10000;

    while (launcher_find(launcher, STR("anneal"), ret, &err) && os_mono_ms() < until) {
        launcher_tick(launcher, os_mono_ms());
        os_sleep_ms(5);
    }
    CHECK_OK(launcher_find(launcher, STR("anneal"), ret, &err), &err);
}

TEST(a_child_is_started_found_by_its_line_and_started_again_when_it_dies)
{
    struct site a, b;

    up(NULL);
    CHECK(launcher_find(launcher, STR("anneal"), &a, &err) == RC_UNAVAILABLE);
    CHECK(strstr(err.text, "being started"));
    launcher_tick(launcher, os_mono_ms());
    wait_site(&a);
    CHECK(str_starts(str_of(a.url), STR("http://127.0.0.1:")));
    CHECK_EQ(strlen(a.token), 64);
    os_kill(launcher->child.pid, SIGKILL);
    while (launcher->child.running) {
        launcher_tick(launcher, os_mono_ms());
        os_sleep_ms(2);
    }
    CHECK(launcher_find(launcher, STR("anneal"), &b, &err) == RC_UNAVAILABLE);
    CHECK(strstr(err.text, "status 137"));
    wait_site(&b);
    CHECK(strcmp(a.url, b.url));
    CHECK(!strcmp(a.token, b.token));
    down();
}

TEST(a_child_that_dies_at_once_is_tried_at_growing_pauses)
{
    int64_t now = 1000, starts = 0, last = 0;
    char cwd[300];

    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK_EQ(chdir(test_dir()), 0);
    CHECK_OK(os_write_file_durable("fail", STR("x"), 0600, &err), &err);
    up(NULL);
    while (starts < 4) { /* our own clock: nothing sleeps */
        bool was = launcher->child.running;

        launcher_tick(launcher, now);
        if (!was && launcher->child.running) {
            starts++;
            CHECK(starts < 2 || now - last >= INT64_C(500) << (starts - 2));
            last = now;
        }
        if (launcher->child.running)
            os_sleep_ms(2);
        else
            now += 100;
    }
    down();
    CHECK_EQ(chdir(cwd), 0);
}

TEST(unknown_frameworks_are_named_with_those_that_there_are)
{
    struct site s;
    const char *names[SITES_MAX];

    up("timm_service_url=http://h:1/");
    CHECK(launcher_find(launcher, STR("nope"), &s, &err) == RC_INVALID);
    CHECK(strstr(err.text, "'nope'") && strstr(err.text, "anneal, timm"));
    CHECK_OK(launcher_find(launcher, STR("timm"), &s, &err), &err);
    CHECK(!strcmp(s.url, "http://h:1"));
    CHECK_EQ(launcher_frameworks(launcher, names), 2);
    down();
}

TEST(settings_that_cannot_work_are_refused)
{
    static const char *const bad[][2] = {{"training_mode=service", "trainer_token=x"},
                                         {"training_mode=service", "trainer_service_url=ftp://x"}};

    for (size_t i = 0; i < 2; i++) {
        char data[300];
        const char *flags[] = {data, bad[i][0], bad[i][1]};
        struct launcher *l = NULL;

        snprintf(data, sizeof data, "data=%s", test_dir());
        CHECK_OK(config_load(&config, flags, 3, NULL, (char *[]){NULL}, &err), &err);
        CHECK(launcher_new(&l, config, &err) == RC_INVALID);
        CHECK(strstr(err.text, i ? "http://" : "TRAINER_SERVICE_URL"));
        config_free(config);
    }
}
