/* How fast this CPU reads memory: what a product of one row, which uses each weight once,
 * is bound by. */
#ifndef SYSTOLE_CPU_BANDWIDTH_H
#define SYSTOLE_CPU_BANDWIDTH_H

#include <stdint.h>

/* GB/s of a loop that only reads `bytes` again and again, on `threads` threads, each its
 * own part: memory of that size is read from whichever cache holds it, as the weights of
 * a product of that size are. More than 256 MiB, which no cache holds, are measured with
 * 256 MiB. Each thread's best of several passes by its own CPU time, added up. About
 * 0.02 s; 0 without memory. */
double systole_cpu_bandwidth_gbs(uint64_t bytes, int threads);

#endif
