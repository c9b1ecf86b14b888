#include "check_float.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format.h"
#include "signals.h"
#include "streams.h"

/* Beyond this many MACs the sums in double would take longer than anyone waits. */
static const double whole_limit = 2e10;

enum {
  Rows = 4, /* of C at a time: each row of B is read once for them */
  SampledRows = 64,
};

/* sums[r][j] += a[r][p] b[p][j] for Rows rows. */
static inline __attribute__((always_inline)) void add_rows(double *sums, const float *a,
                                                           const float *b, int64_t n,
                                                           int64_t k) {
  for (int64_t p = 0; p < k; p++) {
    const float *from = b + p * n;
    const double a0 = (double)a[p], a1 = (double)a[k + p];
    const double a2 = (double)a[2 * k + p], a3 = (double)a[3 * k + p];
    for (int64_t j = 0; j < n; j++) {
      const double value = (double)from[j];
      sums[j] += a0 * value;
      sums[n + j] += a1 * value;
      sums[2 * n + j] += a2 * value;
      sums[3 * n + j] += a3 * value;
    }
  }
}

static void add_rows_plain(double *sums, const float *a, const float *b, int64_t n,
                           int64_t k) {
  add_rows(sums, a, b, n, k);
}

#if defined(__x86_64__)
static __attribute__((target("avx2,fma"))) void add_rows_avx2(double *sums,
                                                              const float *a,
                                                              const float *b, int64_t n,
                                                              int64_t k) {
  add_rows(sums, a, b, n, k);
}
#endif

typedef void add_function(double *sums, const float *a, const float *b, int64_t n,
                          int64_t k);

static add_function *choose(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return add_rows_avx2;
  }
#endif
  return add_rows_plain;
}

static float *rounded(systole_format format, const float *from, int64_t rows,
                      int64_t columns) {
  const size_t count = (size_t)rows * (size_t)columns;
  float *out = malloc(count * sizeof *out + 1);
  for (size_t i = 0; i < count && out != NULL; i++) {
    out[i] = systole_format_operand(format, from[i]);
  }
  return out;
}

/* Everything that a check has at hand. */
typedef struct check {
  systole_float_mismatch *out;
  const float *c, *a, *b;
  int64_t m, n, k;
  double *a_norm, *b_norm; /* [m], [n] */
  double *sums;            /* [Rows][n] */
  float *rows;             /* [Rows][k] of A, zeros where there are fewer */
  double tiny; /* what K products below the smallest normal number may be off together */
} check;

/* 1 if either is no ordinary number and they agree in that. `slack`: what rounding may
 * add to a sum that is nearly too large for float32. */
static int special(float got, double sum, double slack) {
  if (isnan(sum)) return isnan(got);
  if (isinf(sum) || (isinf(got) && fabs(sum) + slack > (double)FLT_MAX)) {
    return isinf(got) && (got > 0) == (sum > 0);
  }
  return 0;
}

static void judge(check *of, int64_t i, const double *sums) {
  systole_float_mismatch *out = of->out;
  for (int64_t j = 0; j < of->n; j++) {
    const float got = of->c[i * of->n + j];
    const double size = of->a_norm[i] * of->b_norm[j];
    if (special(got, sums[j], out->bound * size)) continue;
    const double error = fabs((double)got - sums[j]);
    const double share = error <= of->tiny ? 0 : error / size;
    if (share > out->largest_error) out->largest_error = share;
    if (share <= out->bound) continue; /* a NaN is not */
    if (out->count++ == 0) {
      out->i = i;
      out->j = j;
      out->got = got;
      out->expected = sums[j];
    }
  }
}

/* Rows i ... i + count - 1, count up to Rows. */
static void check_rows(check *of, add_function *add, int64_t i, int64_t count) {
  memset(of->sums, 0, (size_t)(Rows * of->n) * sizeof *of->sums);
  memset(of->rows, 0, (size_t)(Rows * of->k) * sizeof *of->rows);
  memcpy(of->rows, of->a + i * of->k, (size_t)(count * of->k) * sizeof *of->rows);
  add(of->sums, of->rows, of->b, of->n, of->k);
  for (int64_t r = 0; r < count; r++) judge(of, i + r, of->sums + r * of->n);
}

