/* Results as JSON and CSV, the page, numbers of the command line, checks of products. */
#include "report/report.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "number.h"
#include "operands.h"
#include "report/base64.h"
#include "report/csv.h"
#include "report/html.h"
#include "report/json.h"
#include "story.h"
#include "text.h"

static systole_result array_result(void) {
  systole_result r = {.device = "rtl:16",
                      .workload = "gemm",
                      .label = "256 x 256 x 256",
                      .m = 256,
                      .n = 256,
                      .k = 256,
                      .has_seed = 1,
                      .seed = UINT64_MAX,
                      .checked = 1,
                      .checked_by = "cpu",
                      .repeats = 1,
                      .geometry = {.dim = 16, .axi_bytes = 16, .weight_ports = 1}};
  systole_stats *s = &r.stats;
  s->macs = 16777216;
  s->has_cycles = 1;
  s->cycles = 66900;
  s->clock_mhz = 300;
  s->clock_kind = SYSTOLE_KIND_ASSUMED;
  s->memory = "ideal";
  s->utilisation = 0.9796;
  s->utilisation_ceiling = 1;
  s->ledger = (systole_ledger){65536, 310, 1000, 50, 2, 1, 1, 0};
  s->dram_read_bytes = 131072;
  s->dram_write_bytes = 262144;
  s->seconds = 0.000223;
  s->gops = 150.4;
  s->wall_s = 0.021;
  s->cpu_s = 0.020;
  s->sim_cpu_s = 0.02;
  s->host_share = 0.04;
  s->power_w = (systole_bounds){SYSTOLE_KIND_MODELLED, 0.8, 1.6, 3.2};
  s->energy_j = (systole_bounds){SYSTOLE_KIND_MODELLED, 1e-4, 2e-4, 4e-4};
  return r;
}

static systole_result cpu_result(void) {
  systole_result r = {.device = "cpu",
                      .workload = "gemm",
                      .label = "256 x 256 x 256",
                      .m = 256,
                      .n = 256,
                      .k = 256,
                      .checked = 1,
                      .checked_by = "plain",
                      .repeats = 9,
                      .wall_low_s = 4e-5,
                      .wall_high_s = 6e-5,
                      .threads = 2,
                      .peak_gops = 900,
                      .peak_kind = SYSTOLE_KIND_MEASURED,
                      .peak_instruction = "vpdpbusd"};
  r.stats.macs = 16777216;
  r.stats.seconds = r.stats.wall_s = 5e-5;
  r.stats.gops = 671;
  r.stats.kernel = "onednn, \"packed\"";
  return r;
}

static double number(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  cr_assert(cJSON_IsNumber(item), "%s", key);
  return item->valuedouble;
}

static const char *text(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  cr_assert(cJSON_IsString(item), "%s", key);
  return item->valuestring;
}

