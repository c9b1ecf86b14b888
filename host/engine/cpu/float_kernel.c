#include "float_kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/format.h"

/* oneDNN before OpenBLAS: it looks at what the CPU can do, OpenBLAS at which CPU it is,
 * and takes one that came after it for an older one (docs/cpu.md). */
static const systole_float_kernel *const kernels[] = {
    &systole_float_onednn, &systole_float_openblas, &systole_float_onednn_bf16};

const systole_float_kernel *const *systole_float_kernels(int *count) {
  *count = (int)(sizeof kernels / sizeof kernels[0]);
  return kernels;
}

int systole_float_threads(int threads, int64_t m, int64_t n, int64_t k) {
  const double useful = (double)m * (double)n * (double)k / (1 << 20);
  return useful < (double)threads ? 1 + (int)useful : threads;
}

const systole_float_kernel *systole_float_kernel_choose(systole_format format,
                                                        const char *name,
                                                        const char **why) {
  static const char *const none = "a kernel for this format";
  *why = none;
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
    const systole_float_kernel *kernel = kernels[i];
    const char *reason = "";
    if (kernel->format != format) continue;
    if (name != NULL && strcmp(kernel->name, name) != 0) continue;
    if (kernel->usable(&reason) && systole_float_selftest(kernel, &reason)) {
      *why = "";
      return kernel;
    }
    if (*why == none) *why = reason; /* of the best one */
  }
  return NULL;
}

/* ---- the self-test -------------------------------------------------------------------
 */

enum { TestK = 4099, TestN = 37, TestM = 9 };

/* -1 ... 1 with 24 significant bits. */
static float fraction(uint32_t *state) {
  *state = *state * 1664525U + 1013904223U; /* Numerical Recipes' generator */
  return (float)((int32_t)(*state >> 7) - (1 << 24)) * 0x1p-24F;
}

static void *in_format(systole_format format, const float *values, int count) {
  void *out = malloc((size_t)count * sizeof *values);
  if (out == NULL) return NULL;
  if (format == SYSTOLE_FORMAT_F32) {
    memcpy(out, values, (size_t)count * sizeof *values);
  } else {
    systole_format_round(out, count, format, values, count, 1, count);
  }
  return out;
}

/* One product of TestM x TestN x k against sums in double; integers must be exact. */
static int product_good(const systole_float_kernel *kernel, int k, int integers) {
  int good = 0;
  uint32_t state = (uint32_t)k;
  const char *name = "";
  double prepare_s = 0;
  systole_float_weights *weights = NULL;
  void *a16 = NULL, *b16 = NULL;
  float *a = malloc(sizeof *a * TestM * (size_t)k);
  float *b = malloc(sizeof *b * TestN * (size_t)k);
  float *c = malloc(sizeof *c * TestM * TestN);
  if (a == NULL || b == NULL || c == NULL) goto done;
  for (int i = 0; i < TestM * k; i++) {
    const float value = fraction(&state);
    a[i] = integers ? rintf(value * 50) : systole_format_operand(kernel->format, value);
  }
  for (int i = 0; i < TestN * k; i++) {
    const float value = fraction(&state);
    b[i] = integers ? rintf(value * 50) : systole_format_operand(kernel->format, value);
  }
  a16 = in_format(kernel->format, a, TestM * k);
  b16 = in_format(kernel->format, b, TestN * k);
  if (a16 == NULL || b16 == NULL) goto done;
  if (kernel->prepare(&weights, NULL, 1, TestN, k, b16) != SYSTOLE_OK) goto done;
  if (kernel->gemm(weights, TestM, a16, k, c, TestN, &name, &prepare_s) != SYSTOLE_OK) {
    goto done;
  }
  good = 1;
  for (int i = 0; i < TestM; i++) {
    for (int j = 0; j < TestN; j++) {
      double sum = 0, size = 0;
      for (int p = 0; p < k; p++) {
        const double product = (double)a[i * k + p] * (double)b[p * TestN + j];
        sum += product;
        size += fabs(product);
      }
      const double bound =
          integers ? 0 : systole_format_bound(SYSTOLE_FORMAT_F32, k) * size * 4;
      /* A single product is rounded once. */
      if (k == 1) good &= c[i * TestN + j] == (float)sum;
      good &= fabs((double)c[i * TestN + j] - sum) <= bound + (k == 1 ? fabs(sum) : 0);
    }
  }
done:
  if (weights != NULL) kernel->weights_free(weights);
  free(b16);
  free(a16);
  free(c);
  free(b);
  free(a);
  return good;
}

int systole_float_selftest(const systole_float_kernel *kernel, const char **why) {
  /* 4099 products of up to 50 x 50 stay below 2^24, which float32 holds. */
  const int good = product_good(kernel, 1, 0) && product_good(kernel, TestK, 1) &&
                   product_good(kernel, TestK, 0);
  *why = good ? "" : "a library whose self-test passes; here it computed a wrong product";
  return good;
}
