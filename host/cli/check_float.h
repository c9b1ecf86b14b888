/* Whether a product of floats is right, found in double without the code that computed
 * it. */
#ifndef SYSTOLE_CLI_CHECK_FLOAT_H
#define SYSTOLE_CLI_CHECK_FLOAT_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_float_mismatch {
  uint64_t count;       /* elements beyond the bound, and those that are no number */
  int64_t i, j;         /* the first of them */
  float got;            /* there */
  double expected;      /* there: the sum in double */
  double largest_error; /* of all that were looked at, as a multiple of |a_i| |b_j| */
  double bound;         /* what it may be: K u / (1 - K u), systole_format_bound */
  const char *method;   /* "double", or "double-sampled"; static storage */
} systole_float_mismatch;

/* Infinities and NaN must be where the sums have them; a sum beyond float32 may be
 * infinite. Else |c[i][j] - sum| <= bound |row i of A| |column j of B| (Euclidean norms,
 * which bound sum |a| |b| by Cauchy and Schwarz), with operands rounded to `format` as
 * the device rounds them. Products of up to 2e10 MACs are computed out; of larger ones 64
 * rows are, and every other row's sum with random signs must be right to as much as all
 * of its elements may be off together. SYSTOLE_ERR_HOST_MEMORY, SYSTOLE_ERR_INTERRUPTED.
 */
systole_status systole_check_float(systole_float_mismatch *out, systole_format format,
                                   const float *c, const float *a, const float *b,
                                   int64_t m, int64_t n, int64_t k);

/* The same with another limit than 2e10 MACs. */
systole_status systole_check_float_up_to(systole_float_mismatch *out, double whole_macs,
                                         systole_format format, const float *c,
                                         const float *a, const float *b, int64_t m,
                                         int64_t n, int64_t k);

#endif
