#include "epilogue.h"

#include <stdlib.h>
#include <string.h>

#include "epilogue_body.h"
#include "support/error.h"

int8_t systole_epilogue_value(int32_t sum, int32_t bias, int32_t multiplier,
                              uint8_t shift, int8_t zero_point, int8_t clamp_low,
                              int8_t clamp_high) {
  return systole_epilogue_element(sum, bias, multiplier, 0, shift, zero_point, clamp_low,
                                  clamp_high);
}

void systole_epilogue_row(int8_t *out, const int32_t *sums, int64_t first, int64_t count,
                          const systole_epilogue *epilogue) {
  systole_epilogue_span(out, sums, epilogue->bias != NULL ? epilogue->bias + first : NULL,
                        epilogue->multiplier + first, epilogue->shift + first, count,
                        epilogue->zero_point, epilogue->clamp_low, epilogue->clamp_high);
}

/* ---- images
 * ---------------------------------------------------------------------------- */

enum { kColumns = 64 }; /* columns that are worked on at a time */

void systole_activation_window(const systole_activation *activation, int64_t y, int64_t x,
                               int64_t *top, int64_t *bottom, int64_t *left,
                               int64_t *right) {
  const systole_activation *a = activation;
  *top = y;
  *left = x;
  *bottom = y + 1;
  *right = x + 1;
  if (a->pool == SYSTOLE_POOLING_NONE) return;
  *top = y * a->stride_h - a->pad_top;
  *left = x * a->stride_w - a->pad_left;
  *bottom = *top + a->window_h < a->height ? *top + a->window_h : a->height;
  *right = *left + a->window_w < a->width ? *left + a->window_w : a->width;
  if (*top < 0) *top = 0;
  if (*left < 0) *left = 0;
}

/* int8 of `count` sums; `bias` NULL when it is in them already. */
static void finish(int8_t *out, const int32_t *sums, const int8_t *residual,
                   const int32_t *bias, int64_t first, int64_t count,
                   const systole_activation *activation) {
  const systole_epilogue *e = activation->epilogue;
  if (activation->has_residual) {
    systole_epilogue_add_span(out, sums, residual, activation->residual_multiplier,
                              activation->residual_zero_point, bias,
                              e->multiplier + first, e->shift + first, count,
                              e->zero_point, e->clamp_low, e->clamp_high);
  } else {
    systole_epilogue_span(out, sums, bias, e->multiplier + first, e->shift + first, count,
                          e->zero_point, e->clamp_low, e->clamp_high);
  }
}

void systole_activation_raw_pixel(int32_t *out, const int32_t *sums, int64_t line,
                                  int64_t pixel, int64_t y, int64_t x, int64_t first,
                                  int64_t count, const systole_activation *activation) {
  const int32_t *bias =
      activation->epilogue->bias != NULL ? activation->epilogue->bias + first : NULL;
  int64_t top, bottom, left, right;
  systole_activation_window(activation, y, x, &top, &bottom, &left, &right);
  memset(out, 0, sizeof *out * (size_t)count);
  for (int64_t h = top; h < bottom; h++) {
    for (int64_t w = left; w < right; w++) {
      const int32_t *at = sums + h * line + w * pixel;
      for (int64_t j = 0; j < count; j++) {
        out[j] = (int32_t)((uint32_t)out[j] + (uint32_t)at[j] +
                           (bias != NULL ? (uint32_t)bias[j] : 0u));
      }
    }
  }
}

/* At most kColumns columns. */
static void pixel_part(int8_t *out, const int32_t *sums, int64_t line, int64_t pixel,
                       const int8_t *residual, int64_t y, int64_t x, int64_t first,
                       int64_t count, const systole_activation *a) {
  const systole_epilogue *e = a->epilogue;
  if (a->pool != SYSTOLE_POOLING_MAX) {
    int32_t total[kColumns];
    systole_activation_raw_pixel(total, sums, line, pixel, y, x, first, count, a);
    finish(out, total, residual, NULL, first, count, a);
    return;
  }
  const int32_t *bias = e->bias != NULL ? e->bias + first : NULL;
  const int8_t none = e->clamp_low < e->clamp_high ? e->clamp_low : e->clamp_high;
  int64_t top, bottom, left, right;
  systole_activation_window(a, y, x, &top, &bottom, &left, &right);
  for (int64_t j = 0; j < count; j++) out[j] = none; /* no result is less */
  for (int64_t h = top; h < bottom; h++) {
    for (int64_t w = left; w < right; w++) {
      int8_t one[kColumns];
      finish(one, sums + h * line + w * pixel, residual, bias, first, count, a);
      for (int64_t j = 0; j < count; j++) out[j] = one[j] > out[j] ? one[j] : out[j];
    }
  }
}

void systole_activation_pixel(int8_t *out, const int32_t *sums, int64_t line,
                              int64_t pixel, const int8_t *residual, int64_t y, int64_t x,
                              int64_t first, int64_t count,
                              const systole_activation *activation) {
  for (int64_t j = 0; j < count; j += kColumns) {
    pixel_part(out + j, sums + j, line, pixel,
               activation->has_residual ? residual + j : NULL, y, x, first + j,
               count - j < kColumns ? count - j : kColumns, activation);
  }
}

void systole_activation_image(int8_t *out, const int32_t *sums, const int8_t *residual,
                              int64_t out_height, int64_t out_width, int64_t columns,
                              const systole_activation *activation) {
  for (int64_t y = 0; y < out_height; y++) {
    for (int64_t x = 0; x < out_width; x++) {
      const int64_t at = (y * out_width + x) * columns;
      systole_activation_pixel(out + at, sums, activation->width * columns, columns,
                               activation->has_residual ? residual + at : NULL, y, x, 0,
                               columns, activation);
    }
  }
}

systole_status systole_epilogue_copy(systole_epilogue *to, void **memory,
                                     const systole_epilogue *from, int64_t n) {
  const systole_epilogue initial = SYSTOLE_EPILOGUE_INIT;
  *to = initial;
  *memory = NULL;
  if (from == NULL) return SYSTOLE_OK;
  *to = *from;
  to->bias = NULL;
  to->multiplier = NULL;
  to->shift = NULL;
  const size_t count = (size_t)n;
  const size_t words =
      (from->bias != NULL ? count : 0) + (from->multiplier != NULL ? count : 0);
  const size_t bytes = words * sizeof(int32_t) + (from->multiplier != NULL ? count : 0);
  if (words == 0 && from->bias == NULL && from->multiplier == NULL) return SYSTOLE_OK;

  /* At least one byte, so that arrays of no columns still say that they are there. */
  int32_t *next = malloc(bytes > 0 ? bytes : 1);
  if (next == NULL) {
    *to = initial;
    return systole_fail(
        SYSTOLE_ERR_HOST_MEMORY,
        "an epilogue for %lld columns needs %zu bytes, and this machine has no "
        "memory left; use fewer columns at a time",
        (long long)n, bytes);
  }
  *memory = next;
  if (from->bias != NULL) {
    memcpy(next, from->bias, count * sizeof(int32_t));
    to->bias = next;
    next += count;
  }
  if (from->multiplier != NULL) {
    memcpy(next, from->multiplier, count * sizeof(int32_t));
    to->multiplier = next;
    next += count;
    memcpy(next, from->shift, count);
    to->shift = (const uint8_t *)next;
  }
  return SYSTOLE_OK;
}
