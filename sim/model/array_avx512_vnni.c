/* The array's rows by AVX512-VNNI: a register holds 16 columns of an accumulator row, and
 * one instruction adds four products to each. Twelve rows share a load of weights, which
 * leaves registers for the weights and hides the instruction's latency. */
#include "array.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <string.h>

enum { Columns = 16, Together = 12 };

int systole_model_has_avx512_vnni(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vnni");
}

#define SYSTOLE_TARGET __attribute__((target("avx512f,avx512bw,avx512vnni")))

/* `count` rows of one column block; count and, where it matters, dim are constants after
 * inlining. `row` is the first row's distance from a step's start, in rows. */
static inline __attribute__((always_inline)) SYSTOLE_TARGET void some_rows(
    const systole_model_rows *rows, const systole_model_packed *packed, int32_t *acc,
    int block, int64_t row, int64_t pitch, int dim, int count) {
  const __mmask16 lanes =
      dim < Columns ? (__mmask16)((1u << dim) - 1) : (__mmask16)0xFFFF;
  const __m512i turn =
      _mm512_slli_epi32(_mm512_loadu_si512(packed->column_sums + block * Columns), 7);
  __m512i sum[Together];
#pragma GCC unroll 12
  for (int r = 0; r < count; r++) {
    const __m512i before = rows->overwrite
                               ? _mm512_setzero_si512()
                               : _mm512_maskz_loadu_epi32(lanes, acc + r * (int64_t)dim);
    sum[r] = _mm512_sub_epi32(before, turn);
  }
  const int8_t *step_weights = packed->weights + (int64_t)block * dim * Columns;
  for (int64_t s = 0; s < packed->steps; s++, step_weights += packed->step_bytes) {
    const uint8_t *a = rows->ub + (rows->starts[s] + row) * dim;
    const int8_t *w = step_weights;
    for (int q = 0; q < dim / 4; q++, a += 4, w += 64) {
      const __m512i weights = _mm512_load_si512(w);
#pragma GCC unroll 12
      for (int r = 0; r < count; r++) {
        int32_t four;
        memcpy(&four, a + r * pitch, sizeof four);
        sum[r] = _mm512_dpbusd_epi32(sum[r], _mm512_set1_epi32(four), weights);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < count; r++) {
    _mm512_mask_storeu_epi32(acc + r * (int64_t)dim, lanes, sum[r]);
  }
}

/* One turn of the inner row loop. */
static inline __attribute__((always_inline)) SYSTOLE_TARGET void line(
    const systole_model_rows *rows, const systole_model_packed *packed, int64_t i1,
    int64_t pitch, int dim) {
  for (int block = 0; block < packed->blocks; block++) {
    int32_t *acc = rows->acc + i1 * rows->rows0 * dim + block * Columns;
    int64_t row = i1 * rows->stride1, left = rows->rows0;
    for (; left >= Together; left -= Together) {
      some_rows(rows, packed, acc, block, row, pitch, dim, Together);
      acc += (int64_t)Together * dim;
      row += Together * rows->stride0;
    }
    for (; left >= 4; left -= 4) {
      some_rows(rows, packed, acc, block, row, pitch, dim, 4);
      acc += (int64_t)4 * dim;
      row += 4 * rows->stride0;
    }
    for (; left > 0; left--) {
      some_rows(rows, packed, acc, block, row, pitch, dim, 1);
      acc += dim;
      row += rows->stride0;
    }
  }
}

SYSTOLE_TARGET void systole_model_kernel_avx512_vnni(const systole_model_rows *rows,
                                                     const systole_model_packed *packed) {
  for (int64_t i1 = 0; i1 < rows->rows1; i1++) {
    if (rows->dim == 16 && rows->stride0 == 1) {
      line(rows, packed, i1, 16, 16);
    } else {
      line(rows, packed, i1, rows->stride0 * rows->dim, rows->dim);
    }
  }
}

#else

int systole_model_has_avx512_vnni(void) { return 0; }
void systole_model_kernel_avx512_vnni(const systole_model_rows *rows,
                                      const systole_model_packed *packed) {
  systole_model_kernel_plain(rows, packed);
}

#endif
