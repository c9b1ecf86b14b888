/* Whether a product is right, found without the code that computed it. */
#ifndef SYSTOLE_CLI_CHECK_H
#define SYSTOLE_CLI_CHECK_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_mismatch {
  uint64_t count;        /* wrong elements */
  int64_t i, j;          /* the first of them */
  int64_t got, expected; /* there */
} systole_mismatch;

/* C = A B modulo 2^32 by three loops; without gaps between rows. */
void systole_plain_product(int32_t *c, const int8_t *a, const int8_t *b, int64_t m,
                           int64_t n, int64_t k);

/* One element of it. */
int32_t systole_plain_element(const int8_t *a, const int8_t *b, int64_t n, int64_t k,
                              int64_t i, int64_t j);

/* The epilogue of systole.h, written out, on row-major raw results. */
void systole_plain_epilogue(int8_t *out, const int32_t *raw, int64_t m, int64_t n,
                            const systole_epilogue *epilogue);

/* Adds to *mismatch. */
void systole_compare_s32(systole_mismatch *mismatch, const int32_t *got,
                         const int32_t *expected, int64_t m, int64_t n);
void systole_compare_s8(systole_mismatch *mismatch, const int8_t *got,
                        const int8_t *expected, int64_t m, int64_t n);

/* Compares C with A B: directly when the product is small, else by Freivalds' test (A (B
 * r) = C r for a random vector r, modulo 2^61 - 1), after which only failing rows are
 * computed out. Misses a wrong result with a probability below 2^-60 (2^-24 for K above
 * 131071, where int32 may wrap). Returns SYSTOLE_OK, SYSTOLE_ERR_HOST_MEMORY or
 * SYSTOLE_ERR_INTERRUPTED. *method is "plain" or "freivalds". */
systole_status systole_check_product(systole_mismatch *mismatch, const char **method,
                                     const int32_t *c, const int8_t *a, const int8_t *b,
                                     int64_t m, int64_t n, int64_t k);

#endif
