/* web_assets.h - the web app's files, embedded in the binary.
 *
 * tools/gen-assets makes the table from build/web at build time; without that folder it is empty.
 * Rows are sorted by path, bytewise. */
#ifndef ANNEAL_API_WEB_ASSETS_H
#define ANNEAL_API_WEB_ASSETS_H

#include <stddef.h>

struct web_asset {
    const char *path; /* "/index.html", "/assets/app-1a2b3c.js" */
    const char *content_type;
    const char *etag; /* the first 16 hex digits of the SHA-256 of bytes, without quotes */
    const unsigned char *bytes;
    size_t n;
    const unsigned char *gzip_bytes; /* NULL where gzip gains nothing */
    size_t gzip_n;
    const unsigned char *brotli_bytes; /* NULL where brotli gains nothing */
    size_t brotli_n;
};
extern const struct web_asset web_assets[];
extern const size_t web_assets_count;

#endif
