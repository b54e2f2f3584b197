/* crash_test.c - kill -9 of a store under load, again and again: what was acknowledged is there
 * byte for byte, and nothing else has leaked.
 *
 * A child process runs the store and writers in it.  A writer tells a pipe "B slot n" before its
 * n-th change of a slot and "A slot n" after the acknowledgement; the parent reads, kills at a
 * random moment, and lets a second child open the folder and check every slot: it holds change n as
 * acknowledged last, or the one that was under way.  (A kill does not drop the page cache: that
 * data is synced before the reply is what life_test.c checks, by the calls.) */
#include "store/store.c"

#include "store/test_store.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 12, THREADS = 4, ROUNDS_FEW = 12, ROUNDS_MANY = 100 };

struct slot {
    uint32_t acked, begun; /* numbers of changes; 0: none yet */
};
struct line {
    char what;
    uint32_t slot, n;
};

/* Every fifth change deletes; sizes fall on both sides of PACK_BYTES_MAX. */
static bool deletes(uint32_t n)
{
    return n % 5 == 4;
}

static size_t size_of(uint32_t slot, uint32_t n)
{
    return 8 + (slot * 31337 + n * 7919) % (2 * PACK_BYTES_MAX);
}

static char *bytes_of(uint32_t slot, uint32_t n)
{
    char *p = rig_bytes((uint64_t)slot << 32 | n, size_of(slot, n));

    memcpy(p, &n, sizeof n);
    return p;
}

struct load {
    struct rig *g;
    int out;
    unsigned id;
    uint32_t *next; /* by slot */
    pthread_t thread;
};

static void tell(int fd, char what, uint32_t slot, uint32_t n)
{
    struct line l;

    memset(&l, 0, sizeof l);
    l.what = what;
    l.slot = slot;
    l.n = n;
    if (write(fd, &l, sizeof l) != sizeof l) /* less than PIPE_BUF: whole */
        _exit(0);
}

static void *run_load(void *ud)
{
    struct load *w = ud;
    struct err e;
    char key[32];

    for (uint32_t i = 0;; i++) {
        uint32_t slot = w->id + THREADS * (i % (SLOTS / THREADS)), n = ++w->next[slot];
        enum rc rc;
        snprintf(key, sizeof key, "slot/%u", slot);
        tell(w->out, 'B', slot, n);
        if (deletes(n)) {
            rc = s3_delete(w->g->c, key, &e);
        } else {
            char *p = bytes_of(slot, n);
            rc = s3_put(w->g->c, key, (str){p, size_of(slot, n)}, NULL, &e);
            mem_free(p);
        }
        if (rc) {
            fprintf(stderr, "%s\n", e.text);
            _exit(3);
        }
        tell(w->out, 'A', slot, n);
    }
    return NULL;
}

