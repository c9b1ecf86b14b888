#define _GNU_SOURCE /* sched_getaffinity */
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

enum {
  /* Looks at a changing word before going to sleep, about 0.05 ms: long enough
   * for the next of many small products, short enough not to matter to others on the
   * machine. */
  Looks = 5000,
};

typedef struct worker {
  systole_pool *pool;
  pthread_t handle;
  int number;
} worker;

struct systole_pool {
  int threads;
  int started; /* workers that exist */
  worker *workers;

  pthread_mutex_t lock;
  pthread_cond_t wake; /* workers wait here for a job */
  pthread_cond_t idle; /* the caller waits here for tasks under way */

  /* Under the lock. */
  int open; /* workers may still join the job */
  int limit;
  int sleeping;
  systole_pool_body *body;
  void *user;
  int64_t tasks;

  atomic_uint job;   /* counts jobs, so that a worker sees a new one without the lock */
  atomic_int joined; /* workers in the job; changed under the lock, read without */
  atomic_int stop;   /* the pool is going */
  atomic_int_fast64_t next; /* task */
};

static void look_away(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void work(systole_pool *pool, systole_pool_body *body, void *user, int64_t tasks,
                 int thread) {
  for (;;) {
    const int64_t task = atomic_fetch_add(&pool->next, 1);
    if (task >= tasks) return;
    body(user, task, thread);
  }
}

/* Waits for a job after job `seen`; returns its number. */
static unsigned next_job(systole_pool *pool, unsigned seen) {
  for (int i = 0; i < Looks; i++) {
    if (atomic_load(&pool->job) != seen || atomic_load(&pool->stop)) {
      return atomic_load(&pool->job);
    }
    look_away();
  }
  pthread_mutex_lock(&pool->lock);
  pool->sleeping++;
  while (atomic_load(&pool->job) == seen && !atomic_load(&pool->stop)) {
    pthread_cond_wait(&pool->wake, &pool->lock);
  }
  pool->sleeping--;
  pthread_mutex_unlock(&pool->lock);
  return atomic_load(&pool->job);
}

static void *worker_main(void *argument) {
  const worker *self = argument;
  systole_pool *pool = self->pool;
  unsigned seen = 0;
  for (;;) {
    seen = next_job(pool, seen);
    if (atomic_load(&pool->stop)) return NULL;

    pthread_mutex_lock(&pool->lock);
    const int join = pool->open && self->number < pool->limit;
    systole_pool_body *body = pool->body;
    void *user = pool->user;
    const int64_t tasks = pool->tasks;
    if (join) atomic_fetch_add(&pool->joined, 1);
    pthread_mutex_unlock(&pool->lock);
    if (!join) continue;

    work(pool, body, user, tasks, self->number);
    pthread_mutex_lock(&pool->lock);
    if (atomic_fetch_sub(&pool->joined, 1) == 1) pthread_cond_signal(&pool->idle);
    pthread_mutex_unlock(&pool->lock);
  }
}

systole_status systole_pool_create(systole_pool **out, int threads) {
  *out = NULL;
  systole_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  pool->threads = threads;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->idle, NULL);
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  if (pool->workers == NULL) {
    systole_pool_free(pool);
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  }
  for (int i = 1; i < threads; i++) {
    worker *w = &pool->workers[i];
    w->pool = pool;
    w->number = i;
    const int error = pthread_create(&w->handle, NULL, worker_main, w);
    if (error != 0) {
      systole_pool_free(pool);
      return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                          "%d threads were asked for and this machine refused number %d "
                          "(%s); ask for fewer",
                          threads, i + 1, strerror(error));
    }
    pool->started = i;
  }
  *out = pool;
  return SYSTOLE_OK;
}

void systole_pool_free(systole_pool *pool) {
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->stop, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 1; i <= pool->started; i++) pthread_join(pool->workers[i].handle, NULL);
  pthread_cond_destroy(&pool->idle);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  free(pool->workers);
  free(pool);
}

void systole_pool_run(systole_pool *pool, int threads, int64_t tasks,
                      systole_pool_body *body, void *user) {
  if (threads > pool->threads) threads = pool->threads;
  if (threads <= 1 || tasks <= 1) {
    for (int64_t task = 0; task < tasks; task++) body(user, task, 0);
    return;
  }
  pthread_mutex_lock(&pool->lock);
  pool->body = body;
  pool->user = user;
  pool->tasks = tasks;
  pool->limit = threads;
  pool->open = 1;
  atomic_store(&pool->next, 0);
  atomic_fetch_add(&pool->job, 1);
  if (pool->sleeping > 0) pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);

  work(pool, body, user, tasks, 0);

  /* Nobody joins any more, so that once nobody is in, nobody will touch `user`. */
  pthread_mutex_lock(&pool->lock);
  pool->open = 0;
  pthread_mutex_unlock(&pool->lock);
  for (int i = 0; i < Looks && atomic_load(&pool->joined) > 0; i++) look_away();
  pthread_mutex_lock(&pool->lock);
  while (atomic_load(&pool->joined) > 0) pthread_cond_wait(&pool->idle, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

int systole_pool_cpus(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
    return CPU_COUNT(&set);
  }
  return 1;
}
