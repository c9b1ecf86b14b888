/* One size of product as cuBLASLt does it.
 *
 * cuBLASLt counts columns first, so a row-major C [M][N] is its N x M matrix, and
 *   C^T (N x M) = (B^T) (N x K)  x  A^T (K x M)
 * B is stored as [N][K], that is its K x N matrix, taken transposed; A [M][K] is its K x
 * M matrix, taken as it is: the form "TN", the only one in which int8 goes through tensor
 * cores (cuBLAS documentation, cublasLtMatmul), and one that the others allow, too.
 * Sizes are padded to multiples of 16 elements, with zeros. */
#ifndef SYSTOLE_CUDA_PLAN_H
#define SYSTOLE_CUDA_PLAN_H

#include "room.h"

enum { SystoleCudaPad = 16 };

typedef struct systole_cuda_plan {
  int64_t m, n, k; /* padded */
  uint64_t used;   /* for finding the one that waited longest */
  lt_matmul matmul;
  lt_layout a, b, c;
  lt_algorithm algorithm;
  size_t workspace_bytes;
} systole_cuda_plan;

static inline int64_t systole_cuda_padded(int64_t size) {
  return (size + SystoleCudaPad - 1) / SystoleCudaPad * SystoleCudaPad;
}

/* Looks for the fastest of cuBLASLt's own proposals by running each on what lies in the
 * three buffers. *out is zeroed by the caller, and is empty after a failure. */
systole_status systole_cuda_plan_make(systole_cuda_plan *out,
                                      const systole_cuda_room *room, int64_t m, int64_t n,
                                      int64_t k, cuda_address a, cuda_address b,
                                      cuda_address c);
void systole_cuda_plan_discard(systole_cuda_plan *plan, const systole_cuda_runtime *cuda);

/* Enqueues the product. */
systole_status systole_cuda_plan_run(const systole_cuda_plan *plan,
                                     const systole_cuda_room *room, cuda_address a,
                                     cuda_address b, cuda_address c);

#endif