Test(json, of_an_array_has_every_key_of_the_contract) {
  static const char *const numbers[] = {"m",         "n",           "k",
                                        "macs",      "mismatches",  "cycles",
                                        "clock_mhz", "gops",        "wall_s",
                                        "cpu_s",     "utilisation", "utilisation_ceiling",
                                        "seconds",   "host_share",  "sim_macs_per_cpu_s"};
  const systole_result result = array_result();
  cJSON *object = systole_result_json(&result);
  char *printed = cJSON_PrintUnformatted(object);
  cr_assert_not_null(strstr(printed, "\"seed\":18446744073709551615"),
                     "whole numbers are exact");
  /* Raw numbers are text until they are read back. */
  cJSON *back = cJSON_Parse(printed);
  cr_assert_not_null(back);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    number(back, numbers[i]);
  cr_assert_str_eq(text(back, "device"), "rtl:16");
  cr_assert_str_eq(text(back, "workload"), "gemm");
  cr_assert_str_eq(text(back, "clock_kind"), "assumed");
  cr_assert_str_eq(text(back, "memory"), "ideal");
  cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(back, "checked")));
  const cJSON *ledger = cJSON_GetObjectItem(back, "ledger");
  double sum = 0;
  for (int part = 0; part < SystoleLedgerParts; part++) {
    sum += number(ledger, systole_ledger_name(part));
  }
  cr_assert_eq(sum, number(back, "cycles"));
  cr_assert_eq(number(cJSON_GetObjectItem(back, "bytes"), "dram_read"), 131072);
  cr_assert_eq(number(cJSON_GetObjectItem(back, "bytes"), "dram_write"), 262144);
  const cJSON *power = cJSON_GetObjectItem(back, "power_w");
  cr_assert_str_eq(text(power, "kind"), "modelled");
  cr_assert_eq(number(power, "low"), 0.8);
  cr_assert_eq(number(power, "high"), 3.2);
  const cJSON *efficiency = cJSON_GetObjectItem(back, "gops_per_w");
  cr_assert_float_eq(number(efficiency, "low"), 150.4 / 3.2, 1e-9);
  cr_assert_float_eq(number(efficiency, "high"), 150.4 / 0.8, 1e-9);
  const cJSON *whole = cJSON_GetObjectItem(back, "end_to_end");
  cr_assert_float_eq(number(whole, "host_s"), 0.04 * 0.021, 1e-12);
  cr_assert_eq(number(whole, "compute_s"), 0.000223);
  cr_assert_str_eq(text(whole, "transfer_kind"), "assumed");
  /* A, B in int8 and C in int32 at 15.75 GB/s. */
  cr_assert_float_eq(number(whole, "transfer_s"), 6 * 65536 / 15.753846e9, 1e-9);
  cr_assert_float_eq(
      number(whole, "seconds"),
      number(whole, "host_s") + number(whole, "transfer_s") + number(whole, "compute_s"),
      1e-12);
  cr_assert_null(cJSON_GetObjectItem(back, "kernel"));
  cr_assert_null(cJSON_GetObjectItem(back, "peak_gops"));
  cJSON_Delete(back);
  cJSON_free(printed);
  cJSON_Delete(object);
}

Test(json, leaves_out_what_is_not_known) {
  static const char *const absent[] = {"cycles",    "ledger",     "utilisation",
                                       "clock_mhz", "memory",     "power_w",
                                       "energy_j",  "gops_per_w", "end_to_end",
                                       "seed",      "dim",        "sim_macs_per_cpu_s"};
  systole_result result = cpu_result();
  cJSON *object = systole_result_json(&result);
  for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
    cr_assert_null(cJSON_GetObjectItem(object, absent[i]), "%s", absent[i]);
  }
  cr_assert_eq(number(object, "threads"), 2);
  cr_assert_str_eq(text(object, "peak_kind"), "measured");
  cr_assert_float_eq(number(object, "percent_of_peak"), 100 * 671.0 / 900, 1e-9);
  cJSON_Delete(object);
  result.checked = 0;
  object = systole_result_json(&result);
  cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(object, "checked")));
  cr_assert_null(cJSON_GetObjectItem(object, "mismatches"));
  cJSON_Delete(object);
  result = array_result();
  result.stats.utilisation_ceiling = NAN;
  object = systole_result_json(&result);
  cr_assert_null(cJSON_GetObjectItem(object, "utilisation_ceiling"));
  cJSON_Delete(object);
}

static systole_report a_report(systole_result results[2],
                               systole_report_device devices[2]) {
  results[0] = array_result();
  results[1] = cpu_result();
  memset(devices, 0, 2 * sizeof *devices);
  strcpy(devices[0].name, "rtl:16");
  strcpy(devices[0].about, "array <16 & up>");
  devices[0].geometry = results[0].geometry;
  devices[0].peak_gops = systole_report_array_peak(&results[0]);
  devices[0].bandwidth_gbs = systole_report_array_bandwidth(&results[0]);
  strcpy(devices[1].name, "cpu");
  devices[1].peak_gops = 900;
  devices[1].peak_kind = SYSTOLE_KIND_MEASURED;
  return (systole_report){.version = "1.2.3",
                          .command = "systole compare --out <x>",
                          .workload = "gemm",
                          .title = "one & two",
                          .date = "2025-01-01T00:00:00Z",
                          .machine = {.cpu = "a CPU", .cores = 2},
                          .devices = devices,
                          .device_count = 2,
                          .results = results,
                          .result_count = 2,
                          .wall_s = 1};
}

