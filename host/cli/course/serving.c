/* Inferences per second under a limit of latency: the largest batch is not the best one
 * when somebody waits. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "course/parts.h"
#include "report/formulas.h"
#include "story.h"
#include "support/clock.h"
#include "text.h"

enum { Hidden = 1024, Largest = 4096, QuickHidden = 128, QuickLargest = 64 };

/* A 99th percentile needs a hundred passes at least. A simulated device's time varies in
 * the host's part alone; its worst pass of a few stands for it. */
enum { Passes = 101, SimulatedPasses = 3, Rounds = 5 };
static const double limit_s = 0.010, give_up_s = 1.5;

/* Passes of one device at one batch, `wanted` more of them. Leaves early, with 0 and too
 * few, when the device is so slow that its verdict is clear. */
static int run_passes(systole_passes *passes, uint64_t *mismatches,
                      systole_classifier_seat *seat, int64_t batch, size_t wanted) {
  const double started = systole_wall_seconds();
  for (size_t i = 0; i < wanted; i++) {
    systole_pass pass;
    int code = 0;
    if (passes->count == 0 && mismatches != NULL) { /* warm-up and check */
      code = systole_classifier_pass(&pass, mismatches, seat, batch);
    }
    if (code == 0) code = systole_classifier_pass(&pass, NULL, seat, batch);
    if (code == 0) code = systole_passes_add(passes, &pass);
    if (code != 0) return code;
    mismatches = NULL;
    if (systole_wall_seconds() - started > give_up_s) break;
  }
  return 0;
}

typedef struct contestant {
  systole_classifier_seat seat;
  systole_passes passes;
  int out; /* 1: beyond the limit at a smaller batch */
} contestant;

static void judge(systole_serving_run *run, contestant *c, int64_t batch) {
  systole_passes_sort(&c->passes);
  const double latency = systole_passes_end(&c->passes, 0.99);
  const systole_pass *median = systole_passes_median(&c->passes);
  const double rate = (double)batch / median->end_s;
  if (run->count < SystoleServingBatches) {
    run->points[run->count++] =
        (systole_serving_point){batch,
                                latency,
                                systole_passes_end(&c->passes, 0.25),
                                median->end_s,
                                systole_passes_end(&c->passes, 0.75),
                                rate,
                                c->passes.count};
  }
  if (!(latency <= limit_s)) {
    c->out = 1;
    return;
  }
  run->capped = 1; /* until a larger batch fails */
  if (rate > run->per_second) {
    run->per_second = rate;
    run->batch = batch;
    run->latency_s = latency;
    run->passes = c->passes.count;
  }
}

static int try_batch(systole_course *course, int *wrong, contestant *all, int64_t batch) {
  const systole_fleet *fleet = course->fleet;
  int code = 0;
  for (size_t d = 0; d < fleet->count; d++) all[d].passes.count = 0;
  /* Devices in turn, a part of their passes each time. */
  for (int round = 0; round < Rounds && code == 0; round++) {
    for (size_t d = 0; d < fleet->count && code == 0; d++) {
      const int varies = systole_station_varies(&fleet->stations[d]);
      if (all[d].out || (!varies && round > 0)) continue;
      const size_t wanted = varies ? Passes / Rounds + 1 : SimulatedPasses;
      uint64_t mismatches = 0;
      code = run_passes(&all[d].passes, &mismatches, &all[d].seat, batch, wanted);
      systole_course_wrong(wrong, fleet->devices[d].name, course->serving.hidden, batch,
                           mismatches);
      /* Far beyond: more passes would not bring it back. */
      systole_passes_sort(&all[d].passes);
      all[d].out = code == 0 && systole_passes_end(&all[d].passes, 0.5) > 2 * limit_s;
    }
  }
  for (size_t d = 0; d < fleet->count && code == 0; d++) {
    if (all[d].passes.count > 0) judge(&course->serving.runs[d], &all[d], batch);
    if (all[d].out) course->serving.runs[d].capped = 0;
  }
  return code;
}

