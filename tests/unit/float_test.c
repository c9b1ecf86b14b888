/* Number formats and devices that multiply floats. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/float_kernel.h"
#include "engine/format.h"
#include "systole/systole.h"

/* ---- rounding ------------------------------------------------------------------------
 */

static int same(float x, float y) {
  return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

Test(format, every_short_value_survives_the_way_there_and_back) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const uint16_t half = (uint16_t)bits;
    const float bf16 = systole_bf16_value(half), f16 = systole_f16_value(half);
    cr_assert(systole_bf16_of(bf16) == half || isnan(bf16), "bf16 %#x", bits);
    cr_assert(systole_f16_of(f16) == half || isnan(f16), "fp16 %#x", bits);
  }
}

/* Between two neighbours, the middle goes to the even one and everything else to the
 * nearer one. */
static void check_between(uint16_t (*of)(float), float (*value)(uint16_t),
                          uint16_t last) {
  for (uint32_t bits = 0; bits < last; bits++) {
    const uint16_t low = (uint16_t)bits, high = (uint16_t)(bits + 1);
    const float from = value(low), to = value(high);
    const float middle = (float)(((double)from + (double)to) / 2);
    const uint16_t even = (low & 1) == 0 ? low : high;
    cr_assert_eq(of(middle), even, "the middle above %#x", bits);
    cr_assert_eq(of(nextafterf(middle, from)), low, "below the middle above %#x", bits);
    cr_assert_eq(of(nextafterf(middle, to)), high, "above the middle above %#x", bits);
    cr_assert_eq(of(-middle), even | 0x8000, "the negative middle above %#x", bits);
  }
}

Test(format, values_between_two_go_to_the_nearer_and_middles_to_the_even_one) {
  check_between(systole_f16_of, systole_f16_value, 0x7bff);
  check_between(systole_bf16_of, systole_bf16_value, 0x7f7f);
}

Test(format, what_is_too_large_is_infinite_and_no_number_stays_none) {
  cr_expect_eq(systole_f16_of(65519.996F), 0x7bff);
  cr_expect_eq(systole_f16_of(65520.0F), 0x7c00);
  cr_expect_eq(systole_f16_of(-1e30F), 0xfc00);
  cr_expect_eq(systole_bf16_of(INFINITY), 0x7f80);
  cr_expect(isnan(systole_f16_value(systole_f16_of(NAN))));
  cr_expect(isnan(systole_bf16_value(systole_bf16_of(NAN))));
  /* A NaN whose only bit is in the half that goes. */
  const uint32_t bits = 0x7f800001;
  float nan_low;
  memcpy(&nan_low, &bits, sizeof nan_low);
  cr_expect(isnan(systole_bf16_value(systole_bf16_of(nan_low))));
}

/* ---- names ---------------------------------------------------------------------------
 */

Test(format, names_tell_their_format) {
  cr_expect_eq(systole_device_name_format("cpu"), SYSTOLE_FORMAT_S8);
  cr_expect_eq(systole_device_name_format("rtl:16"), SYSTOLE_FORMAT_S8);
  cr_expect_eq(systole_device_name_format("cpu-f32"), SYSTOLE_FORMAT_F32);
  cr_expect_eq(systole_device_name_format("cuda-tf32:1"), SYSTOLE_FORMAT_TF32);
  cr_expect_eq(systole_device_name_format("cuda-bf16"), SYSTOLE_FORMAT_BF16);
  cr_expect_eq(systole_device_name_format("cuda-fp16:H200"), SYSTOLE_FORMAT_F16);
  /* What stands behind the colon is no format. */
  cr_expect_eq(systole_device_name_format("opencl:NVIDIA-f32"), SYSTOLE_FORMAT_S8);
  cr_expect_eq(systole_device_name_format("-f32"), SYSTOLE_FORMAT_S8);
  cr_expect_eq(systole_device_name_format(NULL), SYSTOLE_FORMAT_S8);
  cr_expect_str_eq(systole_format_name(SYSTOLE_FORMAT_F16), "fp16");
  cr_expect_str_eq(systole_format_name((systole_format)99), "");
}

Test(format, a_name_is_brought_to_another_format) {
  char name[32];
  cr_expect_eq(systole_device_in_format(name, sizeof name, "cpu", SYSTOLE_FORMAT_BF16),
               SYSTOLE_OK);
  cr_expect_str_eq(name, "cpu-bf16");
  cr_expect_eq(
      systole_device_in_format(name, sizeof name, "cpu:plain-c", SYSTOLE_FORMAT_F32),
      SYSTOLE_OK);
  cr_expect_str_eq(name, "cpu-f32", "a kernel of int8 is none of float32");
  cr_expect_eq(
      systole_device_in_format(name, sizeof name, "cpu-f32:openblas", SYSTOLE_FORMAT_S8),
      SYSTOLE_OK);
  cr_expect_str_eq(name, "cpu");
  cr_expect_eq(
      systole_device_in_format(name, sizeof name, "cpu-f32:openblas", SYSTOLE_FORMAT_F32),
      SYSTOLE_OK);
  cr_expect_str_eq(name, "cpu-f32:openblas");
}

