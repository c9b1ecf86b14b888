/* From which size of a network on is a device faster than the CPU? The three-layer
 * network 784-n-n-10, n = 2^0 ... 2^12, at batch 1 and at a larger batch. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "course/parts.h"
#include "number.h"
#include "report/formulas.h"
#include "signals.h"
#include "story.h"
#include "support/clock.h"

enum { Rounds = 5, Batch = 64, QuickRounds = 2, QuickBatch = 8 };

/* A device's share of one round at one size; and the longest pass that is repeated on a
 * simulated device, where repeats only steady the host's part. */
static const double round_budget_s = 0.02, repeat_limit_s = 0.02;

typedef systole_classifier_seat seats[SystoleFleetDevices];

static void choose_sizes(systole_networks *all, int quick) {
  for (int i = 0; i < SystoleNetworks; i += quick ? 4 : 1) {
    if (quick && i > 8) break;
    all->hidden[all->count++] = (int64_t)1 << i;
  }
  all->batches[0] = 1;
  all->batches[1] = quick ? QuickBatch : Batch;
}

/* Operands, what devices keep of the weights, and as much again for their packing. */
static int check_memory(const systole_networks *all, size_t devices) {
  double bytes = 0;
  for (size_t i = 0; i < all->count; i++) {
    bytes += systole_classifier_parameters(all->hidden[i]) * (double)(2 + 2 * devices);
  }
  return systole_memory_check((uint64_t)bytes, "the networks of the course");
}

/* First the check, which warms up, then a pass whose commands lie ready. */
static int first_passes(systole_course *course, int *wrong, seats *rows, size_t i) {
  systole_networks *all = &course->networks;
  for (size_t b = 0; b < SystoleNetworkBatches; b++) {
    for (size_t d = 0; d < course->fleet->count; d++) {
      systole_network_run *run = &all->runs[i][b][d];
      systole_pass pass;
      int code =
          systole_classifier_pass(&pass, &run->mismatches, &rows[i][d], all->batches[b]);
      if (code == 0) {
        code = systole_classifier_pass(&pass, NULL, &rows[i][d], all->batches[b]);
      }
      if (code == 0 && !systole_station_varies(&course->fleet->stations[d])) {
        code = systole_passes_add(&run->passes, &pass);
      }
      if (code != 0) return code;
      systole_course_wrong(wrong, course->fleet->devices[d].name, all->hidden[i],
                           all->batches[b], run->mismatches);
    }
  }
  return 0;
}

/* One turn of every device at every size, devices in turn at each. */
static int one_round(systole_course *course, seats *rows) {
  systole_networks *all = &course->networks;
  for (size_t i = 0; i < all->count; i++) {
    for (size_t b = 0; b < SystoleNetworkBatches; b++) {
      for (size_t d = 0; d < course->fleet->count; d++) {
        systole_network_run *run = &all->runs[i][b][d];
        const int varies = systole_station_varies(&course->fleet->stations[d]);
        if (!varies && run->passes.list[0].wall_s > repeat_limit_s) continue;
        const double started = systole_wall_seconds();
        do {
          systole_pass pass;
          int code = systole_classifier_pass(&pass, NULL, &rows[i][d], all->batches[b]);
          if (code == 0) code = systole_passes_add(&run->passes, &pass);
          if (code != 0) return code;
        } while (varies && systole_wall_seconds() - started < round_budget_s);
      }
    }
  }
  return 0;
}

