#define _POSIX_C_SOURCE 200809L

#include "support/clock.h"

#include <time.h>

static double read_clock(clockid_t clock) {
  struct timespec now = {0, 0};
  (void)clock_gettime(clock, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double systole_wall_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

double systole_cpu_seconds(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }
