/* What the CPU's float units do at most: multiply-adds on registers alone, timed by each
 * thread's own CPU time as in peak.c. */
#include "float_kernel.h"
#include "peak.h"
#include "x86.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Sums that fit beside two operands; each must be independent, for a multiply-add takes
 * four cycles and two start in each. */
#define FLOAT_LOOP(NAME, TARGET, VECTOR, ZERO, COUNT, INSTRUCTION, MACS)             \
  static __attribute__((target(TARGET))) double NAME(int64_t loops) {                \
    VECTOR sum[COUNT];                                                               \
    VECTOR a = ZERO;                                                                 \
    VECTOR b = ZERO;                                                                 \
    _Pragma("GCC unroll 32") for (int i = 0; i < (COUNT); i++) {                     \
      sum[i] = ZERO;                                                                 \
      __asm__ volatile("" : "+v"(sum[i]));                                           \
    }                                                                                \
    __asm__ volatile("" : "+v"(a), "+v"(b));                                         \
    for (int64_t n = 0; n < loops; n++) {                                            \
      _Pragma("GCC unroll 32") for (int i = 0; i < (COUNT); i++) {                   \
        __asm__ volatile(INSTRUCTION " %2, %1, %0" : "+v"(sum[i]) : "v"(a), "v"(b)); \
      }                                                                              \
    }                                                                                \
    _Pragma("GCC unroll 32") for (int i = 0; i < (COUNT); i++) {                     \
      __asm__ volatile("" : : "v"(sum[i]));                                          \
    }                                                                                \
    return (double)loops * (COUNT) * (MACS);                                         \
  }

FLOAT_LOOP(fma_zmm, "avx512f", __m512, _mm512_setzero_ps(), 28, "vfmadd231ps", 16)
FLOAT_LOOP(fma_ymm, "avx2,fma", __m256, _mm256_setzero_ps(), 12, "vfmadd231ps", 8)
#if SYSTOLE_X86_AVX512_BF16
FLOAT_LOOP(bf16_zmm, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), 28, "vdpbf16ps",
           32)
#endif
#endif

double systole_float_peak(systole_format format, int threads, const char **instruction) {
  *instruction = "";
#if defined(__x86_64__)
  double (*loop)(int64_t loops) = NULL;
  if (format == SYSTOLE_FORMAT_F32) {
    if (__builtin_cpu_supports("avx512f")) {
      loop = fma_zmm;
      *instruction = "vfmadd231ps zmm";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      loop = fma_ymm;
      *instruction = "vfmadd231ps ymm";
    }
  }
#if SYSTOLE_X86_AVX512_BF16
  if (format == SYSTOLE_FORMAT_BF16 && __builtin_cpu_supports("avx512bf16")) {
    loop = bf16_zmm;
    *instruction = "vdpbf16ps zmm";
  }
#endif
  if (loop != NULL) return systole_cpu_loop_gops(loop, threads);
#else
  (void)format;
  (void)threads;
#endif
  return 0;
}
