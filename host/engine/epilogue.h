/* The one definition in C of what happens to sums: the epilogue of systole.h, and what
 * ACTIVATE of hw/README.md does beyond it (residual, max pool, average pool). Every
 * engine that requantises on the CPU uses it, and the tests hold the activation unit to
 * it.
 *
 * Order, for one column with bias b, multiplier m and shift s:
 *   average pool:  x = sum over the window's pixels of (sum + b)      modulo 2^32
 *   otherwise:     x = sum + b                                        modulo 2^32
 *   raw:           out = x                                            int32
 *   int8:          p = x m + (residual - its zero point) its multiplier   exact
 *                  y = p / 2^s, to the nearest integer, halves to the even one
 *                  out = min(max(y + zero_point, clamp_low), clamp_high)
 *   max pool:      the largest `out` of the window's pixels
 * m and the residual's multiplier are signed 17-bit numbers and s is 0 ... 47, so that
 * no intermediate leaves 49 bits. */
#ifndef SYSTOLE_ENGINE_EPILOGUE_H
#define SYSTOLE_ENGINE_EPILOGUE_H

#include <stdint.h>

#include "systole/systole.h"

/* One int32 sum of a column -> int8, without residual and pool. */
int8_t systole_epilogue_value(int32_t sum, int32_t bias, int32_t multiplier,
                              uint8_t shift, int8_t zero_point, int8_t clamp_low,
                              int8_t clamp_high);

/* `count` columns of one row, the first being column `first` of the epilogue's arrays.
 * The epilogue must have a multiplier. `out` and `sums` point at column `first`. */
void systole_epilogue_row(int8_t *out, const int32_t *sums, int64_t first, int64_t count,
                          const systole_epilogue *epilogue);

/* Deep copy of an epilogue for N columns: one block of memory, freed by free(*memory).
 * `from` NULL gives the initial epilogue (no bias, no multiplier) and *memory NULL.
 * SYSTOLE_ERR_HOST_MEMORY when there is none. */
systole_status systole_epilogue_copy(systole_epilogue *to, void **memory,
                                     const systole_epilogue *from, int64_t n);

/* ---- the whole of ACTIVATE, on images
 * -------------------------------------------------- */

typedef struct systole_activation {
  const systole_epilogue *epilogue; /* borrowed; its bias may be NULL */
  int has_residual;                 /* an int8 operand of the result's shape is added */
  int32_t residual_multiplier;      /* signed 17-bit */
  int8_t residual_zero_point;

  systole_pooling pool;
  /* The image of sums, in pixels. Without a pool it is also the result's shape. */
  int64_t height, width;
  /* With a pool, output pixel (y, x) looks at pixels
   *   y stride_h - pad_top  ... + window_h - 1,   x stride_w - pad_left ... + window_w -
   * 1 as far as they lie in the image; the others take no part, neither in the maximum
   * nor in the sum (whose divisor is in the multiplier and does not know). When none
   * does, the sum is 0 and the maximum is clamp_low (or clamp_high, if that is less).
   * Windows 1 ... 15 and strides, pads 0 ... 15 are what an instruction can say; these
   * functions take any. */
  int64_t window_h, window_w, stride_h, stride_w, pad_top, pad_left;
} systole_activation;
#define SYSTOLE_ACTIVATION_INIT                                                      \
  {                                                                                  \
    .epilogue = NULL, .has_residual = 0, .residual_multiplier = 0,                   \
    .residual_zero_point = 0, .pool = SYSTOLE_POOLING_NONE, .height = 0, .width = 0, \
    .window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1, .pad_top = 0,        \
    .pad_left = 0                                                                    \
  }

/* Pixels of a window of output pixel (y, x) that lie in the image: rows *top ...
 * *bottom - 1, columns *left ... *right - 1; empty when *top >= *bottom or
 * *left >= *right. Without a pool: the pixel itself. */
void systole_activation_window(const systole_activation *activation, int64_t y, int64_t x,
                               int64_t *top, int64_t *bottom, int64_t *left,
                               int64_t *right);

/* One pixel (y, x) of an int8 result, `count` columns from column `first` of the
 * epilogue's arrays on; the epilogue must have a multiplier.
 * sums      column `first` of the image's pixel (0, 0); pixels are `pixel` elements apart
 *           and lines `line` elements
 * residual  `count` elements of this output pixel; not read without has_residual
 * With a max pool the residual is the same for all pixels of the window (so that it is
 * added to the pooled value, in effect: everything after it is monotone). */
void systole_activation_pixel(int8_t *out, const int32_t *sums, int64_t line,
                              int64_t pixel, const int8_t *residual, int64_t y, int64_t x,
                              int64_t first, int64_t count,
                              const systole_activation *activation);

/* The same, raw: int32 sums + bias, or their sum over an average pool's window. No
 * residual and no max pool; a multiplier is not looked at. */
void systole_activation_raw_pixel(int32_t *out, const int32_t *sums, int64_t line,
                                  int64_t pixel, int64_t y, int64_t x, int64_t first,
                                  int64_t count, const systole_activation *activation);

/* All pixels of an int8 result of out_height x out_width: `out` and `residual` (NULL
 * without has_residual) hold [out_height][out_width][columns], sums [height][width]
 * [columns], nothing between. */
void systole_activation_image(int8_t *out, const int32_t *sums, const int8_t *residual,
                              int64_t out_height, int64_t out_width, int64_t columns,
                              const systole_activation *activation);

#endif