Test(format, a_name_without_the_format_is_refused_with_a_sentence) {
  char name[32] = "x";
  cr_expect_eq(systole_device_in_format(name, sizeof name, "cpu", SYSTOLE_FORMAT_F16),
               SYSTOLE_ERR_UNSUPPORTED);
  cr_expect_str_eq(name, "");
  cr_expect_str_eq(systole_last_error(), "cpu has no fp16");
  cr_expect_eq(systole_device_in_format(name, sizeof name, "rtl:16", SYSTOLE_FORMAT_F32),
               SYSTOLE_ERR_UNSUPPORTED);
  cr_expect_eq(
      systole_device_in_format(name, sizeof name, "nonsense", SYSTOLE_FORMAT_F32),
      SYSTOLE_ERR_UNSUPPORTED);
  char small[4];
  cr_expect_eq(systole_device_in_format(small, sizeof small, "cpu", SYSTOLE_FORMAT_BF16),
               SYSTOLE_ERR_ARGUMENT);
}

/* ---- products ------------------------------------------------------------------------
 */

static float draw(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U;
  return (float)((int32_t)(*state >> 7) - (1 << 24)) * 0x1p-24F;
}

/* Opens a device of floats, or skips where this machine or build has none. */
static systole_device *open_floats(const char *name, int threads) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  options.threads = threads;
  systole_device *device = NULL;
  if (systole_device_open(&device, name, &options) == SYSTOLE_ERR_NOT_FOUND) {
    cr_skip_test("%s", systole_last_error());
  }
  cr_assert_not_null(device, "%s", systole_last_error());
  return device;
}

/* One product with gaps between rows, against sums in double. */
static void check_product(systole_device *device, int m, int n, int k, int with_bias) {
  const systole_format format = systole_device_format(device);
  const int lda = k + 3, ldb = n + 5, ldc = n + 2;
  uint32_t state = (uint32_t)(m * 7919 + n * 31 + k);
  float *a = malloc(sizeof *a * (size_t)((m + 1) * lda));
  float *b = malloc(sizeof *b * (size_t)((k + 1) * ldb));
  float *c = malloc(sizeof *c * (size_t)((m + 1) * ldc));
  float *bias = malloc(sizeof *bias * (size_t)(n + 1));
  for (int i = 0; i < (m + 1) * lda; i++) a[i] = draw(&state);
  for (int i = 0; i < (k + 1) * ldb; i++) b[i] = draw(&state);
  for (int i = 0; i < (m + 1) * ldc; i++) c[i] = -77;
  for (int j = 0; j < n; j++) bias[j] = draw(&state);
  systole_weights *weights = NULL;
  systole_stats stats;
  cr_assert_eq(systole_weights_prepare_f32(&weights, device, n, k, b, ldb,
                                           with_bias ? bias : NULL),
               SYSTOLE_OK, "%s", systole_last_error());
  cr_expect_eq(systole_weights_format(weights), format);
  cr_assert_eq(systole_gemm_f32_prepared(weights, m, a, lda, c, ldc, &stats), SYSTOLE_OK,
               "%s", systole_last_error());
  cr_expect_eq(stats.macs, (uint64_t)m * (uint64_t)n * (uint64_t)k);
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) {
      double sum = 0, size = 0;
      for (int p = 0; p < k; p++) {
        const double product = (double)systole_format_operand(format, a[i * lda + p]) *
                               (double)systole_format_operand(format, b[p * ldb + j]);
        sum += product;
        size += fabs(product);
      }
      if (with_bias) sum += (double)bias[j];
      const double bound = systole_format_bound(format, k + 1) * (size + 1);
      cr_assert(fabs((double)c[i * ldc + j] - sum) <= bound,
                "%d x %d x %d: C[%d][%d] = %.9g, not %.9g", m, n, k, i, j,
                (double)c[i * ldc + j], sum);
    }
    for (int j = n; j < ldc; j++) cr_assert_eq(c[i * ldc + j], -77, "a gap was written");
  }
  systole_weights_free(weights);
  free(bias);
  free(c);
  free(b);
  free(a);
}