Test(json, of_a_report_says_who_where_and_when) {
  systole_result results[2];
  systole_report_device devices[2];
  const systole_report report = a_report(results, devices);
  cJSON *object = systole_report_json(&report);
  cr_assert_eq(number(object, "schema"), 1);
  cr_assert_str_eq(text(object, "version"), "1.2.3");
  cr_assert_str_eq(text(object, "date"), "2025-01-01T00:00:00Z");
  cr_assert_str_eq(text(cJSON_GetObjectItem(object, "machine"), "cpu"), "a CPU");
  cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(object, "results")), 2);
  const cJSON *list = cJSON_GetObjectItem(object, "devices");
  cr_assert_eq(cJSON_GetArraySize(list), 2);
  cr_assert_eq(
      number(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 0), "geometry"), "dim"), 16);
  cr_assert_float_eq(number(cJSON_GetArrayItem(list, 0), "peak_gops"), 2 * 256 * 0.3,
                     1e-9);
  /* Three channels of 16 bytes at 300 MHz. */
  cr_assert_float_eq(number(cJSON_GetArrayItem(list, 0), "bandwidth_gbs"), 14.4, 1e-9);
  cJSON_Delete(object);
}

static size_t fields(const char *line) {
  size_t count = 1;
  int quoted = 0;
  for (; *line != '\0' && *line != '\n'; line++) {
    if (*line == '"') quoted = !quoted;
    if (*line == ',' && !quoted) count++;
  }
  return count;
}

Test(csv, has_one_line_per_run_and_as_many_fields_as_its_header) {
  systole_result results[2];
  systole_report_device devices[2];
  const systole_report report = a_report(results, devices);
  char *data = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&data, &size);
  systole_report_csv(file, &report);
  fclose(file);
  size_t lines = 0;
  const size_t expected = fields(data);
  cr_assert_gt(expected, 40);
  for (char *line = data; *line != '\0'; line = strchr(line, '\n') + 1) {
    cr_assert_eq(fields(line), expected, "line %zu", lines);
    lines++;
  }
  cr_assert_eq(lines, 3);
  cr_assert_not_null(strstr(data, "\"onednn, \"\"packed\"\"\""),
                     "quoted as RFC 4180 asks");
  cr_assert_not_null(
      strstr(data, "\nrtl:16,gemm,256 x 256 x 256,256,256,256,16777216,true,0,cpu,"));
  free(data);
}

static systole_tables *some_tables(void) {
  systole_tables *tables = systole_tables_new();
  systole_table *t =
      systole_tables_add(tables, "shares", "Shares <& odd>", "What is \"offloaded\".");
  systole_table_column(t, "device", "device", "");
  systole_table_column(t, "share", "offloaded", "%");
  systole_table_column(t, "price", "price", "$");
  systole_table_row(t);
  systole_table_quote(t, "a, \"quoted\" <device>", "seen & read");
  systole_table_bounds(t, SYSTOLE_KIND_MEASURED, 12.25, 12.5, 13, "median of 9 runs");
  systole_table_number(t, SYSTOLE_KIND_PUBLISHED, 999, "its maker's list, page 3");
  systole_table_row(t);
  systole_table_text(t, "cpu");
  systole_table_empty(t);
  systole_table_finding(t, "At most %d times.", 3);
  cr_assert_eq(systole_tables_story(tables), 0);
  return tables;
}

