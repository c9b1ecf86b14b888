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
  const __mmask16 lanes = (__mmask16)(dim < Columns ? (1u << dim) - 1 : 0xFFFFu);
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

static SYSTOLE_TARGET void run(const systole_model_rows *rows,
                               const systole_model_packed *packed) {
  for (int64_t i1 = 0; i1 < rows->rows1; i1++) {
    /* Distances that the compiler knows need no registers. */
    if (rows->stride0 == 1 && rows->dim == 16) {
      line(rows, packed, i1, 16, 16);
    } else if (rows->stride0 == 1 && rows->dim == 32) {
      line(rows, packed, i1, 32, 32);
    } else if (rows->stride0 == 1 && rows->dim == 64) {
      line(rows, packed, i1, 64, 64);
    } else if (rows->stride0 == 1 && rows->dim == 128) {
      line(rows, packed, i1, 128, 128);
    } else if (rows->stride0 == 1 && rows->dim == 256) {
      line(rows, packed, i1, 256, 256);
    } else {
      line(rows, packed, i1, rows->stride0 * rows->dim, rows->dim);
    }
  }
}

/* Four rows of 16 columns become 16 columns of four rows. */
static inline SYSTOLE_TARGET __m512i interleave(const int8_t *rows, int dim) {
  const __m128i r0 = _mm_loadu_si128((const void *)rows);
  const __m128i r1 = _mm_loadu_si128((const void *)(rows + dim));
  const __m128i r2 = _mm_loadu_si128((const void *)(rows + 2 * dim));
  const __m128i r3 = _mm_loadu_si128((const void *)(rows + 3 * dim));
  const __m128i low01 = _mm_unpacklo_epi8(r0, r1), high01 = _mm_unpackhi_epi8(r0, r1);
  const __m128i low23 = _mm_unpacklo_epi8(r2, r3), high23 = _mm_unpackhi_epi8(r2, r3);
  __m512i out = _mm512_castsi128_si512(_mm_unpacklo_epi16(low01, low23));
  out = _mm512_inserti32x4(out, _mm_unpackhi_epi16(low01, low23), 1);
  out = _mm512_inserti32x4(out, _mm_unpacklo_epi16(high01, high23), 2);
  return _mm512_inserti32x4(out, _mm_unpackhi_epi16(high01, high23), 3);
}

static SYSTOLE_TARGET void pack(int8_t *out, int32_t *sums, uint32_t *zeros,
                                const int8_t *tile, int dim) {
  if (dim < Columns) {
    systole_model_plain.pack(out, sums, zeros, tile, dim);
    return;
  }
  const __m512i ones = _mm512_set1_epi8(1);
  for (int block = 0; block < dim / Columns; block++) {
    __m512i sum = _mm512_loadu_si512(sums + block * Columns);
    for (int k = 0; k < dim; k += 4, out += 64) {
      const __m512i four = interleave(tile + k * dim + block * Columns, dim);
      _mm512_store_si512(out, four);
      sum = _mm512_dpbusd_epi32(sum, ones, four);
    }
    _mm512_storeu_si512(sums + block * Columns, sum);
  }
  for (int k = 0; k < dim; k++) {
    uint32_t zero = 0;
    for (int c = 0; c < dim; c += Columns) {
      const __m128i some = _mm_loadu_si128((const void *)(tile + k * dim + c));
      zero += (uint32_t)__builtin_popcount(
          (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(some, _mm_setzero_si128())));
    }
    zeros[k] = zero;
  }
}

const systole_model_kernel systole_model_avx512_vnni = {"model-avx512-vnni", pack, run};

#else

int systole_model_has_avx512_vnni(void) { return 0; }
const systole_model_kernel systole_model_avx512_vnni = {0};

#endif
