/* Operands, the plain product and the comparison, for tests of every engine. */
#ifndef SYSTOLE_TESTS_PRODUCT_H
#define SYSTOLE_TESTS_PRODUCT_H

#include <stdint.h>

#include "systole/systole.h"

typedef enum systole_values {
  SYSTOLE_VALUES_RANDOM,  /* uniform in -128 ... 127 */
  SYSTOLE_VALUES_EXTREME, /* only -128 and 127, at random: sums as large as they get */
  SYSTOLE_VALUES_MIN,     /* all -128: the largest possible sum */
  SYSTOLE_VALUES_SPARSE   /* three quarters zeros */
} systole_values;

/* A product with gaps between the rows of its matrices. What is between the rows of C
 * (and behind its last) is guarded. */
typedef struct systole_product {
  int64_t m, n, k, lda, ldb, ldc;
  uint64_t seed;
  systole_values values;
  int8_t *a, *b;
  void *c;           /* int32_t or int8_t */
  int element;       /* bytes of one of C */
  int32_t *expected; /* m x n, without gaps */
} systole_product;

/* Allocates and fills; `gap` elements between rows. The expected result is the plain
 * product, computed modulo 2^32. Aborts the test when memory is short. */
systole_product systole_product_make(int64_t m, int64_t n, int64_t k, int64_t gap,
                                     uint64_t seed, systole_values values);
void systole_product_free(systole_product *product);

/* Applies an epilogue to what is expected; C has int8 elements when it requantises. */
void systole_product_epilogue(systole_product *product, const systole_epilogue *epilogue);

/* Checks C and the guards. NULL when all is right, else a sentence with sizes, seed and
 * the first wrong element, valid until the next call. */
const char *systole_product_check(const systole_product *product);

/* Puts the guards back and spoils C, for another run. */
void systole_product_reset(systole_product *product);

#endif
