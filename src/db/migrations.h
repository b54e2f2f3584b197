/* migrations.h - the schema's steps, embedded in the binary.
 *
 * tools/gen-migrations makes the table from src/db/migrations/NNN_name.{up,down}.sql at build time,
 * in order of number.  `up` and `down` are the files' texts. */
#ifndef ANNEAL_DB_MIGRATIONS_H
#define ANNEAL_DB_MIGRATIONS_H

#include <stddef.h>

struct db_migration {
    int number;       /* NNN: unique, rising */
    const char *name; /* the file's name without the number */
    const char *up;
    const char *down;
};
extern const struct db_migration db_migrations[];
extern const size_t db_migrations_count;

#endif
