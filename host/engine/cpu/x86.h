/* Which vector kernels this compiler can build. Whether the CPU can run them is asked at
 * run time. */
#ifndef SYSTOLE_CPU_X86_H
#define SYSTOLE_CPU_X86_H

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define SYSTOLE_X86 1
#define SYSTOLE_X86_AVX512_VNNI 1
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define SYSTOLE_X86_AVX_VNNI 1
#define SYSTOLE_X86_AVX512_BF16 1
#endif
#endif

#ifndef SYSTOLE_X86
#define SYSTOLE_X86 0
#endif
#ifndef SYSTOLE_X86_AVX512_VNNI
#define SYSTOLE_X86_AVX512_VNNI 0
#endif
#ifndef SYSTOLE_X86_AVX_VNNI
#define SYSTOLE_X86_AVX_VNNI 0
#endif
#ifndef SYSTOLE_X86_AVX512_BF16
#define SYSTOLE_X86_AVX512_BF16 0
#endif

/* The table of a tile that cannot be compiled here: it can be named and never runs. */
#define SYSTOLE_TILE_ABSENT(table, title, with, condition) \
  static int supported(void) { return 0; }                 \
  const systole_cpu_tile table = {.name = (title),         \
                                  .instruction = (with),   \
                                  .needs = (condition),    \
                                  .rows = 1,               \
                                  .columns = 1,            \
                                  .group = 4,              \
                                  .supported = supported};

#endif
