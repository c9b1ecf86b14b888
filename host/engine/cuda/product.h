/* Products on an open GPU: weights that stay there, and rows that go there and back. */
#ifndef SYSTOLE_CUDA_PRODUCT_H
#define SYSTOLE_CUDA_PRODUCT_H

#include "plan.h"

enum { SystoleCudaPlans = 4 }; /* sizes of M that are kept */

typedef struct systole_cuda_weights {
  systole_cuda_room *room;
  int64_t n, k, n_padded, k_padded;
  cuda_address b; /* [n_padded][k_padded] in the room's format */
  systole_cuda_plan plans[SystoleCudaPlans];
  uint64_t uses;
} systole_cuda_weights;

/* b: int8_t[k][ldb] or, for float formats, float[k][ldb]. *out is zeroed by the caller;
 * free in every case. */
systole_status systole_cuda_weights_make(systole_cuda_weights *out,
                                         systole_cuda_room *room, int64_t n, int64_t k,
                                         const void *b, int64_t ldb);
void systole_cuda_weights_free(systole_cuda_weights *weights);

/* Takes over rows of sums, which lie ld apart: int32_t, or float of float formats. Not 0:
 * stop. */
typedef int systole_cuda_sink(void *user, int64_t first, int64_t rows, const void *sums,
                              int64_t ld);

/* Seconds, added up by a product. */
typedef struct systole_cuda_times {
  double transfer_s, compute_s; /* by the device's clock */
  double plan_s;                /* once for each M, by this machine's */
} systole_cuda_times;

/* m >= 1; a as b above. Rows go in slices that the buffers hold.
 * SYSTOLE_ERR_INTERRUPTED, without a sentence, when the sink asks to stop. */
systole_status systole_cuda_multiply(systole_cuda_weights *weights, int64_t m,
                                     const void *a, int64_t lda, systole_cuda_sink *sink,
                                     void *user, systole_cuda_times *times);

/* SYSTOLE_OK if the device computes what its format says: int8 sums as large and odd as
 * they get, exactly; integers in floats exactly; single products, by which formats are
 * told apart; long sums within systole_format_bound. SYSTOLE_ERR_DEVICE otherwise. */
systole_status systole_cuda_selftest(systole_cuda_room *room);

#endif
