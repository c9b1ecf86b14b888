/* What a card draws at rest and at work. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "energy/card_power.h"
#include "support/clock.h"
#include "support/error.h"

static void rest(double seconds, int (*asked_to_stop)(void *user), void *user,
                 int *stopped) {
  const double until = systole_wall_seconds() + seconds;
  const struct timespec step = {0, 50 * 1000000L};
  while (!*stopped && systole_wall_seconds() < until) {
    nanosleep(&step, NULL);
    *stopped = asked_to_stop != NULL && asked_to_stop(user);
  }
}

static systole_status known(const systole_card_span *span, const char *when) {
  if (span->power_w.kind == SYSTOLE_KIND_MEASURED) return SYSTOLE_OK;
  return systole_fail(SYSTOLE_ERR_DEVICE, "no power could be measured %s: %s", when,
                      span->why);
}

systole_status systole_power_measure(systole_power_report *out, const char *card,
                                     double seconds, systole_status (*work)(void *user),
                                     int (*asked_to_stop)(void *user), void *user) {
  systole_card_power *power = NULL;
  systole_card_span idle, busy;
  int stopped = 0;
  if (out == NULL || work == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "measuring power needs a report and work to be done");
  }
  memset(out, 0, sizeof *out);
  if (!(seconds >= SYSTOLE_POWER_SHORTEST_S && seconds <= 86400)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%g s of measuring power were asked for; the card's sensors tell a "
        "new value once a second, so take %g s to a day",
        seconds, SYSTOLE_POWER_SHORTEST_S);
  }
  systole_status status =
      systole_card_power_open(&power, getenv("SYSTOLE_ROOT"), card, 0);
  if (status == SYSTOLE_OK) status = systole_card_power_begin(power);
  if (status == SYSTOLE_OK) {
    rest(seconds, asked_to_stop, user, &stopped);
    systole_card_power_end(power, &idle);
    status = stopped ? SYSTOLE_OK : known(&idle, "at rest");
  }
  if (status == SYSTOLE_OK && !stopped) status = systole_card_power_begin(power);
  if (status == SYSTOLE_OK && !stopped) {
    const double until = systole_wall_seconds() + seconds;
    do {
      status = work(user);
      out->runs++;
      stopped = asked_to_stop != NULL && asked_to_stop(user);
    } while (status == SYSTOLE_OK && !stopped && systole_wall_seconds() < until);
    systole_card_power_end(power, &busy);
    if (status == SYSTOLE_OK && !stopped) status = known(&busy, "at work");
  }
  if (status == SYSTOLE_OK && stopped) {
    status = systole_fail(SYSTOLE_ERR_INTERRUPTED, "interrupted while measuring power");
  }
  if (status == SYSTOLE_OK) {
    systole_bounds joules;
    const double share = 1.0 / (double)out->runs;
    (void)snprintf(out->source, sizeof out->source, "%s",
                   systole_card_power_source(power));
    out->idle_s = idle.wall_s;
    out->busy_s = busy.wall_s;
    out->samples = busy.samples;
    out->idle_w = idle.power_w;
    out->power_w = busy.power_w;
    systole_card_power_incremental(&busy, &idle, &out->incremental_w, &joules);
    out->energy_j =
        (systole_bounds){busy.energy_j.kind, busy.energy_j.low * share,
                         busy.energy_j.nominal * share, busy.energy_j.high * share};
    out->incremental_j = (systole_bounds){joules.kind, joules.low * share,
                                          joules.nominal * share, joules.high * share};
    out->has_temperature = busy.has_temperature;
    out->temperature_c = busy.temperature_c;
  } else {
    memset(out, 0, sizeof *out);
  }
  systole_card_power_close(power);
  return status;
}
