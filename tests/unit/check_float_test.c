/* The check of float results: it must pass what is right and find what is not. */
#include "check_float.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/format.h"

enum { M = 301, N = 37, K = 53 };
static float a[M * K], b[K * N], c[M * N];

static float draw(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U;
  return (float)((int32_t)(*state >> 7) - (1 << 24)) * 0x1p-24F;
}

/* c: the product in `format`, added up in float32. */
static void multiply(systole_format format) {
  uint32_t state = 5;
  for (int i = 0; i < M * K; i++) a[i] = draw(&state);
  for (int i = 0; i < K * N; i++) b[i] = draw(&state);
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) {
      float sum = 0;
      for (int k = 0; k < K; k++) {
        sum += systole_format_operand(format, a[i * K + k]) *
               systole_format_operand(format, b[k * N + j]);
      }
      c[i * N + j] = sum;
    }
  }
}

/* Wrong elements, by all sums or, with a limit of no MACs, by samples and signs. */
static uint64_t wrong(systole_format format, double limit, systole_float_mismatch *out) {
  cr_assert_eq(systole_check_float_up_to(out, limit, format, c, a, b, M, N, K),
               SYSTOLE_OK);
  return out->count;
}

Test(check_float, passes_products_of_every_format_with_a_figure_below_the_bound) {
  static const systole_format formats[] = {SYSTOLE_FORMAT_F32, SYSTOLE_FORMAT_BF16,
                                           SYSTOLE_FORMAT_F16};
  for (int f = 0; f < 3; f++) {
    systole_float_mismatch m;
    multiply(formats[f]);
    cr_expect_eq(wrong(formats[f], 1e10, &m), 0);
    cr_expect_str_eq(m.method, "double");
    cr_expect(m.largest_error > 0 && m.largest_error < m.bound);
    cr_expect_eq(wrong(formats[f], 0, &m), 0);
    cr_expect_str_eq(m.method, "double-sampled");
  }
}

Test(check_float, tells_formats_apart) {
  systole_float_mismatch m;
  multiply(SYSTOLE_FORMAT_BF16);
  cr_expect_gt(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), (uint64_t)M * N / 2);
  cr_expect_gt(wrong(SYSTOLE_FORMAT_F16, 1e10, &m), (uint64_t)M * N / 2);
}

Test(check_float, finds_one_element_that_is_off_and_names_it) {
  systole_float_mismatch m;
  multiply(SYSTOLE_FORMAT_F32);
  const double bound = systole_format_bound(SYSTOLE_FORMAT_F32, K);
  double row = 0, column = 0;
  for (int k = 0; k < K; k++) {
    row += (double)a[200 * K + k] * (double)a[200 * K + k];
    column += (double)b[k * N + 11] * (double)b[k * N + 11];
  }
  const double most = bound * sqrt(row * column);
  const float right = c[200 * N + 11];
  c[200 * N + 11] = (float)((double)right + 0.5 * most);
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 0, "half of the bound is allowed");
  c[200 * N + 11] = (float)((double)right + 2 * most);
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 1);
  cr_expect(m.i == 200 && m.j == 11 && m.got == c[200 * N + 11]);
  cr_expect_float_eq(m.expected, (double)right, most);
  /* Signs see the sum of a row, so it takes as much as the row's elements together. */
  c[200 * N + 11] = (float)((double)right + 3 * N * most);
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 0, &m), 1);
  cr_expect(m.i == 200 && m.j == 11);
}

Test(check_float, what_is_no_number_must_be_where_it_belongs) {
  systole_float_mismatch m;
  multiply(SYSTOLE_FORMAT_F32);
  c[7] = NAN;
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 1);
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 0, &m), 1);
  multiply(SYSTOLE_FORMAT_F32);
  c[8] = INFINITY;
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 1);
  /* Row 3 has an infinity in A, so all its sums are infinite or none. */
  multiply(SYSTOLE_FORMAT_F32);
  a[3 * K] = INFINITY;
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), N, "finite sums of infinities");
  for (int j = 0; j < N; j++) c[3 * N + j] = b[j] > 0 ? INFINITY : -INFINITY;
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 0);
  c[3 * N + 2] = -c[3 * N + 2];
  cr_expect_eq(wrong(SYSTOLE_FORMAT_F32, 1e10, &m), 1);
}

Test(check_float, sums_beyond_float32_are_infinite) {
  const float big[2] = {3e38F, 3e38F}, ones[2] = {1, 1};
  float sum = INFINITY;
  systole_float_mismatch m;
  cr_assert_eq(systole_check_float(&m, SYSTOLE_FORMAT_F32, &sum, big, ones, 1, 1, 2), 0);
  cr_expect_eq(m.count, 0);
  sum = 3e38F;
  cr_assert_eq(systole_check_float(&m, SYSTOLE_FORMAT_F32, &sum, big, ones, 1, 1, 2), 0);
  cr_expect_eq(m.count, 1);
}

Test(check_float, sizes_of_zero_have_nothing_wrong) {
  systole_float_mismatch m;
  float zero[4] = {0, 0, 0, 0};
  cr_assert_eq(systole_check_float(&m, SYSTOLE_FORMAT_F32, zero, a, b, 2, 2, 0), 0);
  cr_expect_eq(m.count, 0);
  cr_assert_eq(systole_check_float(&m, SYSTOLE_FORMAT_F32, zero, a, b, 0, 2, 5), 0);
  cr_expect_eq(m.count, 0);
  zero[3] = 1e-3F;
  cr_assert_eq(systole_check_float(&m, SYSTOLE_FORMAT_F32, zero, a, b, 2, 2, 0), 0);
  cr_expect_eq(m.count, 1);
}
