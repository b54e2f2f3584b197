/* metrics.c - the store's counters as Prometheus text. */
#include "store/store_int.h"

#include <stdio.h>

struct metric {
    const char *name, *kind, *help;
    uint64_t value;
};

void store_metrics(const struct store *s, struct buf *to)
{
    struct store_counts n;

    store_counts(s, &n);
    const struct metric rows[] = {
        {"requests_total", "counter", "Requests answered.", n.requests},
        {"errors_4xx_total", "counter", "Requests that the client got wrong.", n.errors_4xx},
        {"errors_5xx_total", "counter", "Requests that the store failed.", n.errors_5xx},
        {"denied_total", "counter", "Requests refused for their signature or rights.", n.denied},
        {"puts_total", "counter", "Objects and parts put.", n.puts},
        {"gets_total", "counter", "Objects read.", n.gets},
        {"heads_total", "counter", "Objects looked at.", n.heads},
        {"deletes_total", "counter", "Deletions.", n.deletes},
        {"lists_total", "counter", "Pages of lists.", n.lists},
        {"copies_total", "counter", "Objects copied inside the store.", n.copies},
        {"bytes_in_total", "counter", "Bytes of bodies received.", n.bytes_in},
        {"bytes_out_total", "counter", "Bytes of objects sent.", n.bytes_out},
        {"commits_total", "counter", "Transactions made durable.", n.commits},
        {"committed_operations_total", "counter", "Changes in them.", n.committed_ops},
        {"damaged_reads_total", "counter", "Reads that met bytes damaged on the disk.",
         n.damaged_reads},
        {"damaged_found_total", "counter", "Contents that the scrub found damaged.",
         n.damaged_found},
        {"scrubbed_bytes_total", "counter", "Bytes that the scrub has verified.", n.scrubbed_bytes},
        {"compacted_bytes_total", "counter", "Dead bytes given back to the disk.",
         n.compacted_bytes},
        {"packed_total", "counter", "Contents moved from the index into segments.", n.packed},
        {"resident_bytes", "gauge", "Resident memory of the process.", os_rss_bytes()},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(to,
                   "# HELP anneal_store_%s %s\n# TYPE anneal_store_%s %s\nanneal_store_%s %llu\n",
                   rows[i].name, rows[i].help, rows[i].name, rows[i].kind, rows[i].name,
                   (unsigned long long)rows[i].value);
}

static bool from_here(const struct call *c)
{
    str peer = http_peer(c->r);

    return str_starts(peer, STR("127.")) || str_is(peer, "::1");
}

enum s3_code op_metrics(struct call *c)
{
    struct buf b;

    if (!c->who && !from_here(c))
        return S3_ACCESS_DENIED;
    buf_init(&b, 1 << 16);
    store_metrics(c->s, &b);
    if (buf_ok(&b, &c->err)) {
        buf_done(&b);
        return S3_INTERNAL;
    }
    http_reply_buf(c->r, 200, "text/plain; version=0.0.4", &b);
    return S3_OK;
}
