/* banned.h - included before every file by the Makefile: calls that may not compile. */
#ifndef ANNEAL_BASE_BANNED_H
#define ANNEAL_BASE_BANNED_H

/* The system's headers may name them; ours may not: they are poisoned after those are read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strncpy
#define strcpy(a, b)     strcpy_is_banned_use_buf_or_memcpy()
#define strcat(a, b)     strcat_is_banned_use_buf()
#define strncpy(a, b, c) strncpy_is_banned_use_str_or_memcpy()
#define sprintf(...)     sprintf_is_banned_use_snprintf_or_buf()
#define vsprintf(...)    vsprintf_is_banned_use_vsnprintf_or_buf()
#define strtok(a, b)     strtok_is_banned_use_str_next()
#define atoi(a)          atoi_is_banned_use_str_i64()
#define atol(a)          atol_is_banned_use_str_i64()
#define atof(a)          atof_is_banned_use_str_f64()
#define localtime(a)     localtime_is_banned_use_os_time_text()
#define gets(a)          gets_is_banned()

#endif
