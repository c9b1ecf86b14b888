/* The seam inside the CPU engine: one way to compute a product. Own tiles are one row
 * each (blocked.h), oneDNN has two (onednn.h). A kernel is used only after it has passed
 * the self-test of selftest.h on the machine that it runs on. */
#ifndef SYSTOLE_CPU_KERNEL_H
#define SYSTOLE_CPU_KERNEL_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_cpu_kernel systole_cpu_kernel;
typedef struct systole_cpu_room systole_cpu_room;       /* scratch of a handle */
typedef struct systole_cpu_weights systole_cpu_weights; /* B in the kernel's form */

struct systole_cpu_kernel {
  const char *name; /* stands in stats->kernel and after "cpu:" */

  /* 1 if this CPU and this build can run it; else 0 and *why, a static sentence. */
  int (*usable)(const systole_cpu_kernel *kernel, const char **why);

  systole_status (*room_create)(systole_cpu_room **out, const systole_cpu_kernel *kernel,
                                int threads);
  void (*room_free)(systole_cpu_room *room);

  systole_status (*prepare)(systole_cpu_weights **out, systole_cpu_room *room, int64_t n,
                            int64_t k, const int8_t *b, int64_t ldb,
                            const systole_epilogue *epilogue);
  void (*weights_free)(systole_cpu_weights *weights);

  /* As in engine.h; m, n, k >= 0. */
  systole_status (*gemm)(const systole_cpu_weights *weights, systole_cpu_room *room,
                         int64_t m, const int8_t *a, int64_t lda, void *c, int64_t ldc);

  const struct systole_cpu_tile *tile; /* of own kernels; NULL for oneDNN */
};

/* Every kernel known to this source, best first, built or not. The order is by
 * measurement (docs/cpu.md), so that the same machine always computes in the same way. */
const systole_cpu_kernel *const *systole_cpu_kernels(int *count);

/* By name; NULL when there is none. */
const systole_cpu_kernel *systole_cpu_kernel_find(const char *name);

/* The first kernel that is usable and passes its self-test. The last is plain C, so that
 * there is one always; NULL and a sentence only if memory runs out. */
const systole_cpu_kernel *systole_cpu_kernel_best(void);

/* 1 if the kernel computes what integers say: the largest and the oddest sums of 4096
 * products, shapes with edges, sums taken up again after a block of k, the epilogue. A
 * few milliseconds. Otherwise 0, and *why as in usable. */
int systole_cpu_selftest(const systole_cpu_kernel *kernel, const char **why);

#endif
