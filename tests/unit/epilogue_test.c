/* The epilogue of systole.h, held to its definition by numbers written out by hand and by
 * an independent way of rounding. */
#include "engine/epilogue.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "support/random.h"

static int8_t value(int32_t sum, int32_t multiplier, uint8_t shift) {
  return systole_epilogue_value(sum, 0, multiplier, shift, 0, -128, 127);
}

Test(epilogue, rounds_half_to_even) {
  const int32_t sums[] = {-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
  /* halves: -3.5 -3 -2.5 -2 -1.5 -1 -0.5 0 0.5 1 1.5 2 2.5 3 3.5 */
  const int8_t halves[] = {-4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4};
  /* quarters: -1.75 -1.5 -1.25 -1 -0.75 -0.5 -0.25 0 0.25 0.5 0.75 1 1.25 1.5 1.75 */
  const int8_t quarters[] = {-2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2};
  for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
    cr_expect_eq(value(sums[i], 1, 1), halves[i], "%d / 2", sums[i]);
    cr_expect_eq(value(sums[i], 1, 2), quarters[i], "%d / 4", sums[i]);
    cr_expect_eq(value(sums[i], -1, 1), -halves[i], "-(%d / 2)", sums[i]);
  }
}

Test(epilogue, shift_0_rounds_nothing) {
  for (int32_t x = -140; x <= 140; x++) {
    const int32_t clamped = x < -128 ? -128 : x > 127 ? 127 : x;
    cr_assert_eq(value(x, 1, 0), clamped);
    cr_assert_eq(value(-x, -1, 0), clamped);
  }
}

Test(epilogue, shift_47_takes_the_largest_products) {
  /* The largest product is 2^31 x 2^16 = 2^47: one, and its half to even is 0. */
  cr_expect_eq(value(INT32_MIN, -65536, 47), 1);
  cr_expect_eq(value(INT32_MIN, 65535, 47), -1);
  cr_expect_eq(value(INT32_MAX, 65535, 47), 1);
  cr_expect_eq(value(1 << 30, 65535, 47), 0);
  cr_expect_eq(value(1 << 30, -65536, 47), 0, "-0.5 rounds to 0");
  cr_expect_eq(value((1 << 30) + 1, -65536, 47), -1, "just past -0.5");
  cr_expect_eq(value(1, 1, 47), 0);
  cr_expect_eq(value(-1, 1, 47), 0);
}

Test(epilogue, bias_wraps_before_the_multiplier) {
  cr_expect_eq(systole_epilogue_value(INT32_MAX, 1, 1, 31, 0, -128, 127), -1);
  cr_expect_eq(systole_epilogue_value(INT32_MIN, -1, 1, 31, 0, -128, 127), 1);
  cr_expect_eq(systole_epilogue_value(INT32_MIN, INT32_MIN, 1, 0, 0, -128, 127), 0);
}

Test(epilogue, zero_point_comes_after_rounding_and_before_the_clamp) {
  cr_expect_eq(systole_epilogue_value(1, 0, 1, 1, 1, -128, 127), 1, "0.5 -> 0, + 1");
  cr_expect_eq(systole_epilogue_value(3, 0, 1, 1, 1, -128, 127), 3, "1.5 -> 2, + 1");
  cr_expect_eq(systole_epilogue_value(1000, 0, 1, 0, -128, -5, 6), 6);
  cr_expect_eq(systole_epilogue_value(-1000, 0, 1, 0, 127, -5, 6), -5);
  cr_expect_eq(systole_epilogue_value(10, 0, 1, 0, 0, 0, 127), 10);
  cr_expect_eq(systole_epilogue_value(-10, 0, 1, 0, 0, 0, 127), 0,
               "a clamp at 0 is ReLU");
}

/* Rounds by dividing, away from the shifts and carries of the code under test. */
static int32_t expected(int64_t product, int shift, int32_t zero_point) {
  const int64_t unit = (int64_t)1 << shift;
  int64_t below = product / unit;
  if (product % unit < 0) below--;
  const int64_t rest = product - below * unit;
  int64_t y = below;
  if (2 * rest > unit || (2 * rest == unit && below % 2 != 0)) y++;
  y += zero_point;
  return (int32_t)(y < -128 ? -128 : y > 127 ? 127 : y);
}

