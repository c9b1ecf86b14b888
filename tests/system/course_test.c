/* systole compare --workload course: the report of the slides' questions, small. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

static char folder[64];
static void make(void) { folder_make(folder); }
static void clean(void) { folder_remove(folder); }
TestSuite(course, .init = make, .fini = clean, .timeout = 120);

static cJSON *read_results(const char *path) {
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file, "%s", path);
  fseek(file, 0, SEEK_END);
  const size_t size = (size_t)ftell(file);
  char *text = calloc(1, size + 1);
  rewind(file);
  cr_assert_eq(fread(text, 1, size, file), size);
  fclose(file);
  cJSON *object = cJSON_Parse(text);
  cr_assert_not_null(object);
  free(text);
  return object;
}

static const cJSON *table_of(const cJSON *report, const char *name) {
  const cJSON *table;
  cJSON_ArrayForEach(table, cJSON_GetObjectItem(report, "tables")) {
    if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(table, "name")), name) == 0) {
      return table;
    }
  }
  cr_assert_fail("there is no table %s", name);
  return NULL;
}

static const char *words(const cJSON *row, const char *key) {
  const char *text =
      cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetObjectItem(row, key), "text"));
  return text != NULL ? text : "";
}

static double value(const cJSON *row, const char *key) {
  const cJSON *number = cJSON_GetObjectItem(cJSON_GetObjectItem(row, key), "value");
  return cJSON_IsNumber(number) ? number->valuedouble : NAN;
}

/* Every number of every table says what it is and where it is from. */
static void check_origins(const cJSON *report) {
  const cJSON *table, *row, *cell;
  int numbers = 0;
  cJSON_ArrayForEach(table, cJSON_GetObjectItem(report, "tables")) {
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(table, "rows")) {
      cJSON_ArrayForEach(cell, row) {
        if (!cJSON_HasObjectItem(cell, "value")) continue;
        numbers++;
        const char *kind = cJSON_GetStringValue(cJSON_GetObjectItem(cell, "kind"));
        const char *source = cJSON_GetStringValue(cJSON_GetObjectItem(cell, "source"));
        cr_assert(kind != NULL && source != NULL && source[0] != '\0', "%s.%s",
                  cJSON_GetStringValue(cJSON_GetObjectItem(table, "name")), cell->string);
        cr_assert(isfinite(cJSON_GetObjectItem(cell, "value")->valuedouble));
      }
    }
  }
  cr_assert_gt(numbers, 300);
}

static void check_networks(const cJSON *report, int devices) {
  const cJSON *row;
  int rows = 0, arrays = 0;
  cJSON_ArrayForEach(row, cJSON_GetObjectItem(table_of(report, "networks"), "rows")) {
    const double n = value(row, "hidden");
    rows++;
    cr_assert_str_eq(words(row, "result"), "exact");
    cr_assert_eq(value(row, "parameters"), 785 * n + n * (n + 1) + 10 * (n + 1));
    cr_assert_gt(value(row, "end_to_end_ms"), 0);
    cr_assert_leq(value(row, "device_ms"), value(row, "end_to_end_ms") * 1.0001);
    cr_assert_float_eq(
        value(row, "per_second") * value(row, "end_to_end_ms") / value(row, "batch"),
        1000, 1e-6);
    if (strcmp(words(row, "device"), "cpu") == 0) continue;
    arrays++;
    cr_assert_float_eq(value(row, "host_percent") + value(row, "transfer_percent") +
                           value(row, "compute_percent"),
                       100, 1e-6);
  }
  cr_assert_eq(rows, 3 * 2 * devices);
  cr_assert_eq(arrays, 3 * 2 * (devices - 1));
}

static void check_amdahl(const cJSON *report) {
  const cJSON *row;
  int checked = 0;
  cJSON_ArrayForEach(row, cJSON_GetObjectItem(table_of(report, "amdahl"), "rows")) {
    const double p = value(row, "offloaded_percent") / 100;
    if (isnan(p)) continue;
    checked++;
    cr_assert(p > 0 && p < 1, "%g", p);
    cr_assert_float_eq(value(row, "law") * ((1 - p) + p / value(row, "s")), 1, 1e-9);
    cr_assert_float_eq(value(row, "limit") * (1 - p), 1, 1e-9);
    cr_assert_lt(value(row, "reached"), value(row, "limit"));
  }
  cr_assert_gt(checked, 0);
}

static void check_training(const cJSON *report) {
  const cJSON *rows = cJSON_GetObjectItem(table_of(report, "training"), "rows"), *row;
  int published = 0, priced = 0;
  cJSON_ArrayForEach(row, rows) {
    if (!isnan(value(row, "published_usd"))) {
      published++;
      cr_assert_float_eq(value(row, "usd"), value(row, "published_usd"), 0.5);
    } else if (strcmp(words(row, "device"), "cpu") == 0) {
      priced++;
      cr_assert_eq(value(row, "usd_per_hour"), 0.05);
      cr_assert_eq(value(row, "parameters_g"), 1);
      cr_assert_float_eq(value(row, "usd") / (value(row, "years") * 365.25 * 24 * 0.05),
                         1, 1e-9);
    } else {
      cr_assert(isnan(value(row, "usd")), "nobody gave a price");
    }
  }
  cr_assert_eq(published, 3);
  cr_assert_eq(priced, 1);
}

