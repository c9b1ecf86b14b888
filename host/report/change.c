#include "report/change.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story.h"
#include "text.h"

/* Percent that a measured run may always lose. */
static const double least_tolerance = 10;

const char *systole_verdict_word(systole_verdict verdict) {
  static const char *const words[SYSTOLE_VERDICTS] = {
      [SYSTOLE_VERDICT_SAME] = "same",
      [SYSTOLE_VERDICT_FASTER] = "faster",
      [SYSTOLE_VERDICT_SLOWER] = "slower",
      [SYSTOLE_VERDICT_WRONG] = "wrong",
      [SYSTOLE_VERDICT_MISSING] = "missing",
      [SYSTOLE_VERDICT_UNLIKE] = "not comparable",
      [SYSTOLE_VERDICT_NEW] = "new",
      [SYSTOLE_VERDICT_ELSEWHERE] = "other machine",
      [SYSTOLE_VERDICT_ABSENT] = "not run",
  };
  return words[verdict];
}

int systole_verdict_fails(systole_verdict verdict) {
  return verdict == SYSTOLE_VERDICT_SLOWER || verdict == SYSTOLE_VERDICT_WRONG ||
         verdict == SYSTOLE_VERDICT_MISSING || verdict == SYSTOLE_VERDICT_UNLIKE;
}

static int is_exact(const systole_result *r) { return systole_result_is_modelled(r); }

static int is_same_run(const systole_baseline_run *old, const systole_result *r) {
  return strcmp(old->device, r->device) == 0 && strcmp(old->workload, r->workload) == 0 &&
         strcmp(old->label, r->label) == 0 && old->m == r->m && old->n == r->n &&
         old->k == r->k;
}

static int is_same_machine(const systole_baseline *baseline,
                           const systole_report *report) {
  return baseline->cpu[0] != '\0' && strcmp(baseline->cpu, report->machine.cpu) == 0 &&
         baseline->cores == report->machine.cores;
}

static void judge_exact(systole_change *change, const systole_baseline_run *old,
                        const systole_result *r, const systole_tolerance *tolerance) {
  const char *memory = r->stats.memory != NULL ? r->stats.memory : "";
  change->before = (double)old->cycles;
  change->after = (double)r->stats.cycles;
  change->tolerance = tolerance->cycles >= 0 ? tolerance->cycles : 0;
  if (strcmp(old->memory, memory) != 0) {
    change->verdict = SYSTOLE_VERDICT_UNLIKE;
    snprintf(change->why, sizeof change->why,
             "the memory preset was %s and is %s: run it with --memory %s", old->memory,
             memory, old->memory);
  } else if (old->clock_mhz != r->stats.clock_mhz) {
    /* Memory presets are laws in cycles, so cycles depend on the clock. */
    change->verdict = SYSTOLE_VERDICT_UNLIKE;
    snprintf(change->why, sizeof change->why,
             "the clock was %g MHz and is %g MHz: run it with --clock %g", old->clock_mhz,
             r->stats.clock_mhz, old->clock_mhz);
  }
}

/* Between the quartiles, as a share of the median; 0 of a single run. */
static double spread_of(double low, double median, double high) {
  return low > 0 && median > 0 && high > low ? (high - low) / median : 0;
}

static void judge_measured(systole_change *change, const systole_baseline *baseline,
                           const systole_baseline_run *old, const systole_result *r,
                           const systole_report *report,
                           const systole_tolerance *tolerance) {
  change->before = old->wall_s;
  change->after = r->stats.wall_s;
  change->tolerance = tolerance->measured;
  if (change->tolerance < 0) {
    change->tolerance = 100 * (spread_of(old->wall_low_s, old->wall_s, old->wall_high_s) +
                               spread_of(r->wall_low_s, r->stats.wall_s, r->wall_high_s));
    if (change->tolerance < least_tolerance) change->tolerance = least_tolerance;
  }
  if (!is_same_machine(baseline, report)) {
    change->verdict = SYSTOLE_VERDICT_ELSEWHERE;
    snprintf(change->why, sizeof change->why, "the baseline was measured on %s%.60s",
             baseline->cpu[0] != '\0' ? "" : "an unknown CPU", baseline->cpu);
    if (strcmp(baseline->cpu, report->machine.cpu) == 0) {
      snprintf(change->why, sizeof change->why,
               "the baseline was measured with %d cores, and here are %d",
               baseline->cores, report->machine.cores);
    }
  }
}

