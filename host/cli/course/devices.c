/* The devices here beside published ones: throughput, power, price, Rmax and Rpeak. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "course/parts.h"

static void put_published(systole_table *table, double value, const char *source) {
  if (isnan(value)) {
    systole_table_empty(table);
  } else {
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED, value, source);
  }
}

static double over(double a, double b) { return b > 0 ? a / b : NAN; }

static const char *class_of(const systole_report_device *device) {
  return device->geometry.dim > 0 ? "systole" : device->kind;
}

static void put_bounds(systole_table *table, const systole_bounds *bounds,
                       const char *source) {
  if (bounds->kind == SYSTOLE_KIND_UNKNOWN) {
    systole_table_empty(table);
  } else {
    systole_table_bounds(table, bounds->kind, bounds->low, bounds->nominal, bounds->high,
                         source);
  }
}

static void put_records(systole_table *table, const systole_records *records) {
  for (size_t i = 0; i < systole_records_count(records); i++) {
    const double gops = systole_records_number(records, i, "peak_gops");
    const double power = systole_records_number(records, i, "power_w");
    const double price = systole_records_number(records, i, "price");
    const char *source = systole_records_text(records, i, "source");
    const char *currency = systole_records_text(records, i, "currency");
    const int bought = !isnan(price) && strstr(currency, "hour") == NULL;
    systole_table_row(table);
    systole_table_text(table, systole_records_text(records, i, "name"));
    systole_table_text(table, systole_records_text(records, i, "kind"));
    systole_table_text(table, systole_records_text(records, i, "precision"));
    put_published(table, gops, source);
    char power_source[400];
    snprintf(power_source, sizeof power_source, "%s. %s",
             strcmp(systole_records_text(records, i, "power_kind"), "busy") == 0
                 ? "Measured busy power"
                 : "Thermal design power or the board's limit",
             source);
    put_published(table, power, power_source);
    put_published(table, over(gops, power), source);
    put_published(table, price, source);
    systole_table_text(table, currency);
    put_published(table, bought ? over(gops, price) : NAN, source);
  }
}

static void put_efficiency(const systole_course *course, systole_tables *tables,
                           const systole_report *report) {
  systole_table *table = systole_tables_add(
      tables, "efficiency", "Operations per watt and per dollar",
      "Throughput over power and over price. Published rows give peak throughput and the "
      "thermal design power or a measured busy power, which the number's origin says; "
      "the "
      "devices here give the best product of this run and its power, with bounds where "
      "it "
      "is modelled. The two differ on purpose: a peak is a promise. GOP/s are GFLOP/s in "
      "the floating-point rows. What is empty is not known.");
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "class", "class", "");
  systole_table_column(table, "format", "format", "");
  systole_table_column(table, "gops", "throughput", "GOP/s");
  systole_table_column(table, "power_w", "power", "W");
  systole_table_column(table, "gops_per_w", "per watt", "GOP/s/W");
  systole_table_column(table, "price", "price", "");
  systole_table_column(table, "currency", "in", "");
  systole_table_column(table, "gops_per_price", "per unit of money", "GOP/s");
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_result *best = systole_course_best(report, d);
    if (best == NULL) continue;
    const systole_bounds efficiency = systole_result_efficiency(best);
    const int modelled = systole_result_is_modelled(best);
    char source[128];
    snprintf(source, sizeof source, "%s%s", best->label,
             modelled ? ", cycles over the clock" : ", median wall time");
    systole_table_row(table);
    systole_table_text(table, report->devices[d].name);
    systole_table_text(table, class_of(&report->devices[d]));
    systole_table_text(table, systole_course_format(report->devices[d].name));
    systole_table_number(table, modelled ? SYSTOLE_KIND_MODELLED : SYSTOLE_KIND_MEASURED,
                         best->stats.gops, source);
    put_bounds(table, &best->stats.power_w, "during that product; docs/energy.md");
    put_bounds(table, &efficiency, "throughput over power, bounds of the power");
  }
  put_records(table, course->devices);
  put_records(table, course->more);
}

static void put_top(const systole_course *course, systole_tables *tables,
                    const systole_report *report) {
  systole_table *table = systole_tables_add(
      tables, "top500", "As in the TOP500 list",
      "Rmax is the best that was reached, Rpeak what the hardware could do. The list "
      "ranks "
      "by Linpack in 64-bit floating point; the devices here by the best product of this "
      "run, so the numbers compare in form, not in kind of work. Rpeak of an array is "
      "2 Dim\u00b2 operations a cycle at its clock, of the CPU its register-only loop.");
  systole_table_column(table, "system", "system", "");
  systole_table_column(table, "format", "format", "");
  systole_table_column(table, "rmax_gops", "Rmax", "GOP/s");
  systole_table_column(table, "rpeak_gops", "Rpeak", "GOP/s");
  systole_table_column(table, "percent", "Rmax / Rpeak", "%");
  systole_table_column(table, "power_w", "power", "W");
  systole_table_column(table, "gops_per_w", "Rmax / power", "GOP/s/W");
  const systole_records *published = course->devices;
  for (size_t i = 0; i < systole_records_count(published); i++) {
    const double rmax = systole_records_number(published, i, "rmax_gops");
    const double rpeak = systole_records_number(published, i, "peak_gops");
    const double power = systole_records_number(published, i, "power_w");
    const char *source = systole_records_text(published, i, "source");
    if (isnan(rmax)) continue;
    systole_table_row(table);
    systole_table_text(table, systole_records_text(published, i, "name"));
    systole_table_text(table, systole_records_text(published, i, "precision"));
    put_published(table, rmax, source);
    put_published(table, rpeak, source);
    put_published(table, 100 * rmax / rpeak, source);
    put_published(table, power, source);
    put_published(table, over(rmax, power), source);
  }
  for (size_t d = 0; d < report->device_count; d++) {
    const systole_report_device *device = &report->devices[d];
    const systole_result *best = systole_course_best(report, d);
    if (best == NULL) continue;
    const systole_bounds efficiency = systole_result_efficiency(best);
    const systole_kind kind =
        systole_result_is_modelled(best) ? SYSTOLE_KIND_MODELLED : SYSTOLE_KIND_MEASURED;
    systole_table_row(table);
    systole_table_text(table, device->name);
    systole_table_text(table, systole_course_format(device->name));
    systole_table_number(table, kind, best->stats.gops, best->label);
    if (device->peak_gops > 0 && device->peak_kind != SYSTOLE_KIND_UNKNOWN) {
      const char *source = device->geometry.dim > 0
                               ? "2 Dim\u00b2 operations a cycle at its clock"
                               : "register-only loop on this machine";
      systole_table_number(table, device->peak_kind, device->peak_gops, source);
      systole_table_number(table, systole_kind_weaker(kind, device->peak_kind),
                           100 * best->stats.gops / device->peak_gops, "Rmax over Rpeak");
    } else {
      systole_table_empty(table);
      systole_table_empty(table);
    }
    put_bounds(table, &best->stats.power_w, "during that product; docs/energy.md");
    put_bounds(table, &efficiency, "Rmax over power, bounds of the power");
  }
}

void systole_devices_tables(const systole_course *course, systole_tables *tables,
                            const systole_report *report) {
  put_efficiency(course, tables, report);
  put_top(course, tables, report);
}
