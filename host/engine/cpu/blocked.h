/* C = A B with the register tiles of tile.h: packing, cache blocking and threads, once
 * for all of them. */
#ifndef SYSTOLE_CPU_BLOCKED_H
#define SYSTOLE_CPU_BLOCKED_H

#include "kernel.h"
#include "tile.h"

extern const systole_cpu_kernel systole_kernel_avx512_vnni;
extern const systole_cpu_kernel systole_kernel_avx_vnni;
extern const systole_cpu_kernel systole_kernel_avx512_pmaddwd;
extern const systole_cpu_kernel systole_kernel_avx2_pmaddwd;
extern const systole_cpu_kernel systole_kernel_sse2_pmaddwd;
extern const systole_cpu_kernel systole_kernel_plain;

#endif
