/* crc32c.h - CRC-32/ISCSI (Castagnoli), the checksum of blocks on disk: reflected, polynomial
 * 0x1edc6f41, initial and final value all ones (RFC 3720, 12.1).  With the processor's instruction
 * where there is one. */
#ifndef ANNEAL_BASE_CRC32C_H
#define ANNEAL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to begin with, or the result over what came before. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