Test(table, is_the_same_in_json_csv_and_on_the_page) {
  systole_result results[2];
  systole_report_device devices[2];
  systole_report report = a_report(results, devices);
  systole_tables *tables = some_tables();
  report.tables = tables;
  cr_assert_null(systole_report_table(&report, "other"));
  const systole_table *t = systole_report_table(&report, "shares");
  cr_assert_eq(systole_table_rows(t), 2);
  cr_assert_eq(systole_table_get(t, 0, "price")->value, 999);
  cr_assert_eq(systole_table_get(t, 1, "price")->kind, SYSTOLE_KIND_UNKNOWN);
  cr_assert_eq(systole_table_get(t, 0, "nothing")->kind, SYSTOLE_KIND_UNKNOWN);

  cJSON *object = systole_report_json(&report);
  const cJSON *table = cJSON_GetArrayItem(cJSON_GetObjectItem(object, "tables"), 0);
  cr_assert_str_eq(text(table, "name"), "shares");
  cr_assert_str_eq(text(table, "finding"), "At most 3 times.");
  cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(table, "columns")), 3);
  const cJSON *rows = cJSON_GetObjectItem(table, "rows");
  const cJSON *share = cJSON_GetObjectItem(cJSON_GetArrayItem(rows, 0), "share");
  cr_assert_eq(number(share, "value"), 12.5);
  cr_assert_eq(number(share, "low"), 12.25);
  cr_assert_str_eq(text(share, "kind"), "measured");
  cr_assert_str_eq(text(share, "source"), "median of 9 runs");
  cr_assert_null(cJSON_GetObjectItem(cJSON_GetArrayItem(rows, 1), "share"),
                 "what is not known is absent");
  cJSON_Delete(object);

  char *data = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&data, &size);
  systole_table_csv(file, t);
  fclose(file);
  cr_assert_str_eq(data,
                   "device,share,share_low,share_high,share_kind,share_source,price,"
                   "price_low,price_high,price_kind,price_source,row\n"
                   "\"a, \"\"quoted\"\" <device>\",12.5,12.25,13,measured,median of 9 "
                   "runs,999,999,999,published,\"its maker's list, page 3\",1\n"
                   "cpu,,,,,,,,,,,2\n");
  free(data);

  file = open_memstream(&data, &size);
  systole_report_html(file, &report, "/nonexistent", NULL);
  fclose(file);
  cr_assert_not_null(strstr(data, "Shares &lt;&amp; odd&gt;"));
  cr_assert_not_null(strstr(data, "a, &quot;quoted&quot; &lt;device&gt;"));
  cr_assert_not_null(strstr(data, "published: its maker's list, page 3"));
  cr_assert_null(strstr(data, "<device>"));
  free(data);
  systole_tables_free(tables);
}

Test(verdict, calls_no_float_exact) {
  systole_result r[3] = {array_result(), cpu_result(), cpu_result()};
  char text[192];
  cr_assert_eq(systole_results_verdict(text, sizeof text, r, 2), 0);
  cr_assert_str_eq(text, "All 2 results are exact, bit for bit");
  r[2].format = SYSTOLE_FORMAT_F32;
  cr_assert_eq(systole_results_verdict(text, sizeof text, r, 3), 0);
  cr_assert_str_eq(text,
                   "All 3 results are right: 2 exact, bit for bit, 1 within the "
                   "rounding of their format");
  systole_result_verdict(text, sizeof text, &r[2]);
  cr_assert_str_eq(text, "within rounding");
  r[0].checked = 0;
  systole_results_verdict(text, sizeof text, r, 2);
  cr_assert_str_eq(text, "1 of 2 results were checked and are exact");
  systole_results_verdict(text, sizeof text, r, 1);
  cr_assert_str_eq(text, "No result was checked");
  r[2].mismatches = 5;
  cr_assert_eq(systole_results_verdict(text, sizeof text, r, 3), 1);
  cr_assert_str_eq(text, "1 of 2 results are wrong");
}

Test(kind, of_a_figure_made_of_two_is_the_weaker_one) {
  cr_assert_eq(systole_kind_weaker(SYSTOLE_KIND_MEASURED, SYSTOLE_KIND_PUBLISHED),
               SYSTOLE_KIND_PUBLISHED);
  cr_assert_eq(systole_kind_weaker(SYSTOLE_KIND_ESTIMATE, SYSTOLE_KIND_MODELLED),
               SYSTOLE_KIND_ESTIMATE);
  cr_assert_eq(systole_kind_weaker(SYSTOLE_KIND_ASSUMED, SYSTOLE_KIND_UNKNOWN),
               SYSTOLE_KIND_UNKNOWN);
}