/* A library for floats may be missing. */
static int has_floats(void) {
  spoken said =
      spawn(NULL, "gemm", "--device", "cpu-f32", "-m", "8", "-n", "8", "-k", "8", NULL);
  const int good = said.code == 0;
  spoken_free(&said);
  return good;
}

static void check_formats(const cJSON *report) {
  const cJSON *row;
  int float32 = 0, int8 = 0;
  cJSON_ArrayForEach(row, cJSON_GetObjectItem(table_of(report, "formats"), "rows")) {
    if (strcmp(words(row, "machine"), "cpu") != 0) continue;
    if (strcmp(words(row, "format"), "fp32") == 0) {
      float32++;
      cr_assert_float_eq(value(row, "speedup"), 1, 1e-9);
    } else {
      int8++;
      cr_assert_str_eq(words(row, "format"), "int8");
      cr_assert_gt(value(row, "speedup"), 0);
    }
  }
  cr_assert_eq(float32, 4, "one for each product");
  cr_assert_eq(int8, 4);
}

static void check_figures(const char *place) {
  static const char *const figures[] = {
      "landscape", "network-latency", "network-batch", "amdahl", "serving",
      "energy",    "shares",          "roofline",      "ledger", "throughput"};
  if (system("command -v gnuplot >/dev/null 2>&1") != 0) return;
  for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
    char name[96];
    snprintf(name, sizeof name, "figures/%s.svg", figures[i]);
    cr_assert(exists(in(place, name)), "%s", name);
  }
}

Test(course, answers_every_question) {
  char place[128];
  snprintf(place, sizeof place, "%s", in(folder, "r"));
  static const char more[] =
      "name,kind,year#,precision,peak_gops#,rmax_gops#,power_w#,power_kind,mem_gbs#,"
      "onchip_mib#,process_nm#,clock_mhz#,price#,currency,source\n"
      "our board,fpga,2026,int8,100,,5,busy,,,,,50,EUR,\"meter of our lab\"\n";
  write_file(in(folder, "more.csv"), more, sizeof more - 1);
  const int floats = has_floats();
  spoken said = spawn(NULL, "compare", "--workload", "course", "--quick", "--devices",
                      floats ? "model:16,model:64,cpu,cpu-f32" : "model:16,model:64,cpu",
                      "--price", "cpu=0.05", "--parameters", "1e9", "--tokens", "20e9",
                      "--published", in(folder, "more.csv"), "--out", place, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_assert_null(strstr(said.error, "warning"), "%s", said.error);
  spoken_free(&said);
  cJSON *report = read_results(in(place, "results.json"));
  check_origins(report);
  check_networks(report, 3);
  check_amdahl(report);
  check_training(report);
  if (floats) check_formats(report);
  const cJSON *row;
  int ours = 0, landauer = 0;
  cJSON_ArrayForEach(row, cJSON_GetObjectItem(table_of(report, "efficiency"), "rows")) {
    if (strcmp(words(row, "device"), "our board") != 0) continue;
    ours++;
    cr_assert_eq(value(row, "gops_per_w"), 20, "the row of the file");
    cr_assert_eq(value(row, "gops_per_price"), 2);
  }
  cr_assert_eq(ours, 1);
  cJSON_ArrayForEach(
      row, cJSON_GetObjectItem(table_of(report, "energy_per_operation"), "rows")) {
    if (strncmp(words(row, "device"), "Landauer", 8) != 0) continue;
    landauer++;
    cr_assert_float_eq(value(row, "pj_per_operation") / (16 * 2.871e-9), 1, 1e-3);
  }
  cr_assert_eq(landauer, 1);
  static const char *const tables[] = {
      "top500", "serving", "crossovers", "shares", "energy_per_inference", "training"};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    cr_assert_gt(
        cJSON_GetArraySize(cJSON_GetObjectItem(table_of(report, tables[i]), "rows")), 0);
    char name[96];
    snprintf(name, sizeof name, "tables/%s.csv", tables[i]);
    cr_assert(exists(in(place, name)), "%s", name);
  }
  cJSON_Delete(report);
  check_figures(place);
}

Test(course, refuses_published_rows_without_a_source) {
  static const char text[] =
      "name,kind,year#,precision,peak_gops#,rmax_gops#,power_w#,power_kind,mem_gbs#,"
      "onchip_mib#,process_nm#,clock_mhz#,price#,currency,source\n"
      "rumour,gpu,2026,int8,1e6,,1,tdp,,,,,,,\n";
  write_file(in(folder, "bad.csv"), text, sizeof text - 1);
  spoken said = spawn(NULL, "compare", "--workload", "course", "--quick", "--published",
                      in(folder, "bad.csv"), "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "rumour"), "%s", said.error);
  cr_assert_not_null(strstr(said.error, "source"), "%s", said.error);
  spoken_free(&said);
  cr_assert_not(exists(in(folder, "r")));
}

Test(course, refuses_the_price_of_a_device_that_is_not_there) {
  spoken said = spawn(NULL, "compare", "--workload", "course", "--quick", "--devices",
                      "cpu", "--price", "cuda=2", "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "cuda"), "%s", said.error);
  spoken_free(&said);
  cr_assert_not(exists(in(folder, "r")));
}

Test(course, options_belong_to_it) {
  spoken said = spawn(NULL, "compare", "--quick", "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "--workload course"), "%s", said.error);
  spoken_free(&said);
}
