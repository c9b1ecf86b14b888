#define _POSIX_C_SOURCE 200809L
#include "peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "pool.h"

static double thread_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double thread_peak(systole_cpu_loop *loop) {
  /* Loops that fill about 5 ms: long against the clock's resolution, short against a time
   * slice. The doubling also warms the clock up. */
  int64_t loops = 1024;
  double seconds = 0;
  do {
    loops *= 2;
    const double start = thread_seconds();
    (void)loop(loops);
    seconds = thread_seconds() - start;
  } while (seconds < 0.005);
  double best = 0;
  for (int slice = 0; slice < 14; slice++) {
    const double start = thread_seconds();
    const double macs = loop(loops);
    seconds = thread_seconds() - start;
    const double gops = 2e-9 * macs / seconds;
    if (gops > best) best = gops;
  }
  return best;
}

typedef struct measurement {
  systole_cpu_loop *loop;
  double *gops; /* of each task */
} measurement;

static void measure(void *user, int64_t task, int thread) {
  (void)thread;
  const measurement *m = user;
  m->gops[task] = thread_peak(m->loop);
}

double systole_cpu_loop_gops(systole_cpu_loop *loop, int threads) {
  double sum = 0;
  systole_pool *pool = NULL;
  double *gops = calloc((size_t)threads, sizeof *gops);
  if (gops != NULL && systole_pool_create(&pool, threads) == SYSTOLE_OK) {
    measurement m = {loop, gops};
    systole_pool_run(pool, threads, threads, measure, &m);
    for (int i = 0; i < threads; i++) sum += gops[i];
  }
  systole_pool_free(pool);
  free(gops);
  return sum;
}

double systole_cpu_peak_gops(const systole_cpu_tile *tile, int threads) {
  if (tile == NULL || tile->peak == NULL) return 0;
  return systole_cpu_loop_gops(tile->peak, threads);
}
