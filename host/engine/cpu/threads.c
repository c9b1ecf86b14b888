#define _GNU_SOURCE /* sched_getaffinity */
#include "threads.h"

#include <sched.h>

int systole_threads_available(void) {
#if SYSTOLE_HAVE_OPENMP
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
    return CPU_COUNT(&set);
  }
  return omp_get_num_procs();
#else
  return 1;
#endif
}
