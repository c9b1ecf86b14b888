#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sampler.h"
#include "support/clock.h"
#include "support/error.h"

/* Best first. Whole machine last of what is measured: it is more than was asked for. */
static const systole_sampler_ops *const rows[] = {
    &systole_sampler_powercap, &systole_sampler_perf,      &systole_sampler_nvml,
    &systole_sampler_hwmon,    &systole_sampler_battery,   &systole_sampler_card,
    &systole_sampler_model,    &systole_sampler_gpu_model,
};
enum { Rows = sizeof rows / sizeof rows[0], SentenceBytes = 768 };

struct systole_energy_meter {
  systole_sampler *samplers[Rows]; /* NULL: not usable here */
  int first;                       /* the best usable one; -1: none */
  int answered;                    /* which one gave the last answer; -1: none */
  double wall_s, cpu_s;            /* at begin */
  char missing[Rows * SentenceBytes];
};

void systole_sampler_say(systole_sampler_reason *reason, int there, const char *remedy,
                         const char *format, ...) {
  va_list arguments;
  reason->there = there;
  (void)snprintf(reason->remedy, sizeof reason->remedy, "%s", remedy);
  va_start(arguments, format);
  (void)vsnprintf(reason->why, sizeof reason->why, format, arguments);
  va_end(arguments);
}

const char *systole_sampler_choice(const systole_energy_meter_options *options,
                                   const char *name) {
  const size_t length = strlen(name);
  if (options->source == NULL || options->source[0] == '\0') return "";
  if (strncmp(options->source, name, length) != 0) return NULL;
  if (options->source[length] == '\0') return "";
  return options->source[length] == ':' ? options->source + length + 1 : NULL;
}

void systole_sampler_sleep_ms(int ms) {
  const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000L};
  nanosleep(&time, NULL);
}

systole_bounds systole_sampler_measured(double joules, const systole_sampler_span *span,
                                        double step_s) {
  systole_bounds bounds = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
  if (!(joules > 0) || !(span->wall_s >= SYSTOLE_SAMPLER_STEPS * step_s)) return bounds;
  const double uncertain = SYSTOLE_SAMPLER_ACCURACY + 2 * step_s / span->wall_s;
  bounds.kind = SYSTOLE_KIND_MEASURED;
  bounds.low = joules * (1 - uncertain);
  bounds.nominal = joules;
  bounds.high = joules * (1 + uncertain);
  return bounds;
}

const char *systole_energy_root(const systole_energy_meter_options *options) {
  const char *root = options->root != NULL ? options->root : getenv("SYSTOLE_ROOT");
  return root != NULL ? root : "";
}

static int is_model(const systole_sampler_ops *row) {
  return strcmp(row->name, "model") == 0;
}

static int is_wanted(const systole_sampler_ops *row,
                     const systole_energy_meter_options *options) {
  if (is_model(row)) return (row->of & 1u << options->of) != 0;
  if (options->model_only) return 0;
  /* A source that is named answers whatever it belongs to: the user says that it does. */
  if (options->source != NULL && options->source[0] != '\0')
    return systole_sampler_choice(options, row->name) != NULL;
  return (row->of & 1u << options->of) != 0;
}

systole_status systole_energy_meter_open(systole_energy_meter **out,
                                         const systole_energy_meter_options *options) {
  *out = NULL;
  systole_energy_meter_options wanted = SYSTOLE_ENERGY_METER_OPTIONS_INIT;
  if (options != NULL) wanted = *options;
  if (wanted.card != NULL) wanted.of = SYSTOLE_ENERGY_OF_CARD;
  const char *root = systole_energy_root(&wanted);
  systole_energy_meter *meter = calloc(1, sizeof *meter);
  if (meter == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                        "no memory is left for the energy meter");
  }
  meter->first = -1;
  size_t used = 0;
  for (int i = 0; i < Rows; i++) {
    systole_sampler_reason reason = {0, "", ""};
    if (!is_wanted(rows[i], &wanted)) continue;
    rows[i]->open(&meter->samplers[i], root, &wanted, &reason);
    if (meter->samplers[i] != NULL && meter->first < 0) meter->first = i;
    if (meter->first < 0 && reason.why[0] != '\0') {
      const int length = snprintf(meter->missing + used, sizeof meter->missing - used,
                                  "%s%s%s%s", used > 0 ? "; " : "", reason.why,
                                  reason.remedy[0] != '\0' ? ": " : "", reason.remedy);
      if (length > 0) used += (size_t)length;
      if (used >= sizeof meter->missing) used = sizeof meter->missing - 1;
    }
  }
  const int named = wanted.source != NULL && wanted.source[0] != '\0';
  if (meter->first < 0 || (named && is_model(rows[meter->first]))) {
    const int of_cpu = wanted.of == SYSTOLE_ENERGY_OF_CPU && !named;
    const systole_status status =
        of_cpu ? systole_fail(SYSTOLE_ERR_HOST_MEMORY,
                              "no memory is left for the energy meter")
        : meter->missing[0] != '\0'
            ? systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", meter->missing)
            : systole_fail(SYSTOLE_ERR_NOT_FOUND,
                           "there is no source of energy called '%.64s'; there are "
                           "powercap, perf, hwmon, nvml, battery and card",
                           named ? wanted.source : "");
    systole_energy_meter_close(meter);
    return status;
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
  for (int i = 0; i < Rows; i++) { /* every row, so that none goes on looking */
    systole_bounds answer = {SYSTOLE_KIND_UNKNOWN, 0, 0, 0};
    if (meter->samplers[i] == NULL) continue;
    rows[i]->end(meter->samplers[i], &span, &answer);
    if (energy.kind == SYSTOLE_KIND_UNKNOWN && answer.kind != SYSTOLE_KIND_UNKNOWN) {
      energy = answer;
      meter->answered = i;
    }
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

const char *systole_energy_meter_best(const systole_energy_meter *meter) {
  return rows[meter->first]->source(meter->samplers[meter->first]);
}

const char *systole_energy_meter_missing(const systole_energy_meter *meter) {
  return meter->missing;
}

double systole_energy_meter_step_s(const systole_energy_meter *meter) {
  return rows[meter->first]->step_s(meter->samplers[meter->first]);
}

double systole_energy_meter_shortest_s(const systole_energy_meter *meter) {
  return SYSTOLE_SAMPLER_STEPS * systole_energy_meter_step_s(meter);
}

const systole_sampler_ops *const *systole_sampler_rows(int *count) {
  *count = Rows;
  return rows;
}
