/* The course's facts and formulas: published tables with their sources, Amdahl, training
 * cost, crossovers, shares of time. */
#include "course/course.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "course/classifier.h"
#include "memory_speed.h"
#include "report/formulas.h"
#include "report/records.h"
#include "report/shares.h"
#include "story.h"

/* ---- published facts ------------------------------------------------------------- */

static const char head[] = "# a comment, with a comma\nname,watt#,source\n";

static int parse(systole_records **out, const char *rows) {
  char text[1024];
  snprintf(text, sizeof text, "%s%s", head, rows);
  return systole_records_parse(out, "the test's table", text);
}

/* Refused as bad input, with a sentence that has these words. */
static void refused(const char *rows, const char *first, const char *second) {
  systole_records *records = NULL;
  cr_assert_eq(parse(&records, rows), SYSTOLE_EXIT_USAGE, "%s", rows);
  cr_assert_null(records);
  cr_assert_not_null(strstr(systole_story_text(), first), "%s", systole_story_text());
  cr_assert_not_null(strstr(systole_story_text(), second), "%s", systole_story_text());
}

Test(records, without_a_source_are_refused) {
  refused("a,1,here\nb,2,\n", "line 4", "'b' has no source");
  refused("b,2,   \n", "line 3", "no source");
  refused("b,2,\"\"\n", "line 3", "no source");
  refused("b,2,?\n", "line 3", "no source");
  refused("b,2,n/a\n", "line 3", "no source");
  refused("b,2\n", "line 3", "fields");
  refused("b,2,here,there\n", "line 3", "fields");
  refused("b,about 2,here\n", "line 3", "'about 2' is no number");
  refused("b,nan,here\n", "line 3", "no number");
  refused("b,2,\"here\n", "line 3", "quote");
  refused("b,2,\"here\"there\n", "line 3", "quote");
}

Test(records, need_a_column_of_sources) {
  systole_records *records = NULL;
  cr_assert_eq(systole_records_parse(&records, "t", "name,watt#\na,1\n"),
               SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "source"));
  cr_assert_eq(systole_records_parse(&records, "t", ""), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_records_parse(&records, "t", "# nothing\n"), SYSTOLE_EXIT_USAGE);
  char wide[256] = "";
  for (int i = 0; i < 40; i++) strcat(wide, "x,");
  strcat(wide, "source\n");
  cr_assert_eq(systole_records_parse(&records, "t", wide), SYSTOLE_EXIT_USAGE);
  cr_assert_null(records);
}

Test(records, keep_quotes_and_what_is_not_known) {
  systole_records *records = NULL;
  cr_assert_eq(
      parse(&records, "\"a, \"\"b\"\"\",,\"paper; table 2, page 3\"\r\n\nc,1e3,d"), 0);
  cr_assert_eq(systole_records_count(records), 2);
  cr_assert_str_eq(systole_records_text(records, 0, "name"), "a, \"b\"");
  cr_assert(isnan(systole_records_number(records, 0, "watt")), "unknown is not zero");
  cr_assert_str_eq(systole_records_text(records, 0, "source"), "paper; table 2, page 3");
  cr_assert_eq(systole_records_number(records, 1, "watt"), 1000);
  systole_records_free(records);
}

Test(records, of_the_program_all_have_sources) {
  static const char *const names[] = {"devices", "serving",  "tasks",
                                      "scales",  "training", "formats"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    systole_records *records = NULL;
    cr_assert_eq(systole_records_builtin(&records, names[i]), 0, "%s: %s", names[i],
                 systole_story_text());
    cr_assert_geq(systole_records_count(records), 2, "%s", names[i]);
    for (size_t row = 0; row < systole_records_count(records); row++) {
      cr_assert_geq(strlen(systole_records_text(records, row, "source")), 20, "%s, %zu",
                    names[i], row);
    }
    systole_records_free(records);
  }
}

/* Facts that anybody can look up; a slip of a column would move them. */
Test(records, of_devices_are_the_published_ones) {
  static const struct {
    const char *name, *precision;
    double gops, watt;
  } known[] = {{"Google TPU v1", "int8", 92000, 75},
               {"Google Edge TPU", "int8", 4000, 2},
               {"NVIDIA T4", "int8", 130000, 70},
               {"NVIDIA A100 40GB PCIe", "bf16", 312000, 250},
               {"AMD Alveo U250", "int8", 33300, 225}};
  systole_records *records = NULL;
  cr_assert_eq(systole_records_builtin(&records, "devices"), 0);
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    int found = 0;
    for (size_t row = 0; row < systole_records_count(records); row++) {
      if (strcmp(systole_records_text(records, row, "name"), known[i].name) != 0 ||
          strcmp(systole_records_text(records, row, "precision"), known[i].precision)) {
        continue;
      }
      found++;
      cr_assert_eq(systole_records_number(records, row, "peak_gops"), known[i].gops);
      cr_assert_eq(systole_records_number(records, row, "power_w"), known[i].watt);
    }
    cr_assert_eq(found, 1, "%s", known[i].name);
  }
  for (size_t row = 0; row < systole_records_count(records); row++) {
    const char *kind = systole_records_text(records, row, "power_kind");
    const double watt = systole_records_number(records, row, "power_w");
    cr_assert(isnan(watt) ? kind[0] == '\0'
                          : strcmp(kind, "tdp") == 0 || strcmp(kind, "busy") == 0,
              "%s: power of kind '%s'", systole_records_text(records, row, "name"), kind);
    const double price = systole_records_number(records, row, "price");
    cr_assert_eq(isnan(price), systole_records_text(records, row, "currency")[0] == '\0');
  }
  systole_records_free(records);
}

