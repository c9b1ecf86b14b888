/* The products that every way of computing must get right: one table for all tests. */
#ifndef SYSTOLE_TESTS_SHAPES_H
#define SYSTOLE_TESTS_SHAPES_H

#include <stddef.h>
#include <stdint.h>

typedef struct systole_shape {
  int64_t m, n, k;
  const char *why; /* what goes wrong at this shape when it goes wrong */
} systole_shape;

enum { SYSTOLE_MAX_SHAPES = 64 };

/* Fills `out` for an array of dim x dim; returns how many. Sizes grow with dim; the
 * largest has about 250 dim^3 MACs. */
size_t systole_shapes(systole_shape out[SYSTOLE_MAX_SHAPES], int dim);

#endif