int systole_serving_measure(systole_course *course, int *wrong) {
  const systole_fleet *fleet = course->fleet;
  systole_serving *serving = &course->serving;
  systole_classifier network = {0};
  static const contestant nobody;
  contestant all[SystoleFleetDevices];
  for (size_t d = 0; d < SystoleFleetDevices; d++) all[d] = nobody;
  serving->hidden = course->request.quick ? QuickHidden : Hidden;
  serving->largest = course->request.quick ? QuickLargest : Largest;
  serving->limit_s = limit_s;
  uint64_t steps = 0, done = 0;
  for (int64_t batch = 1; batch <= serving->largest; batch *= 2) steps++;
  systole_course_stage(course, "inferences under 10 ms");
  int code = systole_classifier_open(&network, serving->hidden, serving->largest,
                                     course->request.seed, course->cpu);
  for (size_t d = 0; d < fleet->count && code == 0; d++) {
    code = systole_classifier_sit(&all[d].seat, &network, &fleet->stations[d]);
  }
  for (int64_t batch = 1; batch <= serving->largest && code == 0; batch *= 2) {
    systole_bar_steps(&course->bar, done++, steps);
    code = try_batch(course, wrong, all, batch);
  }
  for (size_t d = 0; d < fleet->count; d++) {
    systole_passes_free(&all[d].passes);
    systole_classifier_leave(&all[d].seat);
  }
  systole_classifier_close(&network);
  return code;
}

static void put_number(systole_table *table, double value, const char *source) {
  if (isnan(value)) {
    systole_table_empty(table);
  } else {
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED, value, source);
  }
}

static double best_rate(const systole_course *course) {
  double best = 0;
  for (size_t d = 0; d < course->fleet->count; d++) {
    best = fmax(best, course->serving.runs[d].per_second);
  }
  return best;
}

/* What the published rows tell of their devices, for one that is here. */
static void put_hardware(systole_table *table, const systole_report *report,
                         const char *name) {
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_report_device *device = &report->devices[d];
    const systole_geometry *g = &device->geometry;
    const systole_result *best = systole_course_best(report, d);
    if (strcmp(device->name, name) != 0) continue;
    if (device->peak_gops > 0 && device->peak_kind != SYSTOLE_KIND_UNKNOWN) {
      systole_table_number(table, device->peak_kind, device->peak_gops / 1e3,
                           g->dim > 0 ? "2 Dim\u00b2 operations a cycle at its clock"
                                      : "register-only loop on this machine");
    } else {
      systole_table_empty(table);
    }
    systole_table_empty(table);
    if (best != NULL && best->stats.power_w.kind != SYSTOLE_KIND_UNKNOWN) {
      const systole_bounds *power = &best->stats.power_w;
      systole_table_bounds(table, power->kind, power->low, power->nominal, power->high,
                           "during its best product; docs/energy.md");
    } else {
      systole_table_empty(table);
    }
    if (device->bandwidth_gbs > 0 && device->bandwidth_kind != SYSTOLE_KIND_UNKNOWN) {
      systole_table_number(table, device->bandwidth_kind, device->bandwidth_gbs,
                           g->dim > 0
                               ? "its memory ports together, by the memory's preset"
                               : "reading beyond the caches, the best of several passes");
    } else {
      systole_table_empty(table);
    }
    if (g->dim > 0) {
      const double bytes = (double)g->dim * (double)g->ub_rows +
                           4.0 * (double)g->dim * (double)g->acc_rows +
                           (double)g->dim * (double)g->dim * (double)g->weight_tiles;
      systole_table_number(table, SYSTOLE_KIND_MODELLED, bytes / (1 << 20),
                           "unified buffer, accumulators and weight FIFO");
    }
    return;
  }
}

static void put_device(const systole_course *course, systole_table *table,
                       const systole_report *report, size_t d) {
  const systole_serving_run *run = &course->serving.runs[d];
  const systole_station *station = &course->fleet->stations[d];
  const systole_kind kind = systole_course_kind(station);
  char source[160];
  systole_table_row(table);
  systole_table_text(table, course->fleet->devices[d].name);
  if (run->batch == 0) {
    systole_table_text(table, "none keeps the limit");
    systole_table_empty(table);
    systole_table_empty(table);
    systole_table_empty(table);
    put_hardware(table, report, course->fleet->devices[d].name);
    return;
  }
  snprintf(source, sizeof source, "the best power of two up to %lld%s",
           (long long)course->serving.largest,
           run->capped ? "; the largest kept the limit, too" : "");
  systole_table_number(table, SYSTOLE_KIND_MEASURED, (double)run->batch, source);
  snprintf(source, sizeof source,
           kind == SYSTOLE_KIND_MEASURED
               ? "99th percentile of %zu passes"
               : "the worst of %zu passes: cycles are exact, the host's part varies",
           run->passes);
  systole_table_number(table, kind, 1e3 * run->latency_s, source);
  systole_table_number(table, kind, run->per_second, "batch over the median time");
  systole_table_number(table, kind, run->per_second / best_rate(course),
                       "over the best device here");
  put_hardware(table, report, course->fleet->devices[d].name);
}

