/* How much faster is a machine with shorter numbers? CPUs are asked on one thread:
 * threads that wait for each other would say more about the machine's other work than
 * about formats. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "course/parts.h"
#include "signals.h"
#include "story.h"

enum { Rounds = 5, QuickRounds = 2 };
static const double round_budget_s = 0.02;

/* ---- measuring ------------------------------------------------------------------- */

/* A device in its own format, on one thread when it is a CPU. */
typedef struct seat {
  systole_station station;
  int borrowed; /* 1: the comparison's own handle */
} seat;

static int take_seats(seat *seats, size_t *count, const systole_fleet *fleet,
                      const systole_device_options *options) {
  int code = 0;
  for (size_t d = 0; d < fleet->count && code == 0; d++) {
    systole_device_options one = *options;
    one.threads = 1;
    one.record_path = NULL;
    if (!systole_station_varies(&fleet->stations[d])) continue;
    seat *own = &seats[(*count)++];
    own->borrowed = strcmp(fleet->devices[d].kind, "cpu") != 0;
    if (own->borrowed) {
      own->station = fleet->stations[d];
    } else {
      code = systole_station_open(&own->station, fleet->devices[d].name, &one);
    }
  }
  return code;
}

static size_t widest(const systole_workload *workload) {
  size_t most = 1;
  for (size_t i = 0; i < workload->count; i++) {
    const systole_job *job = &workload->items[i].job;
    const size_t outputs = (size_t)job->m * (size_t)job->n;
    if (outputs > most) most = outputs;
  }
  return most;
}

int systole_formats_measure(systole_course *course, const systole_workload *workload,
                            const systole_fleet *fleet,
                            const systole_device_options *options) {
  const int rounds = course->request.quick ? QuickRounds : Rounds;
  seat seats[SystoleFleetDevices];
  size_t count = 0, floats = 0;
  memset(seats, 0, sizeof seats);
  for (size_t d = 0; d < fleet->count; d++) {
    floats += fleet->stations[d].format != SYSTOLE_FORMAT_S8;
  }
  if (floats == 0) return 0;
  systole_weights **weights = NULL;
  systole_samples *samples = NULL;
  void *c = malloc(widest(workload) * sizeof(int32_t));
  int code = c != NULL ? take_seats(seats, &count, fleet, options)
                       : systole_story_errno(ENOMEM, "cannot compare formats");
  const size_t runs = workload->count * count;
  if (code == 0) {
    weights = calloc(runs + 1, sizeof *weights);
    samples = calloc(runs + 1, sizeof *samples);
    course->format_runs = calloc(runs + 1, sizeof *course->format_runs);
    if (weights == NULL || samples == NULL || course->format_runs == NULL) {
      code = systole_story_errno(ENOMEM, "cannot compare formats");
    }
  }
  systole_course_stage(course, "number formats");
  for (int round = -1; round < rounds && code == 0; round++) { /* -1: warm-up */
    systole_bar_steps(&course->bar, (uint64_t)(round + 1), (uint64_t)rounds + 1);
    for (size_t i = 0; i < workload->count && code == 0; i++) {
      const systole_job *job = &workload->items[i].job;
      for (size_t s = 0; s < count && code == 0; s++) {
        const size_t at = i * count + s;
        if (round < 0) {
          code = systole_station_prepare(&weights[at], &seats[s].station, job);
          if (code == 0) code = systole_warm_up(weights[at], job, c);
        } else {
          code = systole_measure_prepared(&samples[at], weights[at], job, c, 0,
                                          round_budget_s);
        }
      }
    }
  }
  for (size_t at = 0; at < runs && code == 0; at++) {
    const systole_item *item = &workload->items[at / count];
    systole_result *r = &course->format_runs[at];
    systole_summarise(r, &seats[at % count].station, &item->job, &samples[at]);
    snprintf(r->label, sizeof r->label, "%s", item->label);
  }
  if (code == 0) course->format_run_count = runs;
  for (size_t at = 0; weights != NULL && samples != NULL && at < runs; at++) {
    systole_weights_free(weights[at]);
    systole_samples_free(&samples[at]);
  }
  for (size_t s = 0; s < count; s++) {
    if (!seats[s].borrowed) systole_station_close(&seats[s].station);
  }
  free(samples);
  free(weights);
  free(c);
  return code;
}

/* ---- the table ------------------------------------------------------------------- */

