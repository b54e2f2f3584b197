/* os.h - the operating system behind one replaceable table, and the few durable file operations.
 *
 * Raw system calls stand in os/ only.  `os_sys` is the seam where tests inject faults (a short
 * write, ENOSPC, EIO at fsync): replace a member, run, put it back.
 */
#ifndef ANNEAL_OS_OS_H
#define ANNEAL_OS_OS_H

#include "base/arena.h"
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct os_sys {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*read)(int fd, void *p, size_t n);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
    ssize_t (*write)(int fd, const void *p, size_t n);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    int (*fdatasync)(int fd);
    int (*ftruncate)(int fd, off_t bytes);
    int (*fallocate)(int fd, int mode, off_t at, off_t bytes);
};
extern struct os_sys os_sys;

/* ---- clock */
int64_t os_now_ms(void);  /* Unix time, milliseconds */
int64_t os_mono_ms(void); /* monotonic, for deadlines */
int64_t os_mono_ns(void);
int64_t os_cpu_ns(void); /* processor time of this process, all threads */
void os_sleep_ms(int64_t ms);
/* RFC 3339 UTC with milliseconds: "2026-11-20T10:00:00.000Z" (25 bytes with NUL) */
enum { OS_TIME_TEXT = 25 };
void os_time_text(int64_t unix_ms, char ret[OS_TIME_TEXT]);

/* ---- random */
void os_random(void *p, size_t n); /* getrandom(2) */
/* Lower-case base32 of 16 random bytes, time-ordered (48-bit milliseconds first): ids of rows.
 * 26 characters and NUL. */
enum { OS_ID_TEXT = 27 };
void os_id(char ret[OS_ID_TEXT]);
/* Of a time, and of 10 bytes of chance from elsewhere. */
void os_id_of(int64_t unix_ms, const uint64_t chance[2], char ret[OS_ID_TEXT]);

/* ---- files.  Paths are ours, never outside text (invariant 7). */
enum rc os_open(const char *path, int flags, mode_t mode, int *ret_fd, struct err *e) must_check;
enum rc os_read(int fd, void *p, size_t n, size_t *ret_n, struct err *e) must_check; /* 0: end */
/* RC_CORRUPT if the data ends before n bytes. */
enum rc os_read_full(int fd, void *p, size_t n, struct err *e) must_check;
enum rc os_write_all(int fd, const void *p, size_t n, struct err *e) must_check;
enum rc os_fsync(int fd, struct err *e) must_check;
void os_close(int fd); /* -1 is fine */
/* At a place, whole or an error; RC_CORRUPT if the file ends before.  Any threads at once. */
enum rc os_pread_full(int fd, void *p, size_t n, uint64_t at, struct err *e) must_check;
enum rc os_pwrite_all(int fd, const void *p, size_t n, uint64_t at, struct err *e) must_check;
/* The bytes, and of the inode what is needed to read them. */
enum rc os_fdatasync(int fd, struct err *e) must_check;
enum rc os_truncate(int fd, uint64_t bytes, struct err *e) must_check;
/* Space on the disk for the first `bytes` of the file, which becomes so long; only its length where
 * the file system cannot promise space. */
enum rc os_reserve(int fd, uint64_t bytes, struct err *e) must_check;
enum rc os_fd_size(int fd, uint64_t *ret, struct err *e) must_check;
/* An advisory lock between processes (flock); false: another holds it. */
enum os_lock { OS_LOCK_SHARED, OS_LOCK_EXCLUSIVE, OS_LOCK_NONE };
bool os_try_lock(int fd, enum os_lock kind);
/* Reads a whole file of at most max_bytes into `a`. */
enum rc os_read_file(struct arena *a, const char *path, size_t max_bytes, str *ret,
                     struct err *e) must_check;
/* temporary file, write, fsync, rename, fsync of the folder: the file is whole or absent. */
enum rc os_write_file_durable(const char *path, str data, mode_t mode, struct err *e) must_check;
/* rename and fsync of both folders. */
enum rc os_rename_durable(const char *from, const char *to, struct err *e) must_check;
enum rc os_fsync_dir(const char *path, struct err *e) must_check;
enum rc os_mkdirs(const char *path, mode_t mode, struct err *e) must_check; /* fine if it exists */
enum rc os_remove_tree(const char *path, struct err *e) must_check;         /* fine if absent */
bool os_exists(const char *path);
enum rc os_file_size(const char *path, uint64_t *ret, struct err *e) must_check;
/* Permission bits (0700), and whether this process may read and write it (and enter a folder). */
enum rc os_permission(const char *path, unsigned *ret_mode, bool *ret_usable,
                      struct err *e) must_check;
