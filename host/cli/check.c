#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "signals.h"
#include "streams.h"

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

static const uint64_t prime = (UINT64_C(1) << 61) - 1;

/* Below this many MACs three loops take a fraction of a second and need no argument. */
static const double plain_limit = 3e8;

static void plain_row(uint32_t *row, const int8_t *a, const int8_t *b, int64_t n,
                      int64_t k) {
  memset(row, 0, (size_t)n * sizeof *row);
  for (int64_t p = 0; p < k; p++) {
    const int32_t value = a[p];
    if (value == 0) continue;
    const int8_t *from = b + p * n;
    for (int64_t j = 0; j < n; j++) row[j] += (uint32_t)(value * from[j]);
  }
}

void systole_plain_product(int32_t *c, const int8_t *a, const int8_t *b, int64_t m,
                           int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; i++) plain_row((uint32_t *)c + i * n, a + i * k, b, n, k);
}

int32_t systole_plain_element(const int8_t *a, const int8_t *b, int64_t n, int64_t k,
                              int64_t i, int64_t j) {
  uint32_t sum = 0;
  for (int64_t p = 0; p < k; p++) sum += (uint32_t)(a[i * k + p] * b[p * n + j]);
  return (int32_t)sum;
}

static int64_t round_half_even(int64_t value, int shift) {
  if (shift == 0) return value;
  const int64_t floor = value >> shift;
  const int64_t rest = value - floor * (INT64_C(1) << shift);
  const int64_t half = INT64_C(1) << (shift - 1);
  return floor + (rest > half || (rest == half && (floor & 1) != 0));
}

void systole_plain_epilogue(int8_t *out, const int32_t *raw, int64_t m, int64_t n,
                            const systole_epilogue *epilogue) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      uint32_t x = (uint32_t)raw[i * n + j];
      if (epilogue->bias != NULL) x += (uint32_t)epilogue->bias[j];
      int64_t y = (int64_t)(int32_t)x * epilogue->multiplier[j];
      y = round_half_even(y, epilogue->shift[j]) + epilogue->zero_point;
      if (y < epilogue->clamp_low) y = epilogue->clamp_low;
      if (y > epilogue->clamp_high) y = epilogue->clamp_high;
      out[i * n + j] = (int8_t)y;
    }
  }
}

static void note(systole_mismatch *mismatch, int64_t i, int64_t j, int64_t got,
                 int64_t expected) {
  if (mismatch->count++ == 0) {
    mismatch->i = i;
    mismatch->j = j;
    mismatch->got = got;
    mismatch->expected = expected;
  }
}

static void compare_row(systole_mismatch *mismatch, const int32_t *got,
                        const int32_t *expected, int64_t i, int64_t n) {
  if (memcmp(got, expected, (size_t)n * sizeof *got) == 0) return;
  for (int64_t j = 0; j < n; j++) {
    if (got[j] != expected[j]) note(mismatch, i, j, got[j], expected[j]);
  }
}

void systole_compare_s32(systole_mismatch *mismatch, const int32_t *got,
                         const int32_t *expected, int64_t m, int64_t n) {
  if (n == 0) return;
  for (int64_t i = 0; i < m; i++)
    compare_row(mismatch, got + i * n, expected + i * n, i, n);
}

void systole_compare_s8(systole_mismatch *mismatch, const int8_t *got,
                        const int8_t *expected, int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      const int64_t at = i * n + j;
      if (got[at] != expected[at]) note(mismatch, i, j, got[at], expected[at]);
    }
  }
}

static uint64_t reduce(int128 value) {
  const int128 rest = value % (int128)prime;
  return (uint64_t)(rest < 0 ? rest + (int128)prime : rest);
}

/* out[i] = sum_j matrix[i][j] v[j], int8 elements. modulus 0 means 2^64, which int32
 * results then see modulo 2^32. */