static void judge(systole_change *change, const systole_baseline *baseline,
                  const systole_baseline_run *old, const systole_result *r,
                  const systole_report *report, const systole_tolerance *tolerance) {
  snprintf(change->device, sizeof change->device, "%s", r->device);
  snprintf(change->label, sizeof change->label, "%s", r->label);
  change->exact = is_exact(r);
  change->has_after = 1;
  change->after = change->exact ? (double)r->stats.cycles : r->stats.wall_s;
  change->gops_after = r->stats.gops;
  change->verdict = SYSTOLE_VERDICT_NEW;
  if (old != NULL) {
    change->has_before = 1;
    change->gops_before = old->gops;
    change->verdict = SYSTOLE_VERDICT_SAME;
    if (old->exact != change->exact) {
      change->verdict = SYSTOLE_VERDICT_UNLIKE;
      change->has_before = 0;
      snprintf(change->why, sizeof change->why, "it was %s and is %s",
               old->exact ? "simulated" : "measured",
               change->exact ? "simulated" : "measured");
    } else if (change->exact) {
      judge_exact(change, old, r, tolerance);
    } else {
      judge_measured(change, baseline, old, r, report, tolerance);
    }
  }
  if (change->has_before && change->before > 0) {
    change->percent = 100 * (change->after - change->before) / change->before;
  }
  if (change->verdict == SYSTOLE_VERDICT_SAME) {
    if (change->percent > change->tolerance) change->verdict = SYSTOLE_VERDICT_SLOWER;
    if (change->percent < -change->tolerance) change->verdict = SYSTOLE_VERDICT_FASTER;
  }
  if (r->checked && r->mismatches > 0) change->verdict = SYSTOLE_VERDICT_WRONG;
}

static void judge_lost(systole_change *change, const systole_baseline_run *old,
                       const systole_report *report) {
  snprintf(change->device, sizeof change->device, "%s", old->device);
  snprintf(change->label, sizeof change->label, "%s", old->label);
  change->exact = old->exact;
  change->has_before = 1;
  change->before = old->exact ? (double)old->cycles : old->wall_s;
  change->gops_before = old->gops;
  change->verdict = SYSTOLE_VERDICT_ABSENT;
  snprintf(change->why, sizeof change->why,
           "the device takes no part in this comparison");
  for (size_t i = 0; i < report->device_count; i++) {
    if (strcmp(report->devices[i].name, old->device) != 0) continue;
    change->verdict = SYSTOLE_VERDICT_MISSING;
    snprintf(change->why, sizeof change->why, "this product was not run");
  }
}

int systole_compare_runs(systole_comparison *out, const systole_baseline *baseline,
                         const systole_report *report, systole_tolerance tolerance) {
  memset(out, 0, sizeof *out);
  out->baseline = baseline;
  out->tolerance = tolerance;
  out->list = calloc(report->result_count + baseline->count + 1, sizeof *out->list);
  unsigned char *taken = calloc(baseline->count + 1, 1);
  if (out->list == NULL || taken == NULL) {
    free(taken);
    systole_comparison_free(out);
    return systole_story_errno(ENOMEM, "cannot compare with the baseline");
  }
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_baseline_run *old = NULL;
    /* The same product twice: the first with the first. */
    for (size_t j = 0; j < baseline->count && old == NULL; j++) {
      if (taken[j] || !is_same_run(&baseline->runs[j], &report->results[i])) continue;
      taken[j] = 1;
      old = &baseline->runs[j];
    }
    judge(&out->list[out->count++], baseline, old, &report->results[i], report,
          &tolerance);
  }
  for (size_t j = 0; j < baseline->count; j++) {
    if (!taken[j]) judge_lost(&out->list[out->count++], &baseline->runs[j], report);
  }
  for (size_t i = 0; i < out->count; i++) {
    out->verdicts[out->list[i].verdict]++;
    out->failed += systole_verdict_fails(out->list[i].verdict) != 0;
  }
  free(taken);
  return 0;
}

