/* The seam inside the CPU's float engine: one library's way to compute a product. Floats
 * are never computed by own kernels: decades went into the libraries. */
#ifndef SYSTOLE_CPU_FLOAT_KERNEL_H
#define SYSTOLE_CPU_FLOAT_KERNEL_H

#include <stdint.h>

#include "pool.h"
#include "systole/systole.h"

typedef struct systole_float_kernel systole_float_kernel;
typedef struct systole_float_weights systole_float_weights;

struct systole_float_kernel {
  const char *name; /* behind "cpu-f32:" */
  systole_format format;

  /* 1 if this CPU and this build can run it; else 0 and *why, a static sentence that
   * follows "it needs". */
  int (*usable)(const char **why);

  /* b: K x N without gaps, float for F32, uint16_t for BF16. n, k >= 1. The pool has
   * `threads` threads and outlives the weights; NULL with one. */
  systole_status (*prepare)(systole_float_weights **out, systole_pool *pool, int threads,
                            int64_t n, int64_t k, const void *b);
  void (*weights_free)(systole_float_weights *weights);

  /* m >= 1; a in the format, rows lda elements apart. *name is what computed, static
   * storage; *prepare_s grows by the seconds spent once for this m. */
  systole_status (*gemm)(systole_float_weights *weights, int64_t m, const void *a,
                         int64_t lda, float *c, int64_t ldc, const char **name,
                         double *prepare_s);
};

extern const systole_float_kernel systole_float_onednn;
extern const systole_float_kernel systole_float_onednn_bf16;
extern const systole_float_kernel systole_float_openblas;

/* Threads of a product: fewer MACs than 2^20 for each are done before another has woken
 * up, as for int8. */
int systole_float_threads(int threads, int64_t m, int64_t n, int64_t k);

/* Every kernel known to this source, best first, built or not. */
const systole_float_kernel *const *systole_float_kernels(int *count);

/* The first usable one of a format that passes its self-test, or NULL and *why. `name` is
 * NULL, or that of the only one to look at. */
const systole_float_kernel *systole_float_kernel_choose(systole_format format,
                                                        const char *name,
                                                        const char **why);

/* 1 if a product of small integers is exact, single products are rounded as the format
 * says (which tells formats apart), and a long sum is within systole_format_bound. */
int systole_float_selftest(const systole_float_kernel *kernel, const char **why);

/* GFLOP/s of the widest multiply-add of this CPU in that format on registers alone, as
 * systole_cpu_peak_gops; 0 when there is no loop for it. */
double systole_float_peak(systole_format format, int threads, const char **instruction);

#endif