static void child_load(const char *dir, int out, const struct slot *slots)
{
    struct rig g;
    struct load w[THREADS];
    uint32_t next[SLOTS];

    memset(&g, 0, sizeof g);
    arena_init(&g.a, 64 << 20);
    buf_init(&g.body, 64 << 20);
    rig_up(&g, dir);
    for (int i = 0; i < SLOTS; i++)
        next[i] = slots[i].begun;
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct load){.g = &g, .out = out, .id = i, .next = next};
        CHECK(!pthread_create(&w[i].thread, NULL, run_load, &w[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(w[i].thread, NULL);
}

/* The number of the change whose bytes a slot holds; 0: it holds nothing. */
static uint32_t found_in(struct rig *g, uint32_t slot)
{
    char key[32], *p;
    uint32_t n;
    enum rc rc;

    snprintf(key, sizeof key, "slot/%u", slot);
    buf_clear(&g->body);
    rc = s3_get(g->c, key, &g->body, &g->e);
    if (rc == RC_NOT_FOUND)
        return 0;
    CHECK_OK(rc, &g->e);
    CHECK(g->body.n >= 8);
    memcpy(&n, g->body.p, sizeof n);
    CHECK_EQ(g->body.n, size_of(slot, n));
    p = bytes_of(slot, n);
    CHECK(!memcmp(p, g->body.p, g->body.n));
    mem_free(p);
    return n;
}

static long file_objects(struct rig *g, const struct slot *now)
{
    long n = 0;

    for (uint32_t i = 0; i < SLOTS; i++)
        n += now[i].acked && size_of(i, now[i].acked) > PACK_BYTES_MAX;
    return n;
}

/* Opens what the crash left and looks at every slot; tells the parent what it found. */
static void child_check(const char *dir, int out, const struct slot *slots)
{
    struct rig g;
    struct slot now[SLOTS] = {0};

    memset(&g, 0, sizeof g);
    snprintf(g.dir, sizeof g.dir, "%s", dir);
    arena_init(&g.a, 64 << 20);
    buf_init(&g.body, 64 << 20);
    rig_up(&g, dir);
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t acked = deletes(slots[i].acked) ? 0 : slots[i].acked;
        uint32_t begun = deletes(slots[i].begun) ? 0 : slots[i].begun;
        uint32_t n = found_in(&g, i);
        if (n != acked && n != begun)
            test_fail(__FILE__, __LINE__, "slot %u holds %u; acknowledged %u, begun %u", i, n,
                      slots[i].acked, slots[i].begun);
        now[i].acked = n;
        tell(out, 'F', i, n);
    }
    for (int i = 0; i < 1000 && rig_files(&g) != file_objects(&g, now); i++)
        os_sleep_ms(5); /* the sweep runs in the background */
    CHECK_EQ(rig_files(&g), file_objects(&g, now));
    rig_close(&g);
}

static pid_t spawn(void (*run)(const char *, int, const struct slot *), const char *dir, int out,
                   int in, const struct slot *slots)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (!pid) {
        close(in);
        run(dir, out, slots);
        _exit(0);
    }
    close(out);
    return pid;
}

static void take(struct slot *slots, const struct line *l)
{
    CHECK(l->slot < SLOTS);
    if (l->what == 'B')
        slots[l->slot].begun = l->n;
    else if (l->what == 'A')
        slots[l->slot].acked = l->n;
}

static unsigned one_round(const char *dir, struct slot *slots, uint64_t *rng)
{
    int io[2], status;
    struct line l;
    unsigned acks = 0, kill_after = 1 + (unsigned)(splitmix64(rng) % 150);
    pid_t pid;

    CHECK(!pipe(io));
    pid = spawn(child_load, dir, io[1], io[0], slots);
    while (acks < kill_after && read(io[0], &l, sizeof l) == sizeof l) {
        take(slots, &l);
        acks += l.what == 'A';
    }
    if (splitmix64(rng) % 2) /* not always right behind an acknowledgement */
        os_sleep_ms((int64_t)(splitmix64(rng) % 5));
    kill(pid, SIGKILL);
    while (read(io[0], &l, sizeof l) == sizeof l) /* what it had told before it died */
        take(slots, &l);
    close(io[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(!pipe(io));
    pid = spawn(child_check, dir, io[1], io[0], slots);
    while (read(io[0], &l, sizeof l) == sizeof l) {
        /* The change under way is now known to have come through, or not: go on from there. */
        if (l.n == slots[l.slot].begun || (!l.n && deletes(slots[l.slot].begun)))
            slots[l.slot].acked = slots[l.slot].begun;
        else
            slots[l.slot].begun = slots[l.slot].acked;
    }
    close(io[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return acks;
}

TEST(what_was_acknowledged_survives_kill_9_and_nothing_leaks)
{
    int rounds = getenv("CHECK_ALL") ? ROUNDS_MANY : ROUNDS_FEW;
    struct slot slots[SLOTS] = {0};
    uint64_t rng = (uint64_t)os_now_ms();
    unsigned acks = 0;
    char dir[600];

    snprintf(dir, sizeof dir, "%s/store", test_dir());
    printf("seed %llu\n", (unsigned long long)rng);
    for (int i = 0; i < rounds; i++)
        acks += one_round(dir, slots, &rng);
    printf("%d kills, %u acknowledged changes\n", rounds, acks);
    CHECK(acks >= (unsigned)rounds);
}
