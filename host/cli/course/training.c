/* What it would cost to train a language model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "course/parts.h"
#include "report/formulas.h"

static const double hours_of_a_year = 24 * 365.25;

/* --price is checked already. NAN: none was given. */
static double price_of(const char *prices, const char *device) {
  const size_t length = strlen(device);
  double found = NAN;
  for (const char *at = prices; at != NULL && *at != '\0';) {
    const size_t part = strcspn(at, ",");
    size_t name = part;
    while (name > 0 && at[name - 1] != '=') name--;
    if (name == length + 1 && strncmp(at, device, length) == 0) {
      found = strtod(at + name, NULL);
    }
    at += part + (at[part] == ',');
  }
  return found;
}

static void put_model(systole_table *table, double parameters, double tokens,
                      systole_kind kind, const char *source) {
  systole_table_number(table, kind, parameters / 1e9, source);
  systole_table_number(table, kind, tokens / 1e9, source);
}

static void put_device(const systole_course *course, systole_table *table,
                       const systole_report *report, size_t d) {
  const systole_course_request *request = &course->request;
  const systole_result *best = systole_course_best(report, d);
  const double peak = report->devices[d].peak_gops;
  if (best == NULL || !(peak > 0)) return;
  const systole_kind kind =
      systole_result_is_modelled(best) ? SYSTOLE_KIND_MODELLED : SYSTOLE_KIND_MEASURED;
  const double share = best->stats.gops / peak;
  const double seconds =
      systole_training_seconds(request->parameters, request->tokens, peak, share);
  const double price = price_of(request->prices, report->devices[d].name);
  systole_table_row(table);
  systole_table_text(table, "the same model");
  put_model(table, request->parameters, request->tokens, SYSTOLE_KIND_ASSUMED,
            "--parameters and --tokens");
  systole_table_text(table, report->devices[d].name);
  systole_table_number(table, report->devices[d].peak_kind, peak, "Rpeak");
  systole_table_number(table, systole_kind_weaker(kind, report->devices[d].peak_kind),
                       100 * share, best->label);
  systole_table_number(table, kind, seconds / 3600 / hours_of_a_year,
                       "6 P T operations over the throughput that was reached");
  if (isnan(price)) {
    systole_table_empty(table);
    systole_table_empty(table);
  } else {
    systole_table_number(table, SYSTOLE_KIND_ASSUMED, price, "--price");
    systole_table_number(table, SYSTOLE_KIND_ASSUMED, systole_rent(seconds, price),
                         "hours times the price");
  }
}

void systole_training_table(const systole_course *course, systole_tables *tables,
                            const systole_report *report) {
  const systole_records *published = course->training;
  systole_table *table = systole_tables_add(
      tables, "training", "What training a language model costs",
      "Training takes about 6 operations for each parameter and token. Over peak times "
      "utilisation that is time, and time is rent. The published rows come out to the "
      "dollar with the utilisation shown, which their cost implies. Below them the first "
      "model, or that of --parameters and --tokens, on one device here with the share of "
      "its peak that its best int8 product reached: a bound, since int8 products do not "
      "train, and one device does not hold such a model. Prices are given with --price.");
  systole_table_column(table, "model", "model", "");
  systole_table_column(table, "parameters_g", "parameters", "10\u2079");
  systole_table_column(table, "tokens_g", "tokens", "10\u2079");
  systole_table_column(table, "device", "device", "");
  systole_table_column(table, "peak_gops", "peak", "GOP/s");
  systole_table_column(table, "utilisation_percent", "utilisation", "%");
  systole_table_column(table, "years", "device years", "");
  systole_table_column(table, "usd_per_hour", "rent", "USD per hour");
  systole_table_column(table, "usd", "cost", "USD");
  systole_table_column(table, "published_usd", "published", "USD");
  for (size_t i = 0; i < systole_records_count(published); i++) {
    const char *source = systole_records_text(published, i, "source");
    const double parameters = systole_records_number(published, i, "parameters");
    const double tokens = systole_records_number(published, i, "tokens");
    const double peak = systole_records_number(published, i, "peak_gops");
    const double share = systole_records_number(published, i, "utilisation");
    const double rent = systole_records_number(published, i, "usd_per_hour");
    const double seconds = systole_training_seconds(parameters, tokens, peak, share);
    systole_table_row(table);
    systole_table_text(table, systole_records_text(published, i, "name"));
    put_model(table, parameters, tokens, SYSTOLE_KIND_PUBLISHED, source);
    systole_table_text(table, "NVIDIA A100");
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED, peak, source);
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED, 100 * share, source);
    systole_table_number(table, SYSTOLE_KIND_MODELLED, seconds / 3600 / hours_of_a_year,
                         "6 P T operations over peak times utilisation");
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED, rent, source);
    systole_table_number(table, SYSTOLE_KIND_MODELLED, systole_rent(seconds, rent),
                         "hours times the price");
    systole_table_number(table, SYSTOLE_KIND_PUBLISHED,
                         systole_records_number(published, i, "usd"), source);
  }
  for (size_t d = 0; d < report->device_count; d++) {
    put_device(course, table, report, d);
  }
}