Test(html, escapes_what_comes_from_outside_and_needs_nothing_else) {
  systole_result results[2];
  systole_report_device devices[2];
  const systole_report report = a_report(results, devices);
  char *data = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&data, &size);
  cr_assert_eq(systole_report_html(file, &report, "/nonexistent", "no <figures>"), 0);
  fclose(file);
  cr_assert_not_null(strstr(data, "array &lt;16 &amp; up&gt;"));
  cr_assert_not_null(strstr(data, "no &lt;figures&gt;"));
  cr_assert_not_null(strstr(data, "All 2 results are exact"));
  cr_assert_null(strstr(data, "http:"), "nothing is fetched from elsewhere");
  cr_assert_null(strstr(data, "https:"));
  cr_assert_not_null(strstr(data, "default-src 'none'"), "and the browser is held to it");
  cr_assert_null(strstr(data, "<link"));
  cr_assert_null(strstr(data, " src=\"/"));
  results[1].mismatches = 3;
  free(data);
  file = open_memstream(&data, &size);
  systole_report_html(file, &report, "/nonexistent", NULL);
  fclose(file);
  cr_assert_not_null(strstr(data, "1 of 2 results are wrong"));
  free(data);
}

/* Every number that a table shows names an origin, and every origin is in the table at
 * the end. */
Test(html, tells_where_each_number_comes_from) {
  systole_result results[2];
  systole_report_device devices[2];
  systole_report report = a_report(results, devices);
  systole_tables *tables = some_tables();
  report.tables = tables;
  char *data = NULL, row[48];
  size_t size = 0, numbers = 0, named = 0;
  FILE *file = open_memstream(&data, &size);
  cr_assert_eq(systole_report_html(file, &report, "/nonexistent", NULL), 0);
  fclose(file);
  for (const char *at = data; (at = strstr(at, "<td data-v=")) != NULL; at++) {
    const char *end = strchr(at, '>'), *origin = strstr(at, "data-origin=\"origin-");
    cr_assert(origin != NULL && origin < end, "%.120s", at);
    numbers++;
  }
  cr_assert_geq(numbers, 25);
  for (const char *at = data; (at = strstr(at, "data-origin=\"origin-")) != NULL; at++) {
    snprintf(row, sizeof row, "<tr id=\"origin-%ld\">",
             strtol(at + strlen("data-origin=\"origin-"), NULL, 10));
    cr_assert_not_null(strstr(data, row), "%s", row);
    named++;
  }
  cr_assert_geq(named, numbers);
  cr_assert_not_null(strstr(data, "vpdpbusd"));
  cr_assert_not_null(strstr(data, "its maker's list, page 3</td>"));
  cr_assert_not_null(strstr(data, "m-published"));
  free(data);
  systole_tables_free(tables);
}