int systole_networks_measure(systole_course *course, int *wrong) {
  systole_networks *all = &course->networks;
  const size_t devices = course->fleet->count;
  const int rounds = course->request.quick ? QuickRounds : Rounds;
  choose_sizes(all, course->request.quick);
  systole_classifier *networks = calloc(all->count, sizeof *networks);
  seats *rows = calloc(all->count, sizeof *rows);
  int code = networks != NULL && rows != NULL
                 ? check_memory(all, devices)
                 : systole_story_errno(ENOMEM, "cannot hold the networks");
  systole_course_stage(course, "networks");
  const uint64_t steps = all->count + (uint64_t)rounds;
  uint64_t done = 0;
  for (size_t i = 0; i < all->count && code == 0; i++) {
    snprintf(course->bar.title, sizeof course->bar.title, "network 784-n-n-10, n = %lld",
             (long long)all->hidden[i]);
    code = systole_classifier_open(&networks[i], all->hidden[i], all->batches[1],
                                   course->request.seed + i, course->cpu);
    for (size_t d = 0; d < devices && code == 0; d++) {
      code =
          systole_classifier_sit(&rows[i][d], &networks[i], &course->fleet->stations[d]);
    }
    if (code == 0) code = first_passes(course, wrong, rows, i);
    systole_bar_steps(&course->bar, ++done, steps);
  }
  snprintf(course->bar.title, sizeof course->bar.title, "networks, in turn");
  for (int round = 0; round < rounds && code == 0; round++) {
    code = one_round(course, rows);
    systole_bar_steps(&course->bar, ++done, steps);
  }
  for (size_t i = 0; i < all->count; i++) {
    for (size_t d = 0; rows != NULL && d < devices; d++) {
      systole_classifier_leave(&rows[i][d]);
    }
    if (networks != NULL) systole_classifier_close(&networks[i]);
    for (size_t b = 0; b < SystoleNetworkBatches; b++) {
      for (size_t d = 0; d < devices; d++)
        systole_passes_sort(&all->runs[i][b][d].passes);
    }
  }
  free(rows);
  free(networks);
  return code;
}

/* ---- tables ---------------------------------------------------------------------- */

static void put_share(systole_table *table, systole_kind kind, double part, double whole,
                      const char *source) {
  if (kind == SYSTOLE_KIND_UNKNOWN || !(whole > 0)) {
    systole_table_empty(table);
  } else {
    systole_table_number(table, kind, 100 * part / whole, source);
  }
}

static void put_run(const systole_course *course, systole_table *table, size_t i,
                    size_t b, size_t d) {
  const systole_networks *all = &course->networks;
  const systole_network_run *run = &all->runs[i][b][d];
  const systole_station *station = &course->fleet->stations[d];
  const systole_pass *median = systole_passes_median(&run->passes);
  if (median == NULL) return;
  const systole_kind kind = systole_course_kind(station);
  const double batch = (double)all->batches[b];
  const systole_shares *shares = &median->shares;
  char source[160];
  if (kind == SYSTOLE_KIND_MODELLED) {
    snprintf(source, sizeof source,
             "packing measured (median of %zu), link assumed, cycles over the clock",
             run->passes.count);
  } else {
    snprintf(source, sizeof source, "wall time, median and quartiles of %zu passes",
             run->passes.count);
  }
  systole_table_row(table);
  systole_table_text(table, course->fleet->devices[d].name);
  systole_table_number(table, SYSTOLE_KIND_ASSUMED, (double)all->hidden[i],
                       "chosen: powers of two");
  systole_table_number(table, SYSTOLE_KIND_MODELLED,
                       systole_classifier_parameters(all->hidden[i]),
                       "785 n + n (n + 1) + 10 (n + 1): weights and biases");
  systole_table_number(table, SYSTOLE_KIND_ASSUMED, batch, "chosen");
  systole_table_bounds(table, kind, 1e3 * systole_passes_end(&run->passes, 0.25),
                       1e3 * median->end_s, 1e3 * systole_passes_end(&run->passes, 0.75),
                       source);
  systole_table_number(table, kind, 1e3 * median->device_s,
                       shares->known ? "the device alone" : "the CPU has no transfers");
  put_share(table, shares->known ? SYSTOLE_KIND_MEASURED : SYSTOLE_KIND_UNKNOWN,
            shares->host_s, median->end_s, "packing, unpacking and commands, wall time");
  put_share(table, shares->transfer_kind, shares->transfer_s, median->end_s,
            systole_shares_transfer_source(shares->transfer_kind));
  put_share(table, shares->compute_kind, shares->compute_s, median->end_s,
            "the device's cycles or profile");
  systole_table_number(table, kind, batch / median->end_s, "batch over the median time");
  systole_table_text(table, run->mismatches == 0 ? "exact" : "WRONG");
}

/* Times of one device over all sizes: from end to end, or of the device alone. */
static void collect(const systole_networks *all, size_t b, size_t d, int alone,
                    double out[SystoleNetworks]) {
  for (size_t i = 0; i < all->count; i++) {
    const systole_pass *median = systole_passes_median(&all->runs[i][b][d].passes);
    out[i] = median == NULL ? NAN : alone ? median->device_s : median->end_s;
  }
}