static void check_shapes(const char *name, int threads) {
  static const int shapes[][3] = {{1, 1, 1},    {1, 7, 300},   {3, 1, 5},   {17, 16, 15},
                                  {64, 64, 64}, {300, 33, 65}, {257, 2, 9}, {2, 129, 31}};
  systole_device *device = open_floats(name, threads);
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    check_product(device, shapes[s][0], shapes[s][1], shapes[s][2], 0);
    check_product(device, shapes[s][0], shapes[s][1], shapes[s][2], 1);
  }
  /* Shared out by columns and by rows, beyond 2^20 MACs a thread. */
  check_product(device, 260, 700, 33, 1);
  check_product(device, 1111, 130, 40, 0);
  check_product(device, 0, 5, 5, 0);
  check_product(device, 4, 5, 0, 1); /* K = 0: the bias alone */
  check_product(device, 4, 5, 0, 0);
  systole_device_close(device);
}

Test(cpu_float, f32_is_within_its_bound) { check_shapes("cpu-f32", 1); }
Test(cpu_float, f32_on_three_threads_is_within_its_bound) { check_shapes("cpu-f32", 3); }
Test(cpu_float, openblas_is_within_its_bound) { check_shapes("cpu-f32:openblas", 2); }
Test(cpu_float, bf16_is_within_its_bound) { check_shapes("cpu-bf16", 2); }

/* On PoCL the first product of a machine compiles kernels for up to half a minute. */
Test(opencl_float, clblast_is_within_its_bound, .timeout = 120) {
  check_shapes("opencl-f32", 0);
}

Test(opencl_float, a_device_that_is_not_here_is_said) {
  systole_device *device = NULL;
  cr_expect_eq(systole_device_open(&device, "opencl-f32:no such thing", NULL),
               SYSTOLE_ERR_NOT_FOUND);
  cr_expect_gt(strlen(systole_last_error()), 20);
  char name[64];
  cr_expect_eq(
      systole_device_in_format(name, sizeof name, "opencl:Iris", SYSTOLE_FORMAT_F32),
      SYSTOLE_OK);
  cr_expect_str_eq(name, "opencl-f32:Iris");
}

Test(cpu_float, one_set_of_weights_takes_any_number_of_rows) {
  systole_device *device = open_floats("cpu-f32", 0);
  float b[8 * 8], a[40 * 8], c[40 * 8];
  for (int i = 0; i < 64; i++) b[i] = i / 8 == i % 8 ? 2 : 0;
  for (int i = 0; i < 320; i++) a[i] = (float)i;
  systole_weights *weights = NULL;
  cr_assert_eq(systole_weights_prepare_f32(&weights, device, 8, 8, b, 8, NULL), 0);
  for (int turn = 0; turn < 3; turn++) { /* more sizes than are kept */
    for (int m = 1; m <= 40; m += 3) {
      memset(c, 0, sizeof c);
      cr_assert_eq(systole_gemm_f32_prepared(weights, m, a, 8, c, 8, NULL), 0);
      for (int i = 0; i < 8 * m; i++) cr_assert_eq(c[i], 2 * a[i]);
    }
  }
  systole_weights_free(weights);
  systole_device_close(device);
}

Test(cpu_float, operands_of_the_wrong_kind_are_refused_with_the_right_device) {
  systole_device *floats = open_floats("cpu-f32", 0), *bytes = NULL;
  const float one = 1;
  float c;
  const int8_t small = 1;
  int32_t sum;
  cr_assert_eq(systole_device_open(&bytes, "cpu", NULL), SYSTOLE_OK);
  cr_expect_eq(systole_gemm_s8(floats, 1, 1, 1, &small, 1, &small, 1, &sum, 1, NULL),
               SYSTOLE_ERR_UNSUPPORTED);
  cr_expect_str_eq(systole_last_error(),
                   "cpu-f32 multiplies f32, and these operands are int8; for those there "
                   "is cpu");
  cr_expect_eq(systole_gemm_f32(bytes, 1, 1, 1, &one, 1, &one, 1, &c, 1, NULL),
               SYSTOLE_ERR_UNSUPPORTED);
  systole_weights *weights = NULL;
  cr_assert_eq(systole_weights_prepare(&weights, bytes, 1, 1, &small, 1, NULL), 0);
  cr_expect_eq(systole_gemm_f32_prepared(weights, 1, &one, 1, &c, 1, NULL),
               SYSTOLE_ERR_ARGUMENT);
  systole_weights_free(weights);
  cr_assert_eq(systole_weights_prepare_f32(&weights, floats, 1, 1, &one, 1, NULL), 0);
  cr_expect_eq(systole_gemm_s8_prepared(weights, 1, &small, 1, &sum, 1, NULL),
               SYSTOLE_ERR_ARGUMENT);
  systole_weights_free(weights);
  systole_device_close(bytes);
  systole_device_close(floats);
}

