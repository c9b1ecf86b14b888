#define _POSIX_C_SOURCE 200809L
#include "integrator.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/clock.h"

struct systole_integrator {
  systole_integrator_read read;
  void *user;
  int period_ms;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  int running; /* the thread is there */
  int stop;
  /* Under the lock. */
  systole_integral sum;
  double began, last_at, last_w;
};

static void look(systole_integrator *self) {
  double watts = 0;
  const int good = self->read(self->user, &watts);
  const double at = systole_wall_seconds();
  if (!good) {
    self->sum.unread++;
    return;
  }
  if (self->sum.samples > 0) {
    self->sum.joules += 0.5 * (self->last_w + watts) * (at - self->last_at);
  }
  self->sum.samples++;
  self->last_w = watts;
  self->last_at = at;
}

static void *sample(void *argument) {
  systole_integrator *self = argument;
  struct timespec until;
  pthread_mutex_lock(&self->lock);
  clock_gettime(CLOCK_MONOTONIC, &until);
  while (!self->stop) {
    until.tv_nsec += (long)(self->period_ms % 1000) * 1000000L;
    until.tv_sec += self->period_ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int woken = 0;
    while (!self->stop && woken != ETIMEDOUT) {
      woken = pthread_cond_timedwait(&self->wake, &self->lock, &until);
    }
    if (!self->stop) look(self);
  }
  pthread_mutex_unlock(&self->lock);
  return NULL;
}

static void stop(systole_integrator *self) {
  if (!self->running) return;
  pthread_mutex_lock(&self->lock);
  self->stop = 1;
  pthread_cond_signal(&self->wake);
  pthread_mutex_unlock(&self->lock);
  pthread_join(self->thread, NULL);
  self->running = 0;
}

systole_integrator *systole_integrator_open(systole_integrator_read read, void *user,
                                            int period_ms) {
  pthread_condattr_t attributes;
  systole_integrator *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  self->read = read;
  self->user = user;
  self->period_ms = period_ms > 0 ? period_ms : 1;
  pthread_mutex_init(&self->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&self->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  return self;
}

void systole_integrator_close(systole_integrator *self) {
  if (self == NULL) return;
  stop(self);
  pthread_cond_destroy(&self->wake);
  pthread_mutex_destroy(&self->lock);
  free(self);
}

int systole_integrator_begin(systole_integrator *self) {
  stop(self);
  self->stop = 0;
  memset(&self->sum, 0, sizeof self->sum);
  self->began = systole_wall_seconds();
  look(self);
  self->running = pthread_create(&self->thread, NULL, sample, self) == 0;
  return self->running;
}

void systole_integrator_end(systole_integrator *self, systole_integral *out) {
  stop(self);
  look(self);
  *out = self->sum;
  out->wall_s = systole_wall_seconds() - self->began;
}