static void times_s8(uint64_t *out, const int8_t *matrix, const uint64_t *v, int64_t rows,
                     int64_t cols, int wrap) {
  for (int64_t i = 0; i < rows; i++) {
    const int8_t *row = matrix + i * cols;
    if (wrap) {
      uint64_t sum = 0;
      for (int64_t j = 0; j < cols; j++) sum += (uint64_t)(int64_t)row[j] * v[j];
      out[i] = sum;
    } else {
      int128 sum = 0;
      for (int64_t j = 0; j < cols; j++) sum += (int128)row[j] * (int128)v[j];
      out[i] = reduce(sum);
    }
  }
}

static int row_is_right(const int32_t *row, const uint64_t *v, int64_t cols,
                        uint64_t expected, int wrap) {
  if (wrap) {
    uint64_t sum = 0;
    for (int64_t j = 0; j < cols; j++) sum += (uint64_t)(int64_t)row[j] * v[j];
    return (uint32_t)sum == (uint32_t)expected;
  }
  int128 sum = 0;
  for (int64_t j = 0; j < cols; j++) sum += (int128)row[j] * (int128)v[j];
  return reduce(sum) == expected;
}

systole_status systole_check_product(systole_mismatch *mismatch, const char **method,
                                     const int32_t *c, const int8_t *a, const int8_t *b,
                                     int64_t m, int64_t n, int64_t k) {
  systole_status status = SYSTOLE_OK;
  uint64_t *vector = NULL, *inner = NULL, *outer = NULL;
  unsigned char *failing = NULL;
  uint32_t *row = malloc(((size_t)n + 1) * sizeof *row);
  *method = "plain";
  if (row == NULL) {
    status = SYSTOLE_ERR_HOST_MEMORY;
    goto done;
  }
  if ((double)m * (double)n * (double)k <= plain_limit) {
    for (int64_t i = 0; i < m && n > 0; i++) {
      plain_row(row, a + i * k, b, n, k);
      compare_row(mismatch, c + i * n, (const int32_t *)row, i, n);
    }
    goto done;
  }

  *method = "freivalds";
  vector = malloc((size_t)n * sizeof *vector);
  inner = malloc((size_t)k * sizeof *inner);
  outer = malloc((size_t)m * sizeof *outer);
  failing = calloc((size_t)m, 1);
  if (vector == NULL || inner == NULL || outer == NULL || failing == NULL) {
    status = SYSTOLE_ERR_HOST_MEMORY;
    goto done;
  }
  /* 131071 x 128 x 128 is the last sum that int32 holds; beyond it C is known modulo 2^32
   * only, where a round misses an error of 2^31 with probability 1/2. */
  const int wrap = k > 131071;
  const int rounds = wrap ? 24 : 1;
  for (int round = 0; round < rounds; round++) {
    systole_random random =
        systole_stream(0x5eed, SYSTOLE_STREAM_CHECK + (uint64_t)round);
    for (int64_t j = 0; j < n; j++) {
      const uint64_t value = systole_random_next(&random);
      vector[j] = wrap ? value : value % prime;
    }
    times_s8(inner, b, vector, k, n, wrap);
    times_s8(outer, a, inner, m, k, wrap);
    for (int64_t i = 0; i < m; i++) {
      if (!row_is_right(c + i * n, vector, n, outer[i], wrap)) failing[i] = 1;
    }
    if (systole_interrupted()) {
      status = SYSTOLE_ERR_INTERRUPTED;
      goto done;
    }
  }
  for (int64_t i = 0; i < m; i++) {
    if (!failing[i]) continue;
    plain_row(row, a + i * k, b, n, k);
    compare_row(mismatch, c + i * n, (const int32_t *)row, i, n);
    if (systole_interrupted()) {
      status = SYSTOLE_ERR_INTERRUPTED;
      goto done;
    }
  }

done:
  free(failing);
  free(outer);
  free(inner);
  free(vector);
  free(row);
  return status;
}
