/* Random products as command streams: what the library's planner and scheduler make of
 * any size, with every way to cut it. */
#ifndef SYSTOLE_TESTS_COSIM_GEMMS_H
#define SYSTOLE_TESTS_COSIM_GEMMS_H

#include "stream.h"

typedef struct gemm_product {
  int64_t m, n, k;
  int int8_results, bias;
  /* 0: as the planner likes it for `memory`; else a choice of strips, drawn from the
   * seed, which may roll chunks of A (systole_plan_choice). */
  uint64_t choice;
} gemm_product;

/* The program of a product for kernels of this geometry, with random operands. `memory`:
 * preset for which the planner chooses. Free with stream_free. Aborts when there is no
 * such program. */
stream gemm_stream(const systole_geometry *geometry, const gemm_product *product,
                   const char *memory, uint64_t seed);

/* The product of a seed: one dimension or another is small, odd, or a multiple of Dim;
 * about 300 to 1000 tiles at most. */
gemm_product gemm_draw(const systole_geometry *geometry, uint64_t seed);

#endif