void systole_comparison_free(systole_comparison *comparison) {
  free(comparison->list);
  memset(comparison, 0, sizeof *comparison);
}

void systole_comparison_summary(char *out, size_t size,
                                const systole_comparison *comparison) {
  size_t length = 0;
  out[0] = '\0';
  for (int v = 0; v < SYSTOLE_VERDICTS; v++) {
    if (comparison->verdicts[v] == 0 || length >= size) continue;
    length += (size_t)snprintf(out + length, size - length, "%s%zu %s",
                               length > 0 ? ", " : "", comparison->verdicts[v],
                               systole_verdict_word((systole_verdict)v));
  }
  if (length == 0) snprintf(out, size, "no runs");
}

void systole_change_figure(char *out, size_t size, const systole_change *change,
                           int after) {
  char text[SystoleText];
  out[0] = '\0';
  if (!(after ? change->has_after : change->has_before)) return;
  const double value = after ? change->after : change->before;
  if (change->exact) {
    snprintf(out, size, "%s cycles", systole_text_count(text, (uint64_t)value));
  } else {
    snprintf(out, size, "%s", systole_text_seconds(text, value));
  }
}

void systole_change_percent(char *out, size_t size, const systole_change *change) {
  out[0] = '\0';
  if (!change->has_before || !change->has_after) return;
  /* One cycle of a million is a change, too. */
  const double magnitude = fabs(change->percent);
  if (!(magnitude > 0)) {
    snprintf(out, size, "0 %%");
    return;
  }
  snprintf(out, size, magnitude < 0.05 ? "%+.2g %%" : "%+.1f %%", change->percent);
}

static int add_change(cJSON *array, const systole_change *change) {
  const char *unit = change->exact ? "cycles" : "wall_s";
  cJSON *entry = cJSON_CreateObject();
  int good =
      entry != NULL && cJSON_AddItemToArray(array, entry) &&
      cJSON_AddStringToObject(entry, "device", change->device) &&
      cJSON_AddStringToObject(entry, "label", change->label) &&
      cJSON_AddStringToObject(entry, "verdict", systole_verdict_word(change->verdict)) &&
      cJSON_AddBoolToObject(entry, "fails", systole_verdict_fails(change->verdict)) &&
      cJSON_AddStringToObject(entry, "quantity", unit);
  if (good && change->has_before) {
    good = cJSON_AddNumberToObject(entry, "before", change->before) != NULL;
  }
  if (good && change->has_after) {
    good = cJSON_AddNumberToObject(entry, "after", change->after) != NULL;
  }
  if (good && change->has_before && change->has_after) {
    good = cJSON_AddNumberToObject(entry, "change_percent", change->percent) &&
           cJSON_AddNumberToObject(entry, "tolerance_percent", change->tolerance);
  }
  if (good && change->why[0] != '\0') {
    good = cJSON_AddStringToObject(entry, "why", change->why) != NULL;
  }
  return good;
}

cJSON *systole_comparison_json(const systole_comparison *comparison) {
  const systole_baseline *baseline = comparison->baseline;
  cJSON *object = cJSON_CreateObject(), *counts = NULL, *array = NULL;
  int good = object != NULL &&
             cJSON_AddStringToObject(object, "baseline", baseline->path) &&
             cJSON_AddStringToObject(object, "date", baseline->date) &&
             cJSON_AddStringToObject(object, "version", baseline->version) &&
             cJSON_AddNumberToObject(object, "failed", (double)comparison->failed) &&
             (counts = cJSON_AddObjectToObject(object, "verdicts")) != NULL;
  for (int v = 0; good && v < SYSTOLE_VERDICTS; v++) {
    good = cJSON_AddNumberToObject(counts, systole_verdict_word((systole_verdict)v),
                                   (double)comparison->verdicts[v]) != NULL;
  }
  good = good && (array = cJSON_AddArrayToObject(object, "changes")) != NULL;
  for (size_t i = 0; good && i < comparison->count; i++) {
    good = add_change(array, &comparison->list[i]);
  }
  if (!good) {
    cJSON_Delete(object);
    object = NULL;
  }
  return object;
}