Test(records, of_a_file_have_the_same_columns) {
  char path[] = "/tmp/systole-course-XXXXXX";
  const int file = mkstemp(path);
  systole_records *records = NULL;
  cr_assert_geq(file, 0);
  const char good[] =
      "name,kind,year#,precision,peak_gops#,rmax_gops#,power_w#,power_kind,mem_gbs#,"
      "onchip_mib#,process_nm#,clock_mhz#,price#,currency,source\n"
      "mine,fpga,2026,int8,100,,5,busy,,,,,,,\"measured, our lab\"\n";
  cr_assert_eq(write(file, good, sizeof good - 1), (ssize_t)(sizeof good - 1));
  cr_assert_eq(systole_records_file(&records, "devices", path), 0, "%s",
               systole_story_text());
  cr_assert_eq(systole_records_number(records, 0, "power_w"), 5);
  systole_records_free(records);
  cr_assert_eq(ftruncate(file, 0), 0);
  cr_assert_eq(pwrite(file, "name,source\na,b\n", 16, 0), 16);
  cr_assert_eq(systole_records_file(&records, "devices", path), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "kind"), "%s", systole_story_text());
  cr_assert_null(records);
  close(file);
  unlink(path);
  cr_assert_eq(systole_records_file(&records, "devices", path), SYSTOLE_EXIT_USAGE);
}

/* ---- formulas -------------------------------------------------------------------- */

Test(amdahl, has_its_limits) {
  cr_assert_float_eq(systole_amdahl(0.5, 2), 4.0 / 3, 1e-12);
  cr_assert_float_eq(systole_amdahl(0, 1000), 1, 1e-12);
  cr_assert_float_eq(systole_amdahl(1, 8), 8, 1e-12);
  cr_assert_float_eq(systole_amdahl(0.95, INFINITY), systole_amdahl_limit(0.95), 1e-9);
  cr_assert_float_eq(systole_amdahl_limit(0.95), 20, 1e-9);
  cr_assert_lt(systole_amdahl(0.9, 0.5), 1, "what is slower alone slows the whole");
  cr_assert(isinf(systole_amdahl_limit(1)));
  cr_assert(isnan(systole_amdahl(1.1, 2)));
  cr_assert(isnan(systole_amdahl(0.5, 0)));
}

/* GPT-3 841,346 USD, Chinchilla 1,745,014, PaLM 6,750,000: to the dollar. */
Test(training, costs_what_was_published) {
  systole_records *records = NULL;
  cr_assert_eq(systole_records_builtin(&records, "training"), 0);
  cr_assert_eq(systole_records_count(records), 3);
  for (size_t i = 0; i < systole_records_count(records); i++) {
    const double share = systole_records_number(records, i, "utilisation");
    const double seconds =
        systole_training_seconds(systole_records_number(records, i, "parameters"),
                                 systole_records_number(records, i, "tokens"),
                                 systole_records_number(records, i, "peak_gops"), share);
    cr_assert_float_eq(
        systole_rent(seconds, systole_records_number(records, i, "usd_per_hour")),
        systole_records_number(records, i, "usd"), 0.5, "%s",
        systole_records_text(records, i, "name"));
    cr_assert(share >= 0.4 && share <= 0.6, "the range that the source states");
  }
  systole_records_free(records);
  cr_assert_float_eq(systole_training_operations(175e9, 300e9), 3.15e23, 1e10);
  cr_assert(isnan(systole_training_seconds(1, 1, 0, 0.5)));
}

Test(energy, is_told_in_kilowatt_hours) {
  cr_assert_float_eq(systole_kwh(3.6e6), 1, 1e-12);
}

Test(crossover, lies_where_the_curves_meet) {
  const double x[] = {1, 10, 100, 1000};
  const double flat[] = {2, 2, 2, 2}, rising[] = {0.1, 1, 10, 100};
  const double humps[] = {1, 3, 1, 1}, above[] = {3, 3, 3, 3}, equal[] = {2, 2, 2, 2};
  /* 0.1 x = 2 at x = 20. */
  cr_assert_float_eq(systole_crossover(x, rising, flat, 4), 20, 1e-9);
  cr_assert(isnan(systole_crossover(x, flat, rising, 4)), "it loses in the end");
  cr_assert_eq(systole_crossover(x, above, flat, 4), 1, "ahead from the start");
  cr_assert(isnan(systole_crossover(x, flat, above, 4)));
  cr_assert(isnan(systole_crossover(x, flat, equal, 4)), "equal is not ahead");
  const double late = systole_crossover(x, flat, humps, 4);
  cr_assert(late > 10 && late < 100, "the last crossing counts, not the first: %g", late);
  cr_assert(isnan(systole_crossover(x, flat, rising, 0)));
}