static void put_best(const systole_course *course, systole_tables *tables,
                     const systole_report *report) {
  const systole_records *published = course->serving_published;
  char title[96], caption[640];
  snprintf(title, sizeof title, "Inferences per second under %g ms",
           1e3 * course->serving.limit_s);
  snprintf(
      caption, sizeof caption,
      "Devices here run 784-%lld-%lld-10 in int8, from end to end; batches grow by "
      "two until the 99th percentile of the latency passes the limit. The published "
      "rows are of other networks and stand for their relation to each other: K80, "
      "TPU v1 and P40 gave 1/13, 1 and 2 in Google's own. Relative numbers therefore "
      "compare within their own group only.",
      (long long)course->serving.hidden, (long long)course->serving.hidden);
  systole_table *table = systole_tables_add(tables, "serving", title, caption);
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "batch", "batch", "");
  systole_table_column(table, "latency_ms", "latency", "ms, 99 %");
  systole_table_column(table, "per_second", "inferences", "per s");
  systole_table_column(table, "relative", "relative", "in its group");
  systole_table_column(table, "inference_tops", "inference", "TOPS");
  systole_table_column(table, "training_tops", "training", "TOPS");
  systole_table_column(table, "power_w", "power", "W");
  systole_table_column(table, "memory_gbs", "memory", "GB/s");
  systole_table_column(table, "onchip_mib", "on chip", "MiB");
  size_t best = 0;
  for (size_t d = 0; d < course->fleet->count; d++) {
    put_device(course, table, report, d);
    if (course->serving.runs[d].per_second > course->serving.runs[best].per_second) {
      best = d;
    }
  }
  for (size_t i = 0; i < systole_records_count(published); i++) {
    const char *source = systole_records_text(published, i, "source");
    systole_table_row(table);
    systole_table_text(table, systole_records_text(published, i, "name"));
    systole_table_empty(table);
    systole_table_empty(table);
    systole_table_empty(table);
    put_number(table, systole_records_number(published, i, "relative"), source);
    put_number(table, systole_records_number(published, i, "inference_tops"), source);
    put_number(table, systole_records_number(published, i, "training_tops"), source);
    put_number(table, systole_records_number(published, i, "power_w"), source);
    put_number(table, systole_records_number(published, i, "mem_gbs"), source);
    put_number(table, systole_records_number(published, i, "onchip_mib"), source);
  }
  if (course->serving.runs[best].batch > 0) {
    char count[SystoleText];
    systole_table_finding(
        table, "%s serves most: %s inferences a second at batch %lld.",
        course->fleet->devices[best].name,
        systole_text_count(count, (uint64_t)course->serving.runs[best].per_second),
        (long long)course->serving.runs[best].batch);
  }
}

/* Every batch that was tried, for the figure. */
static void put_points(const systole_course *course, systole_tables *tables) {
  char caption[320];
  snprintf(caption, sizeof caption,
           "784-%lld-%lld-10 in int8, from end to end, batch by batch: larger batches "
           "reuse weights and keep everybody waiting. A device's list ends at the first "
           "batch beyond the limit of %g ms.",
           (long long)course->serving.hidden, (long long)course->serving.hidden,
           1e3 * course->serving.limit_s);
  systole_table *table =
      systole_tables_add(tables, "serving_batches", "Latency and throughput", caption);
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "batch", "batch", "");
  systole_table_column(table, "latency_ms", "latency", "ms, 99 %");
  systole_table_column(table, "median_ms", "median", "ms");
  systole_table_column(table, "per_second", "inferences", "per s");
  for (size_t d = 0; d < course->fleet->count; d++) {
    const systole_serving_run *run = &course->serving.runs[d];
    const systole_kind kind = systole_course_kind(&course->fleet->stations[d]);
    for (size_t i = 0; i < run->count; i++) {
      const systole_serving_point *p = &run->points[i];
      char source[96];
      snprintf(source, sizeof source, "of %zu passes", p->passes);
      systole_table_row(table);
      systole_table_text(table, course->fleet->devices[d].name);
      systole_table_number(table, SYSTOLE_KIND_ASSUMED, (double)p->batch,
                           "chosen: powers of two");
      systole_table_number(table, kind, 1e3 * p->latency_s, source);
      systole_table_bounds(table, kind, 1e3 * p->low_s, 1e3 * p->median_s,
                           1e3 * p->high_s, source);
      systole_table_number(table, kind, p->per_second, "batch over the median time");
    }
  }
}

void systole_serving_tables(const systole_course *course, systole_tables *tables,
                            const systole_report *report) {
  put_best(course, tables, report);
  put_points(course, tables);
}