Test(report, into_a_folder_is_complete_or_not_there) {
  systole_result results[2];
  systole_report_device devices[2];
  const systole_report report = a_report(results, devices);
  char parent[] = "/tmp/systole-report-XXXXXX", path[128];
  systole_folder *folder = NULL;
  const char *warning = NULL;
  cr_assert_not_null(mkdtemp(parent));
  snprintf(path, sizeof path, "%s/a/b", parent);

  cr_assert_eq(systole_folder_open(&folder, path), 0, "%s", systole_story_text());
  cr_assert_eq(systole_report_write(&report, folder, &warning), 0, "%s",
               systole_story_text());
  cr_assert_neq(access(path, F_OK), 0, "not there before it is complete");
  systole_folder_discard(folder);
  snprintf(path, sizeof path, "%s/a", parent);
  cr_assert_eq(rmdir(path), 0, "nothing is left in it");

  snprintf(path, sizeof path, "%s/r", parent);
  for (int again = 0; again < 2; again++) {
    cr_assert_eq(systole_folder_open(&folder, path), 0, "%s", systole_story_text());
    cr_assert_eq(systole_report_write(&report, folder, &warning), 0, "%s",
                 systole_story_text());
    cr_assert_eq(systole_folder_commit(folder), 0, "%s", systole_story_text());
    if (again == 0) { /* what belongs to others stays */
      char other[160];
      snprintf(other, sizeof other, "%s/notes.txt", path);
      fclose(fopen(other, "w"));
    }
  }
  static const char *const files[] = {"results.json", "results.csv", "report.html",
                                      "notes.txt"};
  for (size_t i = 0; i < 4; i++) {
    char inner[160];
    snprintf(inner, sizeof inner, "%s/%s", path, files[i]);
    cr_assert_eq(access(inner, R_OK), 0, "%s", files[i]);
  }
  int entries = 0;
  DIR *list = opendir(path);
  while (readdir(list) != NULL) entries++;
  closedir(list);
  cr_assert_eq(entries, 2 + 5, "four files and figures/, nothing temporary");
  char command[160];
  snprintf(command, sizeof command, "rm -r %s", parent);
  cr_assert_eq(system(command), 0);
}

Test(number, takes_whole_numbers_only) {
  static const char *const bad[] = {"",
                                    "-1",
                                    "+1",
                                    " 1",
                                    "1 ",
                                    "1.5",
                                    "1e3",
                                    "0x10",
                                    "ten",
                                    "9223372036854775808",
                                    "99999999999999999999999"};
  int64_t value = 7;
  cr_assert_eq(systole_parse_size(&value, "0", "-m"), 0);
  cr_assert_eq(value, 0);
  cr_assert_eq(systole_parse_size(&value, "9223372036854775807", "-m"), 0);
  cr_assert_eq(value, INT64_MAX);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    cr_assert_eq(systole_parse_size(&value, bad[i], "-m"), SYSTOLE_EXIT_USAGE, "'%s'",
                 bad[i]);
    cr_assert_eq(strncmp(systole_story_text(), "-m is ", 6), 0, "%s",
                 systole_story_text());
  }
  uint64_t large = 0;
  cr_assert_eq(systole_parse_u64(&large, "18446744073709551615", "--seed"), 0);
  cr_assert_eq(large, UINT64_MAX);
  cr_assert_eq(systole_parse_u64(&large, "18446744073709551616", "--seed"),
               SYSTOLE_EXIT_USAGE);
  double clock = 0;
  cr_assert_eq(systole_parse_positive(&clock, "312.5", "--clock"), 0);
  cr_assert_eq(clock, 312.5);
  static const char *const not_clocks[] = {"0", "-3", "nan", "inf", "", "300MHz"};
  for (size_t i = 0; i < sizeof not_clocks / sizeof not_clocks[0]; i++) {
    cr_assert_eq(systole_parse_positive(&clock, not_clocks[i], "--clock"),
                 SYSTOLE_EXIT_USAGE);
  }
}