/* The run of the same product on another device; NULL: none. */
static const systole_result *same_product(const systole_course *course,
                                          const systole_result *r, const char *device) {
  for (size_t i = 0; i < course->format_run_count; i++) {
    const systole_result *other = &course->format_runs[i];
    if (strcmp(other->device, device) == 0 && strcmp(other->label, r->label) == 0 &&
        other->stats.gops > 0) {
      return other;
    }
  }
  return NULL;
}

/* GOP/s at the quartiles of the repeats. */
static double at_quartile(const systole_result *r, double quartile_s) {
  return r->repeats > 1 && quartile_s > 0 && r->stats.wall_s > 0
             ? r->stats.gops * r->stats.wall_s / quartile_s
             : r->stats.gops;
}

static void put_row(systole_table *table, const systole_result *r,
                    const systole_result *base, const char *machine) {
  const double percent = systole_result_percent_of_peak(r);
  const double slow = at_quartile(r, r->wall_high_s),
               fast = at_quartile(r, r->wall_low_s);
  systole_table_row(table);
  systole_table_text(table, machine);
  systole_table_text(table, r->label);
  systole_table_text(table, systole_course_format(r->device));
  systole_table_bounds(table, SYSTOLE_KIND_MEASURED, slow, r->stats.gops, fast,
                       "median and quartiles of the wall time, CPUs on one thread");
  systole_table_bounds(table, SYSTOLE_KIND_MEASURED, slow / base->stats.gops,
                       r->stats.gops / base->stats.gops, fast / base->stats.gops,
                       "over the median of float32 on the same machine");
  if (percent >= 0) {
    systole_table_number(table, SYSTOLE_KIND_MEASURED, percent,
                         "of a register-only loop in the same format");
  }
}

void systole_formats_table(const systole_course *course, systole_tables *tables) {
  systole_table *table = NULL;
  double best = 0, largest = 0;
  char best_name[160] = "";
  for (size_t i = 0; i < course->format_run_count; i++) {
    const systole_result *r = &course->format_runs[i];
    char float32[64], machine[64];
    if (r->stats.has_cycles || !(r->stats.gops > 0)) continue;
    if (systole_device_in_format(float32, sizeof float32, r->device,
                                 SYSTOLE_FORMAT_F32) != SYSTOLE_OK ||
        systole_device_in_format(machine, sizeof machine, r->device, SYSTOLE_FORMAT_S8) !=
            SYSTOLE_OK) {
      continue;
    }
    const systole_result *base = same_product(course, r, float32);
    if (base == NULL) continue;
    if (table == NULL) {
      table = systole_tables_add(
          tables, "formats", "Speed-up by number format",
          "The same products in every format that a device here has, measured, against "
          "float32 on the same machine, in turn, CPUs on one thread; grey numbers are "
          "quartiles. The published range "
          "is of whole networks in training, where not every part gets faster. The array "
          "computes in int8 only.");
      systole_table_column(table, "machine", "machine", "");
      systole_table_column(table, "product", "product", "");
      systole_table_column(table, "format", "format", "");
      systole_table_column(table, "gops", "throughput", "GOP/s");
      systole_table_column(table, "speedup", "over float32", "times");
      systole_table_column(table, "percent_of_peak", "of its peak", "%");
    }
    put_row(table, r, base, machine);
    /* Of the largest product: small ones tell of the call and not of the format. */
    if ((double)r->stats.macs > largest) best = 0;
    largest = fmax(largest, (double)r->stats.macs);
    if ((double)r->stats.macs == largest && r->stats.gops / base->stats.gops > best) {
      best = r->stats.gops / base->stats.gops;
      snprintf(best_name, sizeof best_name, "%s on %s, %s",
               systole_course_format(r->device), machine, r->label);
    }
  }
  if (table == NULL) return;
  for (size_t i = 0; i < systole_records_count(course->formats); i++) {
    systole_table_row(table);
    systole_table_text(table, "published");
    systole_table_text(table, systole_records_text(course->formats, i, "name"));
    systole_table_text(table, "mixed");
    systole_table_empty(table);
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED,
                         systole_records_number(course->formats, i, "speedup"),
                         systole_records_text(course->formats, i, "source"));
  }
  systole_table_finding(
      table, "The largest gain over float32 on the largest product is %.2f times: %s.",
      best, best_name);
}
