#include "card_power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card_sensors.h"
#include "integrator.h"
#include "support/error.h"

enum { kFewestSamples = 3 };

/* Accuracy of the card's current sensors, a share of the reading: estimate; the INA3221
 * and its like on such cards are within 1 %, their shunts and the 12 V rails' conversion
 * add to it. */
#define ACCURACY 0.05

struct systole_card_power {
  systole_card_sensors sensors;
  systole_integrator *integrator;
  int period_ms;
  int has_temperature;
  double highest_c;
};

static int look(void *user, double *watts) {
  systole_card_power *power = user;
  systole_card_reading reading;
  systole_card_sensors_read(&power->sensors, &reading);
  *watts = reading.power_w;
  if (reading.has_temperature &&
      (!power->has_temperature || reading.temperature_c > power->highest_c)) {
    power->has_temperature = 1;
    power->highest_c = reading.temperature_c;
  }
  return reading.has_power;
}

systole_status systole_card_power_open(systole_card_power **out, const char *root,
                                       const char *bdf, int period_ms) {
  char why[512];
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
  power->integrator = systole_integrator_open(look, power, power->period_ms);
  if (power->integrator == NULL) {
    free(power);
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for a card's sensors");
  }
  *out = power;
  return SYSTOLE_OK;
}

void systole_card_power_close(systole_card_power *power) {
  if (power == NULL) return;
  systole_integrator_close(power->integrator);
  free(power);
}

systole_status systole_card_power_begin(systole_card_power *power) {
  power->has_temperature = 0;
  if (!systole_integrator_begin(power->integrator)) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no thread can be started to read the card's sensors");
  }
  return SYSTOLE_OK;
}

void systole_card_power_end(systole_card_power *power, systole_card_span *out) {
  systole_integral sum;
  systole_integrator_end(power->integrator, &sum);
  memset(out, 0, sizeof *out);
  out->wall_s = sum.wall_s;
  out->samples = sum.samples;
  out->has_temperature = power->has_temperature;
  out->temperature_c = power->has_temperature ? power->highest_c : 0;
  if (sum.unread > 0) {
    (void)snprintf(out->why, sizeof out->why,
                   "the card's sensors could not be read %d of %d times (%.64s)",
                   sum.unread, sum.unread + sum.samples, power->sensors.source);
  } else if (sum.samples < kFewestSamples) {
    (void)snprintf(out->why, sizeof out->why,
                   "%d samples in %.1f s are too few; the driver looks every %.1f s",
                   sum.samples, out->wall_s, 1e-3 * power->period_ms);
  } else {
    /* Either end is uncertain by one step of the driver's cache. */
    const double uncertain = ACCURACY + 2e-3 * power->period_ms / out->wall_s;
    const double joules = sum.joules;
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
