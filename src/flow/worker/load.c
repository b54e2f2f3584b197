/* load.c - see load.h. */
#include "flow/worker/load.h"

#include "os/os.h"
#include <math.h>

void load_begin(struct load *l)
{
    *l = (struct load){os_mono_ns(), os_cpu_ns(), 0, os_disk_read_bytes()};
}

void load_say(struct load *l, struct jw *w)
{
    struct load was = *l;
    double ns;

    load_begin(l);
    ns = (double)(l->at_ns - was.at_ns);
    if (ns < 1e6 || !was.at_ns)
        return;
    jw_knum(w, "system/cpu", round_to((double)(l->cpu_ns - was.cpu_ns) / ns, 100));
    jw_knum(w, "system/memory", (double)os_rss_bytes());
    jw_knum(w, "system/read", round((double)(l->read_bytes - was.read_bytes) * 1e9 / ns));
    jw_knum(w, "system/wait", round_to((double)was.waited_ns / ns, 1000));
}
