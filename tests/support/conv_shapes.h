/* The convolutions that every way to compute one is tried on, each with its reason. */
#ifndef SYSTOLE_TESTS_CONV_SHAPES_H
#define SYSTOLE_TESTS_CONV_SHAPES_H

#include <stddef.h>
#include <stdint.h>

#include "systole/systole.h"

/* Sizes alone: epilogue, residual and pool are the test's. Where a number is 0 in the
 * table, it is 1 (strides, dilations, groups, batch). */
typedef struct systole_conv_shape {
  int64_t batch, height, width, channels, out_channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width, dilation_height, dilation_width;
  int64_t top, bottom, left, right;
  int64_t groups;
  const char *why;
} systole_conv_shape;

enum { SYSTOLE_MAX_CONV_SHAPES = 64 };

/* For an array of dim x dim. Returns their number. */
size_t systole_conv_shapes(systole_conv_shape out[SYSTOLE_MAX_CONV_SHAPES], int dim);

/* A convolution of these sizes with random operands, its expected output by the plain
 * reference, and a guarded place for the output. */
typedef struct systole_conv_case {
  systole_conv2d conv;
  systole_epilogue epilogue;
  int8_t *input, *weights, *residual;
  int32_t *bias, *multiplier;
  uint8_t *shift;
  void *output, *expected;
  size_t bytes; /* of the output */
  uint64_t seed;
} systole_conv_case;

enum {
  SYSTOLE_CONV_BIAS = 1,         /* int32 results, bias added */
  SYSTOLE_CONV_REQUANTISE = 2,   /* int8 results, bias and clamp */
  SYSTOLE_CONV_ZERO_POINT = 4,   /* the input has one */
  SYSTOLE_CONV_RESIDUAL = 8,     /* with REQUANTISE */
  SYSTOLE_CONV_MAX_POOL = 16,    /* with REQUANTISE: 3 x 3, stride 2, padding 1 */
  SYSTOLE_CONV_AVERAGE_POOL = 32 /* with REQUANTISE: 2 x 2, stride 2 */
};

/* Aborts the test when memory is short. *out's pointers are into its own memory. */
void systole_conv_case_make(systole_conv_case *out, const systole_conv_shape *shape,
                            unsigned kinds, uint64_t seed);
void systole_conv_case_free(systole_conv_case *c);

/* Runs it on a device and compares. NULL when all is right, else a sentence with the
 * sizes, the seed and the first wrong element (or the library's story), valid until the
 * next call. stats may be NULL. */
const char *systole_conv_case_run(systole_conv_case *c, systole_device *device,
                                  systole_stats *stats);

/* Sizes drawn from a seed, small enough for about `macs` products. */
systole_conv_shape systole_conv_shape_random(uint64_t seed, int dim, int64_t macs);

#endif