Test(cpu_float, a_library_that_is_not_known_is_named_with_those_that_are) {
  systole_device *device = NULL;
  cr_expect_eq(systole_device_open(&device, "cpu-f32:mkl", NULL), SYSTOLE_ERR_NOT_FOUND);
  cr_expect(strstr(systole_last_error(), "cpu-f32:onednn, cpu-f32:openblas") != NULL,
            "%s", systole_last_error());
}

/* ---- the self-test finds wrong kernels ------------------------------------------------
 */

struct systole_float_weights {
  int64_t n, k;
  const void *b;
};

static systole_status keep(systole_float_weights **out, systole_pool *pool, int threads,
                           int64_t n, int64_t k, const void *b) {
  (void)pool, (void)threads;
  *out = malloc(sizeof **out);
  **out = (systole_float_weights){n, k, b};
  return SYSTOLE_OK;
}
static void forget(systole_float_weights *weights) { free(weights); }
static int always(const char **why) {
  *why = "";
  return 1;
}

/* What plain loops give, with each operand or the sum bent. */
static systole_status loops(systole_float_weights *w, int64_t m, const float *a, float *c,
                            float (*bend)(float), float (*bend_sum)(float)) {
  const float *b = w->b;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < w->n; j++) {
      float sum = 0;
      for (int64_t k = 0; k < w->k; k++) {
        sum = bend_sum(sum + bend(a[i * w->k + k]) * bend(b[k * w->n + j]));
      }
      c[i * w->n + j] = sum;
    }
  }
  return SYSTOLE_OK;
}
static float as_it_is(float x) { return x; }
static float to_tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits &= 0xffffe000;
  memcpy(&x, &bits, sizeof bits);
  return x;
}
static float to_f16(float x) { return systole_f16_value(systole_f16_of(x)); }

#define FAKE(name, bend, bend_sum)                                                   \
  static systole_status name(systole_float_weights *w, int64_t m, const void *a,     \
                             int64_t lda, float *c, int64_t ldc, const char **title, \
                             double *prepare_s) {                                    \
    (void)lda, (void)ldc, (void)prepare_s;                                           \
    *title = #name;                                                                  \
    return loops(w, m, a, c, bend, bend_sum);                                        \
  }
FAKE(right, as_it_is, as_it_is)
FAKE(tf32, to_tf32, as_it_is)
FAKE(short_sums, as_it_is, to_f16)

static int passes(systole_status (*gemm)(systole_float_weights *, int64_t, const void *,
                                         int64_t, float *, int64_t, const char **,
                                         double *)) {
  const systole_float_kernel kernel = {.name = "fake",
                                       .format = SYSTOLE_FORMAT_F32,
                                       .usable = always,
                                       .prepare = keep,
                                       .weights_free = forget,
                                       .gemm = gemm};
  const char *why = "";
  return systole_float_selftest(&kernel, &why);
}

Test(float_selftest, passes_plain_loops_and_finds_shorter_operands_and_sums) {
  cr_expect(passes(right));
  cr_expect_not(passes(tf32), "operands of 10 bits are not float32");
  cr_expect_not(passes(short_sums), "sums of 10 bits are not float32");
}

/* ---- bandwidth -----------------------------------------------------------------------
 */

Test(bandwidth, caches_are_faster_than_memory_and_the_figure_is_possible) {
  systole_device *device = NULL;
  double small = 0, large = 0;
  const systole_device_options one = {.version = SYSTOLE_DEVICE_OPTIONS_VERSION,
                                      .threads = 1};
  cr_assert_eq(systole_device_open(&device, "cpu", &one), SYSTOLE_OK);
  cr_assert_eq(systole_device_measured_bandwidth(device, 16 << 10, &small), SYSTOLE_OK);
  cr_assert_eq(systole_device_measured_bandwidth(device, 200 << 20, &large), SYSTOLE_OK);
  /* Two loads of 64 bytes a cycle at 6 GHz are the most that any core does today. */
  cr_expect(small > 2 && small < 2 * 64 * 6, "%g GB/s from the first-level cache", small);
  cr_expect(large > 0.2 && large < 1.5 * small, "%g GB/s from memory, %g from a cache",
            large, small);
  double none = 1;
  cr_expect_eq(systole_device_measured_bandwidth(device, 0, &none), SYSTOLE_OK);
  cr_expect_eq(systole_device_measured_bandwidth(NULL, 1, &none), SYSTOLE_ERR_ARGUMENT);
  systole_device_close(device);
}
