/* Sizes that are products are multiplied here, and memory is allocated here, so that an
 * overflow or a refusal becomes a status with a sentence and never a short buffer. */
#ifndef SYSTOLE_SUPPORT_MEMORY_H
#define SYSTOLE_SUPPORT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "systole/systole.h"

/* *out = a * b; returns 1 when it fits into 64 bits, else 0 and *out = 0. */
int systole_multiply(uint64_t *out, uint64_t a, uint64_t b);

/* *out = a + b, likewise. */
int systole_add(uint64_t *out, uint64_t a, uint64_t b);

/* ceil(value / step) for value >= 0, step > 0. */
static inline int64_t systole_ceil_div(int64_t value, int64_t step) {
  return value / step + (value % step != 0);
}

/* The next multiple of step at or above value; the caller knows that it does not
 * overflow. */
static inline uint64_t systole_round_up(uint64_t value, uint64_t step) {
  return (value + step - 1) / step * step;
}

/* count * size bytes on a 64-byte boundary (a cache line, the widest vector), not
 * cleared. `what` names the thing in the sentence of SYSTOLE_ERR_HOST_MEMORY. Zero bytes
 * give a pointer that may be freed and not read. Freed by systole_release. */
systole_status systole_allocate(void **out, uint64_t count, uint64_t size,
                                const char *what);

/* The same, cleared. */
systole_status systole_allocate_zeroed(void **out, uint64_t count, uint64_t size,
                                       const char *what);

/* Accepts NULL. */
void systole_release(void *memory);

#endif
