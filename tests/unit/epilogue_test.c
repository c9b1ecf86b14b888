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
