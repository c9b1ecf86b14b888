#include "report/origin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_listed(const char *used, const char *name) {
  const size_t length = strlen(name);
  for (const char *at = used; (at = strstr(at, name)) != NULL; at += length) {
    const int starts = at == used || at[-1] == ' ';
    if (starts && (at[length] == ';' || at[length] == '\0')) return 1;
  }
  return 0;
}

static size_t also_used(systole_origins *origins, size_t index, const char *used) {
  systole_origin *origin = &origins->list[index];
  if (is_listed(origin->used, used)) return index + 1;
  const size_t length = strlen(origin->used) + strlen(used) + 3;
  char *longer = realloc(origin->used, length);
  if (longer == NULL) return index + 1;
  strcat(strcat(longer, "; "), used);
  origin->used = longer;
  return index + 1;
}

size_t systole_origins_add(systole_origins *origins, const char *kind, const char *source,
                           const char *used) {
  for (size_t i = 0; i < origins->count; i++) {
    const systole_origin *origin = &origins->list[i];
    if (strcmp(origin->kind, kind) == 0 && strcmp(origin->source, source) == 0) {
      return also_used(origins, i, used);
    }
  }
  if (origins->count == origins->capacity) {
    const size_t capacity = origins->capacity > 0 ? 2 * origins->capacity : 64;
    systole_origin *list = reallocarray(origins->list, capacity, sizeof *list);
    if (list == NULL) return 0;
    origins->list = list;
    origins->capacity = capacity;
  }
  const systole_origin made = {strdup(kind), strdup(source), strdup(used)};
  origins->list[origins->count] = made;
  if (made.kind == NULL || made.source == NULL || made.used == NULL) {
    free(made.used);
    free(made.source);
    free(made.kind);
    return 0;
  }
  return ++origins->count;
}

void systole_origins_free(systole_origins *origins) {
  for (size_t i = 0; i < origins->count; i++) {
    free(origins->list[i].used);
    free(origins->list[i].source);
    free(origins->list[i].kind);
  }
  free(origins->list);
  memset(origins, 0, sizeof *origins);
}

const char *systole_quantity_name(systole_quantity quantity) {
  static const char *const names[] = {
      [SYSTOLE_QUANTITY_CHECK] = "result",
      [SYSTOLE_QUANTITY_GOPS] = "GOP/s",
      [SYSTOLE_QUANTITY_SECONDS] = "time",
      [SYSTOLE_QUANTITY_UTILISATION] = "utilisation",
      [SYSTOLE_QUANTITY_CEILING] = "what the shape allows",
      [SYSTOLE_QUANTITY_OF_PEAK] = "share of the peak",
      [SYSTOLE_QUANTITY_WALL] = "waited",
      [SYSTOLE_QUANTITY_HOST_SHARE] = "packing",
      [SYSTOLE_QUANTITY_SIM_SPEED] = "speed of the simulation",
      [SYSTOLE_QUANTITY_CYCLES] = "cycles",
      [SYSTOLE_QUANTITY_BYTES] = "bytes",
      [SYSTOLE_QUANTITY_INTENSITY] = "operations per byte",
      [SYSTOLE_QUANTITY_POWER] = "power",
      [SYSTOLE_QUANTITY_ENERGY] = "energy",
      [SYSTOLE_QUANTITY_EFFICIENCY] = "GOP/s/W",
      [SYSTOLE_QUANTITY_INCREMENTAL] = "power beyond rest",
      [SYSTOLE_QUANTITY_LANDAUER] = "energy over Landauer's limit"};
  return names[quantity];
}

static const char *of_check(char *source, size_t size, const systole_result *r) {
  if (!r->checked) return NULL;
  if (r->format != SYSTOLE_FORMAT_S8) {
    snprintf(source, size,
             "elements set beside sums in double precision; the largest error over "
             "the norms of row and column, and the bound of the format, are in "
             "results.json");
    return "counted";
  }
  snprintf(source, size,
           r->checked_by != NULL && strcmp(r->checked_by, "freivalds") == 0
               ? "every element by a random test (Freivalds, 1977) that misses an error "
                 "with a probability below 2^-60"
               : "every element set beside the product by %s, number by number",
           r->checked_by == NULL                 ? "other code"
           : strcmp(r->checked_by, "plain") == 0 ? "three plain loops"
           : strcmp(r->checked_by, "cpu") == 0   ? "the CPU's engine"
                                                 : r->checked_by);
  return "counted";
}

/* Where cycles are counted, time is theirs over the clock. */
static const char *of_time(char *source, size_t size, const systole_result *r) {
  const systole_stats *s = &r->stats;
  if (!(s->seconds > 0)) return NULL;
  if (s->has_cycles) {
    const char *kind = systole_kind_word(s->clock_kind);
    snprintf(source, size, "cycles counted in the run over the clock, %g MHz%s%s%s%s%s",
             s->clock_mhz, kind != NULL ? " (" : "", kind != NULL ? kind : "",
             kind != NULL ? ")" : "", s->memory != NULL ? "; memory preset " : "",
             s->memory != NULL ? s->memory : "");
  } else {
    snprintf(source, size,
             "wall clock on this machine, median of the repeats, which are spread over "
             "the whole comparison; bars and small numbers are quartiles");
  }
  return systole_result_is_modelled(r) ? "modelled" : "measured";
}

