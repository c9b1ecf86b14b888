#define _POSIX_C_SOURCE 200809L
#include "peak.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "threads.h"

static double thread_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double thread_peak(const systole_cpu_tile *tile) {
  /* Loops that fill about 5 ms: long against the clock's resolution, short against a time
   * slice. The doubling also warms the clock up. */
  int64_t loops = 1024;
  double seconds = 0;
  do {
    loops *= 2;
    const double start = thread_seconds();
    (void)tile->peak(loops);
    seconds = thread_seconds() - start;
  } while (seconds < 0.005);
  double best = 0;
  for (int slice = 0; slice < 14; slice++) {
    const double start = thread_seconds();
    const double macs = tile->peak(loops);
    seconds = thread_seconds() - start;
    const double gops = 2e-9 * macs / seconds;
    if (gops > best) best = gops;
  }
  return best;
}

double systole_cpu_peak_gops(const systole_cpu_tile *tile, int threads) {
  if (tile == NULL || tile->peak == NULL) return 0;
  double sum = 0;
#if SYSTOLE_HAVE_OPENMP
#pragma omp parallel num_threads(threads) reduction(+ : sum)
  sum += thread_peak(tile);
#else
  (void)threads;
  sum = thread_peak(tile);
#endif
  return sum;
}
