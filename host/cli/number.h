/* Numbers from the command line: complete, in range, or a sentence. */
#ifndef SYSTOLE_CLI_NUMBER_H
#define SYSTOLE_CLI_NUMBER_H

#include <stdint.h>

/* A size: 0 ... INT64_MAX, decimal digits only. `what` names it in the sentence ("-m").
 * Returns 0 or an exit code with a story. */
int systole_parse_size(int64_t *out, const char *text, const char *what);

int systole_parse_u64(uint64_t *out, const char *text, const char *what);

/* A finite number above zero. */
int systole_parse_positive(double *out, const char *text, const char *what);

/* rows x cols x element_bytes without overflow of size_t. */
int systole_bytes_of(uint64_t *out, int64_t rows, int64_t cols, uint64_t element_bytes,
                     const char *what);

/* Bytes that this process can still take without driving the machine out of memory (the
 * smaller of what the kernel and a control group leave); UINT64_MAX when it is not known.
 */
uint64_t systole_memory_available(void);

/* Refuses, with a story, what cannot fit: a failed allocation comes too late on a system
 * that promises more memory than it has. */
int systole_memory_check(uint64_t bytes, const char *what);

#endif