static void put_crossing(systole_table *table, double x, double smallest,
                         systole_kind kind) {
  if (isnan(x)) {
    systole_table_text(table, "not here");
  } else if (x <= smallest) {
    systole_table_text(table, "always");
  } else {
    systole_table_number(table, kind, x,
                         "between measured sizes, on straight lines in log-log");
  }
}

static void put_crossings(const systole_course *course, systole_tables *tables,
                          size_t cpu) {
  const systole_networks *all = &course->networks;
  double sizes[SystoleNetworks], base[SystoleNetworks], own[SystoleNetworks];
  int found = 0;
  systole_table *table = systole_tables_add(
      tables, "crossovers", "When does a device beat the CPU?",
      "Trainable parameters of the network 784-n-n-10 from which on the device answers a "
      "batch sooner than this CPU, with its transfers and without, for inference: "
      "training is not within Systole's reach. 'Not here' means that the CPU is ahead at "
      "the largest network still.");
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "batch", "batch", "");
  systole_table_column(table, "end_to_end", "faster end to end", "from parameters");
  systole_table_column(table, "device_only", "faster alone", "from parameters");
  systole_table_column(table, "speedup", "at the largest network", "times, end to end");
  for (size_t i = 0; i < all->count; i++) {
    sizes[i] = systole_classifier_parameters(all->hidden[i]);
  }
  for (size_t b = 0; b < SystoleNetworkBatches; b++) {
    for (size_t d = 0; d < course->fleet->count; d++) {
      if (d == cpu) continue;
      const systole_kind kind = systole_kind_weaker(
          SYSTOLE_KIND_MEASURED, systole_course_kind(&course->fleet->stations[d]));
      systole_table_row(table);
      systole_table_text(table, course->fleet->devices[d].name);
      systole_table_number(table, SYSTOLE_KIND_ASSUMED, (double)all->batches[b],
                           "chosen");
      for (int alone = 0; alone < 2; alone++) {
        collect(all, b, cpu, 0, base);
        collect(all, b, d, alone, own);
        const double x = systole_crossover(sizes, base, own, all->count);
        put_crossing(table, x, sizes[0], kind);
        found += !alone && !isnan(x);
      }
      collect(all, b, d, 0, own);
      systole_table_number(table, kind, base[all->count - 1] / own[all->count - 1],
                           "the CPU's median time over the device's");
    }
  }
  systole_table_finding(
      table, "%d of %zu pairs of device and batch beat this CPU from end to end.", found,
      systole_table_rows(table));
}

void systole_networks_tables(const systole_course *course, systole_tables *tables) {
  const systole_networks *all = &course->networks;
  size_t cpu = course->fleet->count;
  for (size_t d = 0; d < course->fleet->count; d++) {
    if (strcmp(course->fleet->devices[d].name, "cpu") == 0) cpu = d;
  }
  if (cpu < course->fleet->count && course->fleet->count > 1) {
    put_crossings(course, tables, cpu);
  }
  systole_table *table = systole_tables_add(
      tables, "networks", "Networks of growing size",
      "Inference of 784-n-n-10, int8, weights resident: the time from pictures in the "
      "host's memory to scores in the host's memory, the device's part of it, and where "
      "it goes. Devices took turns; grey numbers are quartiles. A simulated device's "
      "time "
      "is packing (measured here), the assumed link, and cycles over its clock.");
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "hidden", "n", "");
  systole_table_column(table, "parameters", "parameters", "");
  systole_table_column(table, "batch", "batch", "");
  systole_table_column(table, "end_to_end_ms", "end to end", "ms");
  systole_table_column(table, "device_ms", "device only", "ms");
  systole_table_column(table, "host_percent", "host", "%");
  systole_table_column(table, "transfer_percent", "transfer", "%");
  systole_table_column(table, "compute_percent", "compute", "%");
  systole_table_column(table, "per_second", "inferences", "per s");
  systole_table_column(table, "result", "result", "");
  for (size_t b = 0; b < SystoleNetworkBatches; b++) {
    for (size_t i = 0; i < all->count; i++) {
      for (size_t d = 0; d < course->fleet->count; d++) put_run(course, table, i, b, d);
    }
  }
}
