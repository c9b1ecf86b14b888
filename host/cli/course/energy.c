/* Energy of an inference beside published tasks and people, and of an operation beside
 * Landauer's limit. */
#include "systole/energy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "course/parts.h"
#include "report/formulas.h"

/* A day of a person, kWh; NAN when the table lacks it. */
static double person_day(const systole_course *course, const char **source) {
  for (size_t i = 0; i < systole_records_count(course->scales); i++) {
    if (strcmp(systole_records_text(course->scales, i, "name"), "a person for a day") !=
        0) {
      continue;
    }
    *source = systole_records_text(course->scales, i, "source");
    return systole_records_number(course->scales, i, "kwh");
  }
  return NAN;
}

static void put_row(systole_table *table, const char *what, const char *who,
                    systole_kind kind, double low, double value, double high,
                    const char *source, double day) {
  systole_table_row(table);
  systole_table_text(table, what);
  systole_table_text(table, who);
  systole_table_bounds(table, kind, low, value, high, source);
  char over[64];
  snprintf(over, sizeof over, "over what a person takes, %.4g kWh a day", day);
  systole_table_bounds(table, kind, 86400 * low / day, 86400 * value / day,
                       86400 * high / day, over);
}

static void put_inferences(const systole_course *course, systole_tables *tables) {
  const systole_networks *all = &course->networks;
  const char *day_source = "";
  const double day = person_day(course, &day_source);
  systole_table *table = systole_tables_add(
      tables, "energy_per_inference", "Energy of a thousand inferences",
      "The largest network of this run on each device here, whose energy is measured or "
      "modelled with bounds, beside published tasks on data-centre GPUs, a person and "
      "the "
      "training of GPT-4. A classifier of digits is a small task: compare within a "
      "column, not the devices of one row with those of another. Device energy only; "
      "published figures include the rest of the server.");
  systole_table_column(table, "task", "a thousand times", "");
  systole_table_column(table, "device", "on", "");
  systole_table_column(table, "kwh", "energy", "kWh");
  systole_table_column(table, "person_s", "a person lives on it for", "s");
  for (size_t d = 0; d < course->fleet->count && all->count > 0; d++) {
    for (size_t b = 0; b < SystoleNetworkBatches; b++) {
      const systole_network_run *run = &all->runs[all->count - 1][b][d];
      const systole_pass *median = systole_passes_median(&run->passes);
      if (median == NULL || median->energy_j.kind == SYSTOLE_KIND_UNKNOWN) continue;
      const double each = 1000 / (double)all->batches[b];
      const systole_bounds *e = &median->energy_j;
      char what[96];
      snprintf(what, sizeof what, "784-%lld-%lld-10, batch %lld",
               (long long)all->hidden[all->count - 1],
               (long long)all->hidden[all->count - 1], (long long)all->batches[b]);
      put_row(table, what, course->fleet->devices[d].name, e->kind,
              systole_kwh(each * e->low), systole_kwh(each * e->nominal),
              systole_kwh(each * e->high), "energy of the device's run; docs/energy.md",
              day);
    }
  }
  for (size_t i = 0; i < systole_records_count(course->tasks); i++) {
    const double kwh = systole_records_number(course->tasks, i, "kwh_per_1000");
    put_row(table, systole_records_text(course->tasks, i, "task"), "data-centre GPU",
            SYSTOLE_KIND_PUBLISHED, kwh, kwh, kwh,
            systole_records_text(course->tasks, i, "source"), day);
  }
  for (size_t i = 0; i < systole_records_count(course->scales); i++) {
    const double kwh = systole_records_number(course->scales, i, "kwh");
    put_row(table, "", systole_records_text(course->scales, i, "name"),
            SYSTOLE_KIND_PUBLISHED, kwh, kwh, kwh,
            systole_records_text(course->scales, i, "source"), day);
  }
}

static void put_operations(systole_tables *tables, const systole_report *report) {
  systole_table *table = systole_tables_add(
      tables, "energy_per_operation", "Energy of an operation, and Landauer's limit",
      "Of the best product of each device: one multiply-accumulate is two operations. "
      "Erasing one bit at 300 K takes at least k T ln 2 (Landauer 1961), and a "
      "multiply-accumulate erases the 32 bits of the sum that it overwrites; how many "
      "times that it takes says how far these machines are from physics, not how far "
      "they could come.");
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "pj_per_operation", "energy", "pJ per operation");
  systole_table_column(table, "landauer", "over Landauer's limit", "times");
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_result *best = systole_course_best(report, d);
    if (best == NULL || best->stats.energy_j.kind == SYSTOLE_KIND_UNKNOWN) continue;
    const systole_bounds *e = &best->stats.energy_j;
    const double operations = 2 * (double)best->stats.macs;
    systole_table_row(table);
    systole_table_text(table, report->devices[d].name);
    systole_table_bounds(table, e->kind, 1e12 * e->low / operations,
                         1e12 * e->nominal / operations, 1e12 * e->high / operations,
                         "energy of its best product; docs/energy.md");
    const systole_bounds times = systole_energy_landauer_times(e, best->stats.macs);
    systole_table_bounds(table, times.kind, times.low, times.nominal, times.high,
                         "energy over MACs x 32 x k T ln 2 at 300 K");
  }
  systole_table_row(table);
  systole_table_text(table, "Landauer's limit, 32 bits a MAC at 300 K");
  systole_table_number(table, SYSTOLE_KIND_PUBLISHED,
                       0.5e12 * systole_energy_landauer_j(1),
                       "R. Landauer, IBM Journal 5(3), 1961; k = 1.380649e-23 J/K");
  systole_table_number(table, SYSTOLE_KIND_PUBLISHED, 1, "by definition");
}

void systole_energy_tables(const systole_course *course, systole_tables *tables,
                           const systole_report *report) {
  put_inferences(course, tables);
  put_operations(tables, report);
}
