/* Threads that share a number of tasks.
 *
 * Not OpenMP's, because a parallel loop of OpenMP ends only when every thread has come
 * by, even one that the system has not let run yet. Where cores are shared (a class
 * server, CI) that was a whole time slice per product: two threads took three times as
 * long as one. Here the caller does whatever nobody has begun, and waits only for tasks
 * that are under way.
 */
#ifndef SYSTOLE_CPU_POOL_H
#define SYSTOLE_CPU_POOL_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_pool systole_pool;

/* Called once per task, by any thread; `thread` is in 0 ... threads - 1 and no two calls
 * with the same number are under way at once. */
typedef void systole_pool_body(void *user, int64_t task, int thread);

/* `threads` includes the caller. With 1, nothing is started. */
systole_status systole_pool_create(systole_pool **out, int threads);
void systole_pool_free(systole_pool *pool);

/* Returns when all tasks are done. `threads` may be less than the pool has. One caller at
 * a time. */
void systole_pool_run(systole_pool *pool, int threads, int64_t tasks,
                      systole_pool_body *body, void *user);

/* CPUs that this process may run on, at least 1. */
int systole_pool_cpus(void);

#endif
