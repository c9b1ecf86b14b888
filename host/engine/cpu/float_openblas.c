/* OpenBLAS, or what Debian's alternatives put in its place, looked for at run time. It
 * chooses its kernels by the CPU's model (OPENBLAS_CORETYPE overrides that), and the name
 * of the choice stands in the result: a version older than the CPU takes it for one of
 * its ancestors. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "float_kernel.h"
#include "support/error.h"
#include "support/memory.h"

enum { RowMajor = 101, NoTranspose = 111, Transpose = 112 }; /* cblas.h */

typedef struct library {
  void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k,
                float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                float *c, int ldc);
  void (*sgemv)(int order, int transpose, int m, int n, float alpha, const float *a,
                int lda, const float *x, int stride_x, float beta, float *y,
                int stride_y);
  void (*set_num_threads)(int threads);
  int (*get_num_threads)(void);
  char *(*get_corename)(void);
  char gemm_name[48], gemv_name[48];
  int complete;
} library;

static library blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no cast from an object's to a function's address; POSIX promises the bytes.
 */
static int bind(void *handle, void *function, const char *name) {
  void *address = dlsym(handle, name);
  memcpy(function, &address, sizeof address);
  return address != NULL;
}

static void load(void) {
  void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return; /* else it stays: its threads do not survive unloading */
  blas.complete = bind(handle, &blas.sgemm, "cblas_sgemm") &
                  bind(handle, &blas.sgemv, "cblas_sgemv") &
                  bind(handle, &blas.set_num_threads, "openblas_set_num_threads") &
                  bind(handle, &blas.get_num_threads, "openblas_get_num_threads") &
                  bind(handle, &blas.get_corename, "openblas_get_corename");
  if (!blas.complete) return;
  (void)snprintf(blas.gemm_name, sizeof blas.gemm_name, "openblas-sgemm-%.24s",
                 blas.get_corename());
  (void)snprintf(blas.gemv_name, sizeof blas.gemv_name, "openblas-sgemv-%.24s",
                 blas.get_corename());
}

static int usable(const char **why) {
  pthread_once(&once, load);
  *why = blas.complete ? "" : "libopenblas.so.0 (install libopenblas0-pthread)";
  return blas.complete;
}

struct systole_float_weights {
  int threads;
  int64_t n, k;
  float *b; /* K x N without gaps */
};

static void weights_free(systole_float_weights *weights) {
  if (weights == NULL) return;
  systole_release(weights->b);
  free(weights);
}

static systole_status prepare(systole_float_weights **out, systole_pool *pool,
                              int threads, int64_t n, int64_t k, const void *b) {
  (void)pool; /* it has threads of its own */
  *out = NULL;
  if (n > INT32_MAX || k > INT32_MAX) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "OpenBLAS counts up to %d, and B is %lld x %lld", INT32_MAX,
                        (long long)k, (long long)n);
  }
  systole_float_weights *weights = calloc(1, sizeof *weights);
  if (weights == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for prepared weights");
  }
  weights->threads = threads;
  weights->n = n;
  weights->k = k;
  const systole_status status = systole_allocate(
      (void **)&weights->b, (uint64_t)n * (uint64_t)k, sizeof *weights->b, "weights");
  if (status != SYSTOLE_OK) {
    weights_free(weights);
    return status;
  }
  memcpy(weights->b, b, (size_t)n * (size_t)k * sizeof *weights->b);
  *out = weights;
  return SYSTOLE_OK;
}

static systole_status gemm(systole_float_weights *weights, int64_t m, const void *a,
                           int64_t lda, float *c, int64_t ldc, const char **name,
                           double *prepare_s) {
  (void)prepare_s;
  if (m > INT32_MAX || lda > INT32_MAX || ldc > INT32_MAX) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED, "OpenBLAS counts up to %d", INT32_MAX);
  }
  const int n = (int)weights->n, k = (int)weights->k;
  const int before = blas.get_num_threads();
  blas.set_num_threads(systole_float_threads(weights->threads, m, n, k));
  if (m == 1) { /* its sgemm packs all of B for a single row */
    *name = blas.gemv_name;
    blas.sgemv(RowMajor, Transpose, k, n, 1.0F, weights->b, n, a, 1, 0.0F, c, 1);
  } else {
    *name = blas.gemm_name;
    blas.sgemm(RowMajor, NoTranspose, NoTranspose, (int)m, n, k, 1.0F, a, (int)lda,
               weights->b, n, 0.0F, c, (int)ldc);
  }
  blas.set_num_threads(before);
  return SYSTOLE_OK;
}

const systole_float_kernel systole_float_openblas = {.name = "openblas",
                                                     .format = SYSTOLE_FORMAT_F32,
                                                     .usable = usable,
                                                     .prepare = prepare,
                                                     .weights_free = weights_free,
                                                     .gemm = gemm};