Test(quantile, is_a_value_that_occurred) {
  const double values[] = {1, 2, 3, 4};
  cr_assert_eq(systole_quantile(values, 4, 0.25), 1);
  cr_assert_eq(systole_quantile(values, 4, 0.5), 2);
  cr_assert_eq(systole_quantile(values, 4, 0.75), 3);
  cr_assert_eq(systole_quantile(values, 4, 0.99), 4);
  cr_assert_eq(systole_quantile(values, 4, 0), 1);
  cr_assert_eq(systole_quantile(values, 1, 0.5), 1);
  cr_assert(isnan(systole_quantile(values, 0, 0.5)));
}

Test(parameters, are_those_of_the_slides) {
  cr_assert_eq(systole_classifier_parameters(4096), 20037642);
  cr_assert_eq(systole_classifier_parameters(1), 785 + 2 + 20);
  cr_assert_eq(systole_classifier_macs(4096), 784.0 * 4096 + 4096.0 * 4096 + 40960);
}

/* ---- shares of time --------------------------------------------------------------- */

Test(shares, of_a_simulated_card_have_an_assumed_link) {
  const systole_geometry g = {.dim = 16};
  systole_stats s = {.has_cycles = 1,
                     .seconds = 2e-3,
                     .wall_s = 10,
                     .host_share = 1e-4,
                     .clock_kind = SYSTOLE_KIND_ASSUMED};
  systole_shares shares;
  /* 17 columns are two blocks of 16: 3 x 32 in, 3 x 16 int32 out. */
  cr_assert_eq(systole_shares_link_bytes(&g, 3, 16, 17, 0, 0), 3 * 32 + 3 * 16 * 4);
  cr_assert_eq(systole_shares_link_bytes(&g, 3, 16, 17, 1, 1), 3 * 32 + 3 * 16 + 32 * 16);
  systole_shares_of(&shares, &s, &g, 15.7538e6);
  cr_assert(shares.known);
  cr_assert_float_eq(shares.host_s, 1e-3, 1e-12);
  cr_assert_float_eq(shares.transfer_s, 1e-3, 1e-7);
  cr_assert_eq(shares.transfer_kind, SYSTOLE_KIND_ASSUMED);
  cr_assert_eq(shares.compute_s, 2e-3);
  cr_assert_eq(shares.compute_kind, SYSTOLE_KIND_MODELLED);
  cr_assert_float_eq(systole_shares_total(&shares), 4e-3, 1e-7);
}

Test(shares, of_a_real_card_hide_the_transfers_in_the_host) {
  const systole_geometry g = {.dim = 16};
  const systole_stats s = {.has_cycles = 1,
                           .seconds = 2e-3,
                           .wall_s = 5e-3,
                           .host_share = 0.6,
                           .clock_kind = SYSTOLE_KIND_MEASURED};
  systole_shares shares;
  systole_shares_of(&shares, &s, &g, 1e9);
  cr_assert_eq(shares.transfer_kind, SYSTOLE_KIND_UNKNOWN);
  cr_assert_eq(shares.transfer_s, 0);
  cr_assert_eq(shares.compute_kind, SYSTOLE_KIND_MEASURED);
}

Test(shares, of_a_gpu_are_its_own_profile) {
  const systole_geometry none = {0};
  const systole_stats s = {.seconds = 1e-3, .compute_s = 6e-4, .transfer_s = 3e-4};
  systole_shares shares;
  systole_shares_of(&shares, &s, &none, 0);
  cr_assert(shares.known);
  cr_assert_float_eq(shares.host_s, 1e-4, 1e-12);
  cr_assert_eq(shares.transfer_kind, SYSTOLE_KIND_MEASURED);
  const systole_stats cpu = {.seconds = 1e-3};
  systole_shares_of(&shares, &cpu, &none, 0);
  cr_assert_not(shares.known, "a CPU has no transfers");
}

/* Slower than a disk or faster than any memory is no memory's speed. */
Test(memory_speed, is_one) {
  const double one = systole_memory_speed(1);
  if (one == 0) cr_skip_test("there is no memory for it");
  cr_assert(one > 0.2 && one < 5000, "%g GB/s", one);
}

/* ---- what a course refuses -------------------------------------------------------- */

Test(course, refuses_prices_that_are_none) {
  static const char *const bad[] = {"cpu", "cpu=",  "cpu=-1",   "cpu=0",
                                    "=3",  "cpu=x", "cpu=1,tpu"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const systole_course_request request = {.prices = bad[i]};
    systole_course *course = NULL;
    cr_assert_eq(systole_course_open(&course, &request), SYSTOLE_EXIT_USAGE, "%s",
                 bad[i]);
    cr_assert_null(course);
  }
  const systole_course_request good = {.prices = "cpu=0.05,model:64=1.65"};
  systole_course *course = NULL;
  cr_assert_eq(systole_course_open(&course, &good), 0);
  systole_course_close(course);
}
