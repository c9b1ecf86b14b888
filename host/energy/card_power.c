#define _POSIX_C_SOURCE 200809L
#include "card_power.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "card_sensors.h"
#include "support/clock.h"
#include "support/error.h"

enum { kFewestSamples = 3 };

/* Accuracy of the card's current sensors, a share of the reading: estimate; the INA3221
 * and its like on such cards are within 1 %, their shunts and the 12 V rails' conversion
 * add to it. */
#define ACCURACY 0.05

struct systole_card_power {
  systole_card_sensors sensors;
  int period_ms;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  int running; /* the thread is there */
  int stop;
  /* Under the lock. */
  int samples, unread;
  double began, last_at, last_w, joules, highest_c;
  int has_temperature;
};

/* One look; the power between two looks is taken for their mean. */
static void look(systole_card_power *power) {
  systole_card_reading reading;
  systole_card_sensors_read(&power->sensors, &reading);
  const double at = systole_wall_seconds();
  if (!reading.has_power) {
    power->unread++;
  } else {
    if (power->samples > 0) {
      power->joules += 0.5 * (power->last_w + reading.power_w) * (at - power->last_at);
    }
    power->samples++;
    power->last_w = reading.power_w;
    power->last_at = at;
  }
  if (reading.has_temperature &&
      (!power->has_temperature || reading.temperature_c > power->highest_c)) {
    power->has_temperature = 1;
    power->highest_c = reading.temperature_c;
  }
}

static void *sample(void *argument) {
  systole_card_power *power = argument;
  struct timespec until;
  pthread_mutex_lock(&power->lock);
  clock_gettime(CLOCK_MONOTONIC, &until);
  while (!power->stop) {
    until.tv_nsec += (long)(power->period_ms % 1000) * 1000000L;
    until.tv_sec += power->period_ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int woken = 0;
    while (!power->stop && woken != ETIMEDOUT) {
      woken = pthread_cond_timedwait(&power->wake, &power->lock, &until);
    }
    if (!power->stop) look(power);
  }
  pthread_mutex_unlock(&power->lock);
  return NULL;
}

static void stop(systole_card_power *power) {
  if (!power->running) return;
  pthread_mutex_lock(&power->lock);
  power->stop = 1;
  pthread_cond_signal(&power->wake);
  pthread_mutex_unlock(&power->lock);
  pthread_join(power->thread, NULL);
  power->running = 0;
}

systole_status systole_card_power_open(systole_card_power **out, const char *root,
                                       const char *bdf, int period_ms) {
  char why[512];
  pthread_condattr_t attributes;
  *out = NULL;
  systole_card_power *power = calloc(1, sizeof *power);
  if (power == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for a card's sensors");
  }
  if (!systole_card_sensors_find(&power->sensors, root != NULL ? root : "", bdf, why,
                                 sizeof why)) {
    free(power);
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", why);
  }
  power->period_ms = period_ms > 0 ? period_ms : SYSTOLE_CARD_PERIOD_MS;
  pthread_mutex_init(&power->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&power->wake, &attributes);
  pthread_condattr_destroy(&attributes);
  *out = power;
  return SYSTOLE_OK;
}

void systole_card_power_close(systole_card_power *power) {
  if (power == NULL) return;
  stop(power);
  pthread_cond_destroy(&power->wake);
  pthread_mutex_destroy(&power->lock);
  free(power);
}

systole_status systole_card_power_begin(systole_card_power *power) {
  stop(power);
  power->stop = power->samples = power->unread = power->has_temperature = 0;
  power->joules = 0;
  power->began = systole_wall_seconds();
  look(power);
  if (pthread_create(&power->thread, NULL, sample, power) != 0) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no thread can be started to read the card's sensors");
  }
  power->running = 1;
  return SYSTOLE_OK;
}

void systole_card_power_end(systole_card_power *power, systole_card_span *out) {
  stop(power);
  look(power);
  memset(out, 0, sizeof *out);
  out->wall_s = systole_wall_seconds() - power->began;
  out->samples = power->samples;
  out->has_temperature = power->has_temperature;
  out->temperature_c = power->has_temperature ? power->highest_c : 0;
  if (power->unread > 0) {
    (void)snprintf(out->why, sizeof out->why,
                   "the card's sensors could not be read %d of %d times (%.64s)",
                   power->unread, power->unread + power->samples, power->sensors.source);
  } else if (power->samples < kFewestSamples) {
    (void)snprintf(out->why, sizeof out->why,
                   "%d samples in %.1f s are too few; the driver looks every %.1f s",
                   power->samples, out->wall_s, 1e-3 * power->period_ms);
  } else {
    /* Either end is uncertain by one step of the driver's cache. */
    const double uncertain = ACCURACY + 2e-3 * power->period_ms / out->wall_s;
    const double joules = power->joules;
    out->energy_j = (systole_bounds){SYSTOLE_KIND_MEASURED, joules * (1 - uncertain),
                                     joules, joules * (1 + uncertain)};
    out->power_w =
        (systole_bounds){SYSTOLE_KIND_MEASURED, out->energy_j.low / out->wall_s,
                         joules / out->wall_s, out->energy_j.high / out->wall_s};
  }
}

void systole_card_power_incremental(const systole_card_span *busy,
                                    const systole_card_span *idle,
                                    systole_bounds *power_w, systole_bounds *energy_j) {
  memset(power_w, 0, sizeof *power_w);
  memset(energy_j, 0, sizeof *energy_j);
  if (busy->power_w.kind != SYSTOLE_KIND_MEASURED ||
      idle->power_w.kind != SYSTOLE_KIND_MEASURED) {
    return;
  }
  const systole_bounds *b = &busy->power_w, *i = &idle->power_w;
  *power_w = (systole_bounds){SYSTOLE_KIND_MEASURED, b->low - i->high,
                              b->nominal - i->nominal, b->high - i->low};
  *energy_j =
      (systole_bounds){SYSTOLE_KIND_MEASURED, power_w->low * busy->wall_s,
                       power_w->nominal * busy->wall_s, power_w->high * busy->wall_s};
}

const char *systole_card_power_source(const systole_card_power *power) {
  return power->sensors.source;
}