Test(epilogue, agrees_with_division_everywhere) {
  systole_random state;
  systole_random_seed(&state, 11);
  int interesting = 0;
  for (int i = 0; i < 400000; i++) {
    const uint64_t bits = systole_random_next(&state);
    const int shift = (int)(bits % 48);
    const int32_t multiplier = (int32_t)(bits >> 8 & 0x1ffff) - 65536;
    /* Sums near multiples of half a unit, where rounding decides, and of all sizes. */
    const int32_t sum = (int32_t)((uint32_t)(bits >> 32)) >> (bits >> 26 & 31);
    const int8_t zero_point = (int8_t)((int)(bits >> 40 & 0xff) - 128);
    const int8_t got =
        systole_epilogue_value(sum, 0, multiplier, (uint8_t)shift, zero_point, -128, 127);
    const int32_t want = expected((int64_t)sum * multiplier, shift, zero_point);
    cr_assert_eq(got, want, "%d x %d / 2^%d + %d: got %d, not %d", sum, multiplier, shift,
                 zero_point, got, want);
    interesting += want > -128 && want < 127;
  }
  cr_assert_gt(interesting, 50000, "too few results within the clamp to mean anything");
}

Test(epilogue, a_row_takes_each_column_s_own_numbers) {
  const int32_t bias[] = {0, 10, -10, 0, 5};
  const int32_t multiplier[] = {1, 2, 3, -4, 5};
  const uint8_t shift[] = {0, 1, 0, 2, 1};
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  epilogue.bias = bias;
  epilogue.multiplier = multiplier;
  epilogue.shift = shift;
  epilogue.clamp_high = 100;
  const int32_t sums[] = {1, 2, 3, 4, 60};
  int8_t out[5];
  systole_epilogue_row(out, sums, 0, 5, &epilogue);
  const int8_t want[] = {1, 12, -21, -4, 100};
  for (int j = 0; j < 5; j++) cr_expect_eq(out[j], want[j], "column %d", j);

  int8_t part[2];
  systole_epilogue_row(part, sums + 2, 2, 2, &epilogue);
  cr_expect_eq(part[0], want[2]);
  cr_expect_eq(part[1], want[3]);

  epilogue.bias = NULL;
  systole_epilogue_row(out, sums, 0, 5, &epilogue);
  cr_expect_eq(out[1], 2);
  cr_expect_eq(out[2], 9);
}

Test(epilogue, a_copy_owns_its_arrays) {
  int32_t bias[] = {1, 2, 3};
  int32_t multiplier[] = {4, 5, 6};
  uint8_t shift[] = {7, 8, 9};
  systole_epilogue from = SYSTOLE_EPILOGUE_INIT, to;
  from.bias = bias;
  from.multiplier = multiplier;
  from.shift = shift;
  from.zero_point = -3;
  void *memory = NULL;
  cr_assert_eq(systole_epilogue_copy(&to, &memory, &from, 3), SYSTOLE_OK);
  bias[0] = multiplier[1] = 100;
  shift[2] = 40;
  cr_expect_eq(to.bias[0], 1);
  cr_expect_eq(to.multiplier[1], 5);
  cr_expect_eq(to.shift[2], 9);
  cr_expect_eq(to.zero_point, -3);
  free(memory);

  /* No columns: what is there stays there, so that results stay int8. */
  cr_assert_eq(systole_epilogue_copy(&to, &memory, &from, 0), SYSTOLE_OK);
  cr_expect_not_null(to.multiplier);
  free(memory);

  cr_assert_eq(systole_epilogue_copy(&to, &memory, NULL, 3), SYSTOLE_OK);
  cr_expect_null(to.multiplier);
  cr_expect_null(memory);
}

/* ---- residual and pools
 * --------------------------------------------------------------- */

typedef struct image {
  systole_activation a;
  systole_epilogue epilogue;
  int64_t out_h, out_w, columns;
  int32_t bias[80], multiplier[80];
  uint8_t shift[80];
  int32_t *sums;
  int8_t *residual;
} image;

static int32_t any_int(systole_random *r) {
  const uint64_t bits = systole_random_next(r);
  if (bits % 16 == 0) return bits & 16 ? INT32_MIN : INT32_MAX;
  return (int32_t)(uint32_t)(bits >> 32) >> (bits >> 8 & 31);
}

