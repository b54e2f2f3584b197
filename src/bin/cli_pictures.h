/* cli_pictures.h - the pictures that the words of a command line name: files, and all those of
 * folders. */
#ifndef ANNEAL_BIN_CLI_PICTURES_H
#define ANNEAL_BIN_CLI_PICTURES_H

#include "bin/cli.h"

struct picture_files { /* a vector (base/vec.h) of paths that live as long as the run */
    const char **p;
    size_t n, cap;
};
/* c->args in their order; a folder's .jpg, .jpeg, .png and .webp by name, deep.  RC_INVALID: a
 * folder without any.  A file that cannot be read is told when it is read. */
enum rc cli_pictures(struct cli *c, struct picture_files *to, struct err *e) must_check;

#endif
