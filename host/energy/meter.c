#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sampler.h"
#include "support/clock.h"
#include "support/error.h"

/* Best first; the last one always opens. */
static const systole_sampler_ops *const rows[] = {
    &systole_sampler_powercap, &systole_sampler_perf, &systole_sampler_model,
    &systole_sampler_card, /* alone, when a card is named */
};
enum { Rows = sizeof rows / sizeof rows[0], SentenceBytes = 1024 };

struct systole_energy_meter {
  systole_sampler *samplers[Rows]; /* NULL: not usable here */
  int first;                       /* the best usable one */
  int answered;                    /* which one gave the last answer */
  double wall_s, cpu_s;            /* at begin */
  char missing[Rows * SentenceBytes];
};

void systole_sampler_sleep_ms(int ms) {
  const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

systole_bounds systole_sampler_measured(double joules, const systole_sampler_span *span) {
  systole_bounds bounds = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (!(joules > 0) || span->wall_s < SYSTOLE_SAMPLER_SHORTEST_S) return bounds;
  const double uncertain =
      SYSTOLE_SAMPLER_ACCURACY + 2 * SYSTOLE_SAMPLER_STEP_S / span->wall_s;
  bounds.kind = SYSTOLE_KIND_MEASURED;
  bounds.low = joules * (1 - uncertain);
  bounds.nominal = joules;
  bounds.high = joules * (1 + uncertain);
  return bounds;
}

systole_status systole_energy_meter_open(systole_energy_meter **out,
                                         const systole_energy_meter_options *options) {
  *out = NULL;
  const systole_energy_meter_options initial = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  if (options == NULL) options = &initial;
  const char *root = options->root != NULL ? options->root : "";
  systole_energy_meter *meter = calloc(1, sizeof *meter);
  if (meter == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for the energy meter");
  }
  meter->first = -1;
  size_t used = 0;
  for (int i = 0; i < Rows; i++) {
    const int is_card = rows[i] == &systole_sampler_card;
    if (is_card != (options->card != NULL)) continue;
    if (options->model_only && !is_card && rows[i] != &systole_sampler_model) continue;
    char why[SentenceBytes] = "";
    rows[i]->open(&meter->samplers[i], root, options, why, sizeof why);
    if (meter->samplers[i] != NULL && meter->first < 0) meter->first = i;
    if (meter->first < 0) {
      const int length = snprintf(meter->missing + used, sizeof meter->missing - used,
                                  "%s%s", used > 0 ? "; " : "", why);
      if (length > 0) used += (size_t)length;
      if (used >= sizeof meter->missing) used = sizeof meter->missing - 1;
    }
  }
  if (meter->first < 0 && options->card != NULL) {
    systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", meter->missing);
    systole_energy_meter_close(meter);
    return SYSTOLE_ERR_NOT_FOUND;
  }
  if (meter->first < 0) {
    systole_energy_meter_close(meter);
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for the energy meter");
  }
  meter->answered = meter->first;
  *out = meter;
  return SYSTOLE_OK;
}

void systole_energy_meter_close(systole_energy_meter *meter) {
  if (meter == NULL) return;
  for (int i = 0; i < Rows; i++) {
    if (meter->samplers[i] != NULL) rows[i]->close(meter->samplers[i]);
  }
  free(meter);
}

void systole_energy_meter_begin(systole_energy_meter *meter) {
  for (int i = 0; i < Rows; i++) {
    if (meter->samplers[i] != NULL) rows[i]->begin(meter->samplers[i]);
  }
  meter->cpu_s = systole_cpu_seconds();
  meter->wall_s = systole_wall_seconds();
}

void systole_energy_meter_poll(systole_energy_meter *meter) {
  for (int i = 0; i < Rows; i++) {
    if (meter->samplers[i] != NULL && rows[i]->poll != NULL)
      rows[i]->poll(meter->samplers[i]);
  }
}

void systole_energy_meter_end(systole_energy_meter *meter, systole_bounds *power_w,
                              systole_bounds *energy_j) {
  const systole_sampler_span span = {systole_wall_seconds() - meter->wall_s,
                                     systole_cpu_seconds() - meter->cpu_s};
  systole_bounds energy = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  for (int i = 0; i < Rows && energy.kind == SYSTOLE_KIND_UNKNOWN; i++) {
    if (meter->samplers[i] == NULL) continue;
    rows[i]->end(meter->samplers[i], &span, &energy);
    if (energy.kind != SYSTOLE_KIND_UNKNOWN) meter->answered = i;
  }
  systole_bounds power = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (energy.kind != SYSTOLE_KIND_UNKNOWN && span.wall_s > 0) {
    power = (systole_bounds){energy.kind, energy.low / span.wall_s,
                             energy.nominal / span.wall_s, energy.high / span.wall_s};
  }
  if (power_w != NULL) *power_w = power;
  if (energy_j != NULL) *energy_j = energy;
}

const char *systole_energy_meter_source(const systole_energy_meter *meter) {
  return rows[meter->answered]->source(meter->samplers[meter->answered]);
}

const char *systole_energy_meter_missing(const systole_energy_meter *meter) {
  return meter->missing;
}
