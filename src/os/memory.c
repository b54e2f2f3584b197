/* memory.c - how much memory may still be taken before the kernel starts killing, and giving back
 * what is at rest.
 *
 * Linux hands out more memory than there is and kills a process when it is touched, so whoever is
 * about to take gigabytes asks first: MemAvailable of /proc/meminfo, and inside a container (cgroup
 * version 2) what is left below its limit.
 */
#include "os/os.h"
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

/* At most sizeof text - 1 bytes of a small kernel file; "" if it cannot be read. */
static str read_small(const char *path, char *text, size_t room)
{
    size_t n = 0;
    int fd = -1;

    if (os_open(path, O_RDONLY, 0, &fd, NULL) != RC_OK)
        return STR_NONE;
    if (os_read(fd, text, room, &n, NULL) != RC_OK)
        n = 0;
    os_close(fd);
    return (str){text, n};
}

/* The number of bytes behind "MemAvailable:"; 0 if there is none. */
static uint64_t available_of(str meminfo)
{
    const str key = STR("MemAvailable:");
    uint64_t kib = 0;
    str line;

    while (str_line(&meminfo, &line)) {
        if (!str_starts(line, key))
            continue;
        str number = str_trim(str_sub(line, key.n, line.n));
        if (str_ends(number, STR(" kB")) && str_u64(str_sub(number, 0, number.n - 3), &kib) &&
            kib <= UINT64_MAX / 1024)
            return kib * 1024;
    }
    return 0;
}

/* What is left of a control group; UINT64_MAX without a limit ("max", or no such files). */
static uint64_t left_of_group(str limit, str used)
{
    uint64_t most = 0, taken = 0;

    if (!str_u64(str_trim(limit), &most) || !str_u64(str_trim(used), &taken))
        return UINT64_MAX;
    return most > taken ? most - taken : 0;
}

uint64_t os_memory_available(void)
{
    char meminfo[4096], limit[64], used[64];
    const uint64_t machine = available_of(read_small("/proc/meminfo", meminfo, sizeof meminfo));
    const uint64_t group =
        left_of_group(read_small("/sys/fs/cgroup/memory.max", limit, sizeof limit),
                      read_small("/sys/fs/cgroup/memory.current", used, sizeof used));

    if (machine == 0) /* unknown */
        return group == UINT64_MAX ? 0 : group;
    return machine < group ? machine : group;
}

/* The read-only segments of one library: of them nothing can be lost. */
static int give_back_code(struct dl_phdr_info *lib, size_t size, void *ud)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)ud;
    for (int i = 0; i < lib->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &lib->dlpi_phdr[i];
        uintptr_t from = (lib->dlpi_addr + h->p_vaddr) & ~(page - 1);
        uintptr_t to = (lib->dlpi_addr + h->p_vaddr + h->p_memsz) & ~(page - 1);

        /* a page that a writable segment shares is left alone: `to` is rounded down */
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W) && to > from)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void os_memory_give_back(void)
{
    malloc_trim(0);
    dl_iterate_phdr(give_back_code, NULL);
}

void os_memory_few_heaps(void)
{
    (void)mallopt(M_ARENA_MAX, 2 * os_cpu_count()); /* refused: as before */
}

void os_memory_large_pages(void *p, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1), to = (uintptr_t)p + bytes;

    if (to > from)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}