/* Rows of which the sum with random signs is beyond what all elements may be off. */
static systole_status check_signs(check *of, add_function *add) {
  systole_status status = SYSTOLE_OK;
  double *signs = malloc((size_t)of->n * sizeof *signs + 1);
  double *inner = calloc((size_t)of->k + 1, sizeof *inner);
  if (signs == NULL || inner == NULL) {
    status = SYSTOLE_ERR_HOST_MEMORY;
    goto done;
  }
  systole_random random = systole_stream(0x5eed, SYSTOLE_STREAM_CHECK);
  double norms = 0;
  for (int64_t j = 0; j < of->n; j++) {
    signs[j] = (systole_random_next(&random) >> 63) != 0 ? 1 : -1;
    norms += of->b_norm[j];
  }
  for (int64_t p = 0; p < of->k; p++) {
    for (int64_t j = 0; j < of->n; j++)
      inner[p] += signs[j] * (double)of->b[p * of->n + j];
  }
  for (int64_t i = 0; i < of->m; i++) {
    double got = 0, expected = 0;
    for (int64_t j = 0; j < of->n; j++) got += signs[j] * (double)of->c[i * of->n + j];
    for (int64_t p = 0; p < of->k; p++)
      expected += inner[p] * (double)of->a[i * of->k + p];
    const double may = of->out->bound * of->a_norm[i] * norms + (double)of->n * of->tiny;
    if (!(fabs(got - expected) <= may)) check_rows(of, add, i, 1);
    if (systole_interrupted()) {
      status = SYSTOLE_ERR_INTERRUPTED;
      goto done;
    }
  }
done:
  free(inner);
  free(signs);
  return status;
}

static void norms(check *of) {
  for (int64_t i = 0; i < of->m; i++) {
    double sum = 0;
    for (int64_t p = 0; p < of->k; p++) {
      sum += (double)of->a[i * of->k + p] * (double)of->a[i * of->k + p];
    }
    of->a_norm[i] = sqrt(sum);
  }
  for (int64_t p = 0; p < of->k; p++) {
    for (int64_t j = 0; j < of->n; j++) {
      of->b_norm[j] += (double)of->b[p * of->n + j] * (double)of->b[p * of->n + j];
    }
  }
  for (int64_t j = 0; j < of->n; j++) of->b_norm[j] = sqrt(of->b_norm[j]);
}

systole_status systole_check_float(systole_float_mismatch *out, systole_format format,
                                   const float *c, const float *a, const float *b,
                                   int64_t m, int64_t n, int64_t k) {
  return systole_check_float_up_to(out, whole_limit, format, c, a, b, m, n, k);
}

systole_status systole_check_float_up_to(systole_float_mismatch *out, double whole_macs,
                                         systole_format format, const float *c,
                                         const float *a, const float *b, int64_t m,
                                         int64_t n, int64_t k) {
  memset(out, 0, sizeof *out);
  out->bound = systole_format_bound(format, k);
  out->method = "double";
  systole_status status = SYSTOLE_OK;
  float *own_a = rounded(format, a, m, k), *own_b = rounded(format, b, k, n);
  check of = {.out = out,
              .c = c,
              .a = own_a,
              .b = own_b,
              .m = m,
              .n = n,
              .k = k,
              .a_norm = calloc((size_t)m + 1, sizeof(double)),
              .b_norm = calloc((size_t)n + 1, sizeof(double)),
              .sums = calloc((size_t)n + 1, Rows * sizeof(double)),
              .rows = calloc((size_t)k + 1, Rows * sizeof(float)),
              .tiny = (double)k * 0x1p-126};
  if (own_a == NULL || own_b == NULL || of.a_norm == NULL || of.b_norm == NULL ||
      of.sums == NULL || of.rows == NULL) {
    status = SYSTOLE_ERR_HOST_MEMORY;
    goto done;
  }
  norms(&of);
  add_function *add = choose();
  int64_t step = Rows; /* between the first rows of two groups */
  if ((double)m * (double)n * (double)k > whole_macs) {
    out->method = "double-sampled";
    status = check_signs(&of, add);
    if (out->count == 0 && m > SampledRows) step = m / (SampledRows / Rows);
  }
  /* Rows that the signs have found are counted already. */
  const int searched = out->count > 0;
  for (int64_t i = 0; i < m && status == SYSTOLE_OK && !searched; i += step) {
    check_rows(&of, add, i, m - i < Rows ? m - i : Rows);
    if (systole_interrupted()) status = SYSTOLE_ERR_INTERRUPTED;
  }
done:
  free(of.rows);
  free(of.sums);
  free(of.b_norm);
  free(of.a_norm);
  free(own_b);
  free(own_a);
  return status;
}
