/* How much faster is a machine with shorter numbers? */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "course/parts.h"

/* The run of the same product on another device of the report; NULL: none. */
static const systole_result *same_product(const systole_report *report,
                                          const systole_result *r, const char *device) {
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *other = &report->results[i];
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
                       "median and quartiles of the wall time");
  systole_table_bounds(table, SYSTOLE_KIND_MEASURED, slow / base->stats.gops,
                       r->stats.gops / base->stats.gops, fast / base->stats.gops,
                       "over the median of float32 on the same machine");
  if (percent >= 0) {
    systole_table_number(table, SYSTOLE_KIND_MEASURED, percent,
                         "of a register-only loop in the same format");
  }
}

void systole_formats_table(const systole_course *course, systole_tables *tables,
                           const systole_report *report) {
  systole_table *table = NULL;
  double best = 0, largest = 0;
  char best_name[160] = "";
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    char float32[64], machine[64];
    if (r->stats.has_cycles || !(r->stats.gops > 0)) continue;
    if (systole_device_in_format(float32, sizeof float32, r->device,
                                 SYSTOLE_FORMAT_F32) != SYSTOLE_OK ||
        systole_device_in_format(machine, sizeof machine, r->device, SYSTOLE_FORMAT_S8) !=
            SYSTOLE_OK) {
      continue;
    }
    const systole_result *base = same_product(report, r, float32);
    if (base == NULL) continue;
    if (table == NULL) {
      table = systole_tables_add(
          tables, "formats", "Speed-up by number format",
          "The same products in every format that a device here has, measured, against "
          "float32 on the same machine; grey numbers are quartiles. The published range "
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
