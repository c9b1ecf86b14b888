/* Threads of the CPU engine: OpenMP where the build has it (oneDNN's pool is the same),
 * else one. */
#ifndef SYSTOLE_CPU_THREADS_H
#define SYSTOLE_CPU_THREADS_H

#ifdef _OPENMP
#include <omp.h>
#define SYSTOLE_HAVE_OPENMP 1
#else
#define SYSTOLE_HAVE_OPENMP 0
#endif

/* CPUs that this process may run on; 1 without OpenMP. */
int systole_threads_available(void);

/* Index of the calling thread in a parallel region. */
static inline int systole_thread_index(void) {
#if SYSTOLE_HAVE_OPENMP
  return omp_get_thread_num();
#else
  return 0;
#endif
}

#endif