static const char *of_energy(char *source, size_t size, const systole_result *r) {
  const char *kind = systole_kind_word(r->stats.power_w.kind);
  if (kind == NULL) return NULL;
  if (r->stats.power_w.kind == SYSTOLE_KIND_MEASURED && r->has_energy) {
    snprintf(
        source, size,
        "%.100s; median of %d windows of %.3g s of repeated runs, each after as much "
        "rest; the bounds are those of its accuracy and steps (docs/energy.md)",
        r->energy.source, r->energy.windows, r->energy.window_s);
  } else if (r->stats.power_w.kind == SYSTOLE_KIND_MEASURED) {
    snprintf(source, size,
             "energy counters of this machine, read around the run (docs/energy.md); the "
             "bounds are their accuracy");
  } else if (r->stats.has_cycles) {
    snprintf(
        source, size,
        "activity model%s%s: events counted in the run times coefficients, each with "
        "its source in host/energy/data; the bounds are those of the coefficients",
        r->stats.technology != NULL ? " for " : "",
        r->stats.technology != NULL ? r->stats.technology : "");
  } else {
    snprintf(source, size,
             "model: CPU time x TDP of a core, or a GPU's power limit x a share "
             "(docs/energy.md); nothing here could be read for a run of this length");
  }
  return kind;
}

const char *systole_origin_of(char *source, size_t size, const systole_result *r,
                              systole_quantity quantity) {
  const systole_stats *s = &r->stats;
  const char *kind = NULL;
  int counted;
  source[0] = '\0';
  switch (quantity) {
    case SYSTOLE_QUANTITY_CHECK:
      kind = of_check(source, size, r);
      break;
    case SYSTOLE_QUANTITY_GOPS:
    case SYSTOLE_QUANTITY_SECONDS:
      kind = of_time(source, size, r);
      break;
    case SYSTOLE_QUANTITY_UTILISATION:
      if (!s->has_cycles) break;
      snprintf(source, size,
               "useful multiply-accumulates over Dim x Dim x cycles of the run");
      kind = "counted";
      break;
    case SYSTOLE_QUANTITY_CEILING:
      if (!s->has_cycles || !isfinite(s->utilisation_ceiling)) break;
      snprintf(source, size,
               "the product's size over the same padded to whole blocks of the array");
      kind = "computed";
      break;
    case SYSTOLE_QUANTITY_OF_PEAK:
      if (systole_result_percent_of_peak(r) < 0) break;
      kind = systole_kind_word(r->peak_kind);
      snprintf(source, size, "GOP/s over the device's own peak, %s%s%s",
               kind != NULL ? kind : "unknown",
               r->peak_instruction != NULL ? " by a register-only loop of " : "",
               r->peak_instruction != NULL ? r->peak_instruction : "");
      break;
    case SYSTOLE_QUANTITY_WALL:
      snprintf(source, size,
               "wall clock around the whole call, simulation, packing and copies "
               "included; median of the repeats");
      kind = "measured";
      break;
    case SYSTOLE_QUANTITY_HOST_SHARE:
      snprintf(source, size,
               "wall clock of packing and unpacking matrices over that of the call");
      kind = "measured";
      break;
    case SYSTOLE_QUANTITY_SIM_SPEED:
      if (!(s->sim_cpu_s > 0) || s->macs == 0) break;
      snprintf(source, size,
               "useful multiply-accumulates over CPU time of the process while the "
               "simulated card ran");
      kind = "measured";
      break;
    case SYSTOLE_QUANTITY_CYCLES:
    case SYSTOLE_QUANTITY_BYTES:
      if (!s->has_cycles) break;
      snprintf(source, size, "the device's own counters at the end of the run");
      kind = "counted";
      break;
    case SYSTOLE_QUANTITY_INTENSITY:
      if (!(systole_result_intensity(r, &counted) > 0)) break;
      snprintf(source, size,
               counted ? "operations over the bytes that were counted at device memory"
                       : "operations over the least traffic there can be, each operand "
                         "and result once");
      kind = counted ? "counted" : "computed";
      break;
    case SYSTOLE_QUANTITY_INCREMENTAL:
      if (!r->has_energy || r->energy.incremental_w.kind == SYSTOLE_KIND_UNKNOWN) break;
      kind = of_energy(source, size, r);
      break;
    case SYSTOLE_QUANTITY_LANDAUER:
      kind = systole_kind_word(s->energy_j.kind);
      if (kind == NULL || s->macs == 0) break;
      snprintf(source, size,
               "energy over multiply-accumulates x %d bits x k T ln 2 at %g K (Landauer "
               "1961); kind and bounds are those of the energy",
               SYSTOLE_LANDAUER_BITS_PER_MAC, SYSTOLE_LANDAUER_KELVIN);
      break;
    case SYSTOLE_QUANTITY_POWER:
    case SYSTOLE_QUANTITY_ENERGY:
      kind = of_energy(source, size, r);
      break;
    case SYSTOLE_QUANTITY_EFFICIENCY:
      if (systole_result_efficiency(r).kind == SYSTOLE_KIND_UNKNOWN) break;
      kind = of_energy(source, size, r);
      snprintf(source, size, "GOP/s over power, each with its own origin");
      break;
  }
  if (kind == NULL) source[0] = '\0';
  return kind;
}
