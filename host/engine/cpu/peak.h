/* What the CPU could do at most: its dot-product instruction on registers only. */
#ifndef SYSTOLE_CPU_PEAK_H
#define SYSTOLE_CPU_PEAK_H

#include "tile.h"

/* GOP/s of `tile`'s instruction on `threads` threads at once: each thread's best of
 * several slices of its own CPU time, added up, so that what other processes take does
 * not count. Clock x width would be wrong: wide vectors lower the clock. About 0.1 s. 0
 * without a loop. */
double systole_cpu_peak_gops(const systole_cpu_tile *tile, int threads);

/* The same of any loop that returns the MACs that it did. */
typedef double systole_cpu_loop(int64_t loops);
double systole_cpu_loop_gops(systole_cpu_loop *loop, int threads);

#endif