enum rc os_disk_free(const char *path, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes,
                     struct err *e) must_check;
/* Calls `each` for every entry (not "." and ".."), sorted by name; stops at the first failure. */
typedef enum rc (*os_dir_fn)(void *ud, const char *name, bool is_dir, struct err *e);
enum rc os_list_dir(const char *path, os_dir_fn each, void *ud, struct err *e) must_check;
/* Holds an exclusive lock (flock) on path for the life of the process; RC_CONFLICT names the
 * holder's process id, which stands in the file. */
enum rc os_lock_file(const char *path, int *ret_fd, struct err *e) must_check;

/* ---- processes */
struct os_child {
    pid_t pid;
    int stdin_fd;  /* -1 unless asked for */
    int stdout_fd; /* -1 unless asked for */
    int stderr_fd; /* -1 unless asked for */
};
enum os_spawn_flag {
    OS_SPAWN_STDIN = 1,       /* a pipe to the child's standard input */
    OS_SPAWN_STDOUT = 2,      /* a pipe from its standard output */
    OS_SPAWN_STDERR = 4,      /* a pipe from its standard error */
    OS_SPAWN_DIE_WITH_US = 8, /* the kernel kills it when we die (PR_SET_PDEATHSIG, SIGKILL) */
};
/* argv ends with NULL; env_add ("NAME=value", ends with NULL, may be NULL) is added to ours.
 * Secrets go in env_add or through the pipe, never in argv.  Without its flag, standard input is
 * /dev/null, output and error are ours.  All other descriptors are closed, signals are at default.
 * argv[0] without a slash is looked up in PATH.  RC_NOT_FOUND if there is no such program.
 * With OS_SPAWN_DIE_WITH_US the calling thread must live as long as the child may. */
enum rc os_spawn(struct os_child *ret, const char *const *argv, const char *const *env_add,
                 const char *cwd, unsigned flags, struct err *e) must_check;
/* Exit status as the shell gives it (128 + signal).  timeout_ms < 0 waits for ever, 0 polls;
 * RC_TIMEOUT while it runs. */
enum rc os_wait(pid_t pid, int64_t timeout_ms, int *ret_status, struct err *e) must_check;
void os_kill(pid_t pid, int sig);
/* Blocks SIGTERM, SIGINT and SIGHUP in this and all later threads, ignores SIGPIPE; then
 * os_stop_wait returns the first of them that comes. */
void os_stop_block(void);
int os_stop_wait(void);
int os_terminal_columns(int fd); /* 0: not a terminal, or it does not tell */
/* Path of the running binary. */
const char *os_self_path(void);
uint64_t os_rss_bytes(void);       /* resident memory of this process */
uint64_t os_disk_read_bytes(void); /* that this process had to fetch from disk; 0: unknown */
/* Bytes that can still be taken without the kernel killing somebody: of the machine, or of the
 * container if that is less.  0: unknown. */
uint64_t os_memory_available(void);
/* Gives back what only the start needed: free heap, and the mapped code and constants of all
 * libraries, which come back from the page cache as they are used.  Slow; once, at rest. */
void os_memory_give_back(void);
/* Two heaps for each core that we may use, where libc would make eight: threads that come and go
 * with requests then share what others have given back (a store that lists: 43 MB instead of 53, at
 * the same processor time).  For a process's whole life, before it has threads. */
void os_memory_few_heaps(void);
/* Asks for large pages behind a range that nobody has touched yet; only ever a hint. */
void os_memory_large_pages(void *p, size_t bytes);
int os_cpu_count(void); /* that we may use: affinity and the container's quota */

/* ---- threads: a fixed pool with a bounded queue */
struct pool;
typedef void (*pool_fn)(void *ud);
enum rc pool_new(struct pool **ret, const char *name, unsigned threads, size_t queue_max,
                 struct err *e) must_check;
/* RC_LIMIT when the queue is full; never blocks. */
enum rc pool_submit(struct pool *p, pool_fn fn, void *ud, struct err *e) must_check;
size_t pool_backlog(struct pool *p);
void pool_free(struct pool *p); /* runs what is queued, joins */

/* A flag that can be waited for: stop requests, deadlines. */
struct event;
struct event *event_new(void); /* NULL: out of memory */
void event_free(struct event *v);
void event_set(struct event *v); /* wakes all waiters; stays set */
void event_clear(struct event *v);
bool event_is_set(struct event *v);
bool event_wait(struct event *v, int64_t timeout_ms); /* true if set; < 0 waits for ever */

#endif