static image any_image(uint64_t seed, systole_pooling pool) {
  systole_random r;
  systole_random_seed(&r, seed);
  image m = {.a = SYSTOLE_ACTIVATION_INIT, .epilogue = SYSTOLE_EPILOGUE_INIT};
  const int64_t columns[] = {1, 3, 64, 65, 80};
  m.columns = columns[systole_random_below(&r, 5)];
  for (int64_t j = 0; j < m.columns; j++) {
    m.bias[j] = any_int(&r);
    m.multiplier[j] = (int32_t)systole_random_below(&r, 1 << 17) - (1 << 16);
    m.shift[j] = (uint8_t)systole_random_below(&r, 48);
  }
  m.epilogue.zero_point = (int8_t)(systole_random_below(&r, 256) - 128);
  m.epilogue.clamp_low = (int8_t)((int)systole_random_below(&r, 128) - 128);
  m.epilogue.clamp_high = (int8_t)systole_random_below(&r, 128);
  m.a.height = 1 + (int64_t)systole_random_below(&r, 9);
  m.a.width = 1 + (int64_t)systole_random_below(&r, 9);
  m.a.pool = pool;
  m.out_h = m.a.height;
  m.out_w = m.a.width;
  if (pool != SYSTOLE_POOLING_NONE) {
    const int64_t windows[] = {1, 2, 2, 3, 3, 7, 15};
    m.a.window_h = windows[systole_random_below(&r, 7)];
    m.a.window_w = windows[systole_random_below(&r, 7)];
    m.a.stride_h = (int64_t)systole_random_below(&r, 4);
    m.a.stride_w = (int64_t)systole_random_below(&r, 4);
    m.a.pad_top = (int64_t)systole_random_below(&r, 5);
    m.a.pad_left = (int64_t)systole_random_below(&r, 5);
    m.out_h = 1 + (int64_t)systole_random_below(&r, 6);
    m.out_w = 1 + (int64_t)systole_random_below(&r, 6);
  }
  m.a.has_residual = (int)systole_random_below(&r, 2);
  m.a.residual_multiplier = (int32_t)systole_random_below(&r, 1 << 17) - (1 << 16);
  m.a.residual_zero_point = (int8_t)(systole_random_below(&r, 256) - 128);
  const int64_t sums = m.a.height * m.a.width * m.columns;
  m.sums = malloc((size_t)sums * sizeof *m.sums);
  for (int64_t k = 0; k < sums; k++) m.sums[k] = any_int(&r);
  const int64_t results = m.out_h * m.out_w * m.columns;
  m.residual = malloc((size_t)results);
  for (int64_t k = 0; k < results; k++) {
    m.residual[k] = (int8_t)(systole_random_below(&r, 256) - 128);
  }
  return m;
}

/* The definition once more, pixel for pixel, padding looked at and left out. */
static int32_t pixel_expected(const image *m, int64_t y, int64_t x, int64_t j, int raw) {
  const systole_activation *a = &m->a;
  int32_t low = m->epilogue.clamp_low, high = m->epilogue.clamp_high;
  int64_t added = 0;
  if (a->has_residual) {
    added = ((int64_t)m->residual[(y * m->out_w + x) * m->columns + j] -
             a->residual_zero_point) *
            a->residual_multiplier;
  }
  uint32_t total = 0;
  int32_t best = low < high ? low : high;
  for (int64_t h = 0; h < a->window_h; h++) {
    for (int64_t w = 0; w < a->window_w; w++) {
      const int64_t row = y * a->stride_h - a->pad_top + h;
      const int64_t column = x * a->stride_w - a->pad_left + w;
      if (row < 0 || row >= a->height || column < 0 || column >= a->width) continue;
      const uint32_t sum = (uint32_t)m->sums[(row * a->width + column) * m->columns + j] +
                           (uint32_t)m->bias[j];
      total += sum;
      int32_t value = expected((int64_t)(int32_t)sum * m->multiplier[j] + added,
                               m->shift[j], m->epilogue.zero_point);
      value = value < low ? low : value > high ? high : value;
      if (value > best) best = value;
    }
  }
  if (raw) return (int32_t)total;
  if (a->pool == SYSTOLE_POOLING_MAX) return best;
  const int32_t value = expected((int64_t)(int32_t)total * m->multiplier[j] + added,
                                 m->shift[j], m->epilogue.zero_point);
  return value < low ? low : value > high ? high : value;
}

static void free_image(image *m) {
  free(m->sums);
  free(m->residual);
}

static void check_images(systole_pooling pool) {
  for (uint64_t seed = 1; seed <= 300; seed++) {
    image m = any_image(seed, pool);
    m.epilogue.bias = m.bias;
    m.epilogue.multiplier = m.multiplier;
    m.epilogue.shift = m.shift;
    m.a.epilogue = &m.epilogue;
    int8_t *out = malloc((size_t)(m.out_h * m.out_w * m.columns));
    systole_activation_image(out, m.sums, m.residual, m.out_h, m.out_w, m.columns, &m.a);
    for (int64_t y = 0; y < m.out_h; y++) {
      for (int64_t x = 0; x < m.out_w; x++) {
        int32_t raw[80];
        systole_activation_raw_pixel(raw, m.sums, m.a.width * m.columns, m.columns, y, x,
                                     0, m.columns, &m.a);
        for (int64_t j = 0; j < m.columns; j++) {
          cr_assert_eq(out[(y * m.out_w + x) * m.columns + j],
                       pixel_expected(&m, y, x, j, 0), "seed %d: pixel %d, %d column %d",
                       (int)seed, (int)y, (int)x, (int)j);
          cr_assert(
              pool == SYSTOLE_POOLING_MAX || raw[j] == pixel_expected(&m, y, x, j, 1),
              "seed %d, raw: pixel %d, %d column %d", (int)seed, (int)y, (int)x, (int)j);
        }
      }
    }
    free(out);
    free_image(&m);
  }
}

