/* The arithmetic of the epilogue, to be inlined into functions of any instruction set, so
 * that the compiler's vectorised forms and the reference cannot differ. See epilogue.h.
 */
#ifndef SYSTOLE_ENGINE_EPILOGUE_BODY_H
#define SYSTOLE_ENGINE_EPILOGUE_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "systole/systole.h"

/* `added` is the residual's product, (residual - its zero point) * its multiplier: it
 * joins the column's product before the one shift. */
static inline __attribute__((always_inline)) int8_t systole_epilogue_element(
    int32_t sum, int32_t bias, int32_t multiplier, int32_t added, int64_t shift,
    int64_t zero_point, int64_t low, int64_t high) {
  const int32_t x = (int32_t)((uint32_t)sum + (uint32_t)bias);
  const int64_t product = (int64_t)x * multiplier + added;
  /* Half to even without a branch: adding half minus one, and one more where the quotient
   * is odd, carries exactly when the remainder is past half, or is half and the quotient
   * odd. With shift 0 there is no remainder and nothing may be added. */
  const int64_t some = shift != 0;
  const int64_t half_less_one = ((int64_t)1 << shift >> 1) - some;
  const int64_t odd = (product >> shift) & some;
  int64_t y = ((product + half_less_one + odd) >> shift) + zero_point;
  y = y < low ? low : y;
  y = y > high ? high : y;
  return (int8_t)y;
}

static inline __attribute__((always_inline)) void systole_epilogue_span(
    int8_t *restrict out, const int32_t *restrict sums, const int32_t *restrict bias,
    const int32_t *restrict multiplier, const uint8_t *restrict shift, int64_t count,
    int64_t zero_point, int64_t low, int64_t high) {
  if (bias != NULL) {
    for (int64_t j = 0; j < count; j++) {
      out[j] = systole_epilogue_element(sums[j], bias[j], multiplier[j], 0, shift[j],
                                        zero_point, low, high);
    }
  } else {
    for (int64_t j = 0; j < count; j++) {
      out[j] = systole_epilogue_element(sums[j], 0, multiplier[j], 0, shift[j],
                                        zero_point, low, high);
    }
  }
}

/* The same with a residual: `residual` points at `count` int8. */
static inline __attribute__((always_inline)) void systole_epilogue_add_span(
    int8_t *restrict out, const int32_t *restrict sums, const int8_t *restrict residual,
    int32_t residual_multiplier, int32_t residual_zero_point,
    const int32_t *restrict bias, const int32_t *restrict multiplier,
    const uint8_t *restrict shift, int64_t count, int64_t zero_point, int64_t low,
    int64_t high) {
  for (int64_t j = 0; j < count; j++) {
    const int32_t added = (residual[j] - residual_zero_point) * residual_multiplier;
    out[j] = systole_epilogue_element(sums[j], bias != NULL ? bias[j] : 0, multiplier[j],
                                      added, shift[j], zero_point, low, high);
  }
}

#endif