Test(check, finds_one_wrong_element_by_both_methods) {
  static const int64_t shapes[][3] = {
      {17, 23, 31}, {700, 701, 702}, {3, 5, 140000}, {900, 40, 9000}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
    int8_t *a = malloc((size_t)(m * k)), *b = malloc((size_t)(k * n));
    int32_t *c = malloc((size_t)(m * n) * sizeof *c);
    systole_draw_s8(a, (uint64_t)(m * k), 5, 1);
    systole_draw_s8(b, (uint64_t)(k * n), 5, 2);
    systole_plain_product(c, a, b, m, n, k);
    const char *method = NULL;
    systole_mismatch mismatch = {0};
    cr_assert_eq(systole_check_product(&mismatch, &method, c, a, b, m, n, k), SYSTOLE_OK);
    cr_assert_eq(mismatch.count, 0, "shape %zu by %s", s, method);
    cr_assert_str_eq(method,
                     (double)m * (double)n * (double)k <= 3e8 ? "plain" : "freivalds");
    const int64_t wrong = (m - 2) * n + n / 2;
    static const uint32_t errors[] = {1, 128, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    for (size_t e = 0; e < 5; e++) {
      const int32_t right = c[wrong];
      c[wrong] = (int32_t)((uint32_t)c[wrong] + errors[e]);
      memset(&mismatch, 0, sizeof mismatch);
      systole_check_product(&mismatch, &method, c, a, b, m, n, k);
      cr_assert_eq(mismatch.count, 1, "shape %zu, error %zu by %s", s, e, method);
      cr_assert_eq(mismatch.i, m - 2);
      cr_assert_eq(mismatch.j, n / 2);
      cr_assert_eq(mismatch.expected, right);
      cr_assert_eq(mismatch.got, c[wrong]);
      c[wrong] = right;
    }
    free(c);
    free(b);
    free(a);
  }
}

/* Where int32 wraps, Freivalds' test works modulo 2^32. */
Test(check, is_right_where_sums_wrap) {
  enum { M = 60, N = 40, K = 140000 };
  int8_t *a = malloc(M * K), *b = malloc(K * N);
  int32_t *c = malloc(M * N * sizeof *c);
  memset(a, -128, M * K);
  memset(b, -128, K * N);
  systole_plain_product(c, a, b, M, N, K);
  cr_assert_lt(c[0], 0, "the sum of 140000 x 16384 does not fit");
  const char *method = NULL;
  systole_mismatch mismatch = {0};
  systole_check_product(&mismatch, &method, c, a, b, M, N, K);
  cr_assert_str_eq(method, "freivalds");
  cr_assert_eq(mismatch.count, 0);
  c[77] ^= INT32_MIN;
  systole_check_product(&mismatch, &method, c, a, b, M, N, K);
  cr_assert_eq(mismatch.count, 1);
  free(c);
  free(b);
  free(a);
}

Test(check, rounds_half_to_even) {
  static const int32_t raw[] = {-7, -6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6, 7, 1000, -1000};
  static const int8_t halves[] = {-4, -3, -2, -2, -1, 0, 0, 0, 1, 2, 2, 3, 4, 127, -128};
  enum { Count = sizeof raw / sizeof raw[0] };
  int32_t multiplier[Count];
  uint8_t shift[Count];
  int8_t out[Count];
  for (int i = 0; i < Count; i++) {
    multiplier[i] = 1;
    shift[i] = 1;
  }
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  epilogue.multiplier = multiplier;
  epilogue.shift = shift;
  systole_plain_epilogue(out, raw, 1, Count, &epilogue);
  cr_assert_arr_eq(out, halves, Count);
}

Test(text, is_what_people_read) {
  char out[SystoleText];
  cr_assert_str_eq(systole_text_count(out, 0), "0");
  cr_assert_str_eq(systole_text_count(out, 999), "999");
  cr_assert_str_eq(systole_text_count(out, 66900), "66,900");
  cr_assert_str_eq(systole_text_count(out, 1234567), "1,234,567");
  cr_assert_str_eq(systole_text_bytes(out, 512), "512 B");
  cr_assert_str_eq(systole_text_bytes(out, 132096), "129 KiB");
  cr_assert_str_eq(systole_text_seconds(out, 0.000223), "223 us");
  cr_assert_str_eq(systole_text_seconds(out, 1.5), "1.50 s");
  cr_assert_str_eq(systole_text_figure(out, 150.4), "150");
  cr_assert_str_eq(systole_text_figure(out, 0.01234), "0.0123");
  cr_assert_str_eq(systole_text_figure(out, 9.876), "9.88");
}

Test(base64, is_that_of_rfc_4648) {
  static const struct {
    const char *plain, *coded;
  } cases[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *data = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&data, &size);
    systole_base64(file, (const uint8_t *)cases[i].plain, strlen(cases[i].plain));
    fclose(file);
    cr_assert_str_eq(data, cases[i].coded);
    free(data);
  }
}