Test(activation, without_a_pool_follows_the_definition) {
  check_images(SYSTOLE_POOLING_NONE);
}
Test(activation, max_pool_follows_the_definition) { check_images(SYSTOLE_POOLING_MAX); }
Test(activation, average_pool_follows_the_definition) {
  check_images(SYSTOLE_POOLING_AVERAGE);
}

/* Numbers written out by hand. */
Test(activation, small_images) {
  const int32_t sums[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, multiplier[] = {1}, bias[] = {10};
  const uint8_t shift[] = {1};
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.multiplier = multiplier;
  e.shift = shift;
  systole_activation a = SYSTOLE_ACTIVATION_INIT;
  a.epilogue = &e;
  a.height = a.width = 3;
  a.pool = SYSTOLE_POOLING_MAX;
  a.window_h = a.window_w = 2;
  a.stride_h = a.stride_w = 2;
  a.pad_top = a.pad_left = 1;
  int8_t out[9];
  /* 1 | 2 3 / 4 7 | 5 6 8 9, halved, halves to even */
  systole_activation_image(out, sums, NULL, 2, 2, 1, &a);
  const int8_t largest[] = {0, 2, 4, 4};
  for (int i = 0; i < 4; i++) cr_expect_eq(out[i], largest[i], "maximum %d", i);

  a.pool = SYSTOLE_POOLING_AVERAGE;
  systole_activation_image(out, sums, NULL, 2, 2, 1, &a);
  const int8_t sum[] = {0, 2, 6, 14}; /* 1, 5, 11, 28 halved */
  for (int i = 0; i < 4; i++) cr_expect_eq(out[i], sum[i], "sum %d", i);

  e.bias = bias; /* once for each pixel that is there */
  systole_activation_image(out, sums, NULL, 2, 2, 1, &a);
  const int8_t with_bias[] = {6, 12, 16, 34}; /* 11, 25, 31, 68 halved */
  for (int i = 0; i < 4; i++) cr_expect_eq(out[i], with_bias[i], "sum and bias %d", i);

  /* The residual joins before the one shift: 11 / 2 is 5.5, 0.5 more is 6. */
  const int8_t residual[] = {-2, -3, 0, 0};
  a.has_residual = 1;
  a.residual_multiplier = 1;
  a.residual_zero_point = -3;
  systole_activation_image(out, sums, residual, 2, 2, 1, &a);
  cr_expect_eq(out[0], 6, "11 + 1");
  cr_expect_eq(out[1], 12, "25 + 0");
  cr_expect_eq(out[2], 17, "31 + 3");

  /* Windows of padding alone. */
  a.has_residual = 0;
  a.pad_top = 2;
  e.clamp_low = -7;
  systole_activation_image(out, sums, NULL, 1, 1, 1, &a);
  cr_expect_eq(out[0], 0, "the sum of nothing");
  a.pool = SYSTOLE_POOLING_MAX;
  systole_activation_image(out, sums, NULL, 1, 1, 1, &a);
  cr_expect_eq(out[0], -7, "the maximum of nothing");
}

Test(activation, a_low_clamp_above_the_high_one_gives_the_high_one) {
  const int32_t sums[] = {-100, 3, 100}, multiplier[] = {1};
  const uint8_t shift[] = {0};
  systole_epilogue e = SYSTOLE_EPILOGUE_INIT;
  e.multiplier = multiplier;
  e.shift = shift;
  e.clamp_low = 5;
  e.clamp_high = -5;
  systole_activation a = SYSTOLE_ACTIVATION_INIT;
  a.epilogue = &e;
  a.height = 3;
  a.width = 1;
  int8_t out[3];
  systole_activation_image(out, sums, NULL, 3, 1, 1, &a);
  for (int i = 0; i < 3; i++) cr_expect_eq(out[i], -5);
  a.pool = SYSTOLE_POOLING_MAX;
  a.window_h = 2;
  a.pad_top = 2;
  systole_activation_image(out, sums, NULL, 2, 1, 1, &a);
  for (int i = 0; i < 2; i++) cr_expect_eq(out[i], -5, "maximum %d", i);
}
