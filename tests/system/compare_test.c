/* systole compare: the report and its files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_ARRAY
#define DEVICES SYSTOLE_TEST_ARRAY ",cpu"
enum { Devices = 2 };
#else
#define DEVICES "cpu"
enum { Devices = 1 };
#endif

static char folder[64];
static void make(void) { folder_make(folder); }
static void clean(void) { folder_remove(folder); }
TestSuite(compare, .init = make, .fini = clean, .timeout = 120);

static char *text_of(const char *path) {
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file, "%s", path);
  fseek(file, 0, SEEK_END);
  const size_t size = (size_t)ftell(file);
  char *text = calloc(1, size + 1);
  rewind(file);
  cr_assert_eq(fread(text, 1, size, file), size);
  fclose(file);
  return text;
}

static cJSON *results_of(const char *report) {
  char *text = text_of(in(report, "results.json"));
  cJSON *object = cJSON_Parse(text);
  cr_assert_not_null(object);
  free(text);
  return object;
}

static int lines_of(const char *path) {
  char *text = text_of(path);
  int lines = 0;
  for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
  free(text);
  return lines;
}

static int has_gnuplot(void) { return system("command -v gnuplot >/dev/null 2>&1") == 0; }

Test(compare, writes_a_whole_report) {
  const char *report = in(folder, "new/report");
  spoken said = spawn(NULL, "compare", "--devices", DEVICES, "--sizes", "8,20,5x30x40",
                      "--seed", "3", "--out", report, "--json", NULL);
  char place[128];
  snprintf(place, sizeof place, "%s", report);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *printed = json_of(&said);
  cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(printed, "results")), 3 * Devices);
  cJSON_Delete(printed);
  spoken_free(&said);

  cJSON *object = results_of(place);
  cr_assert_eq(json_number(object, "schema"), 1);
  cr_assert_not_null(cJSON_GetStringValue(cJSON_GetObjectItem(object, "date")));
  cr_assert_not_null(cJSON_GetStringValue(cJSON_GetObjectItem(object, "version")));
  cr_assert_not_null(
      strstr(cJSON_GetStringValue(cJSON_GetObjectItem(object, "command")), "20"));
  cr_assert_geq(json_number(cJSON_GetObjectItem(object, "machine"), "cores"), 1);
  cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(object, "devices")), Devices);
  const cJSON *results = cJSON_GetObjectItem(object, "results"), *result;
  cr_assert_eq(cJSON_GetArraySize(results), 3 * Devices);
  cJSON_ArrayForEach(result, results) {
    cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(result, "checked")));
    cr_assert_eq(json_number(result, "mismatches"), 0);
    cr_assert_gt(json_number(result, "gops"), 0);
  }
  cJSON_Delete(object);
  cr_assert_eq(lines_of(in(place, "results.csv")), 1 + 3 * Devices);

  char *page = text_of(in(place, "report.html"));
  cr_assert_not_null(strstr(page, "results are exact"));
  cr_assert_null(strstr(page, "src=\"http"), "nothing is fetched");
  for (const char *at = page; (at = strstr(at, "href=")) != NULL; at++) {
    cr_assert_eq(strncmp(at, "href=\"#", 7), 0, "links lead to this page: %.40s", at);
  }
  cr_assert_null(strstr(page, "nan "));
  if (has_gnuplot()) {
    static const char *const figures[] = {"throughput", "roofline", "power", "ledger",
                                          "shares"};
    const int expected = Devices == 2 ? 5 : 3;
    for (int i = 0; i < expected; i++) {
      char name[64];
      snprintf(name, sizeof name, "figures/%s.svg", figures[i]);
      char *svg = text_of(in(place, name));
      cr_assert_not_null(strstr(svg, "</svg>"), "%s", name);
      free(svg);
      snprintf(name, sizeof name, "figures/%s.png", figures[i]);
      cr_assert(exists(in(place, name)), "%s", name);
    }
    cr_assert_eq(entries(in(place, "figures")), 3 * expected,
                 "svg, png and script of each");
    cr_assert_not_null(strstr(page, "data:image/svg+xml;base64,"));
    char *svg = text_of(in(place, "figures/throughput.svg"));
    cr_assert_not_null(strstr(svg, "cpu: measured"),
                       "the legend says how figures came to be");
    if (Devices == 2) cr_assert_not_null(strstr(svg, "modelled (exact cycles"));
    free(svg);
  }
  free(page);
  cr_assert_eq(entries(place), Devices == 2 ? 5 : 4, "an array's shares are a table");
  snprintf(place, sizeof place, "%s/new", folder);
  cr_assert_eq(entries(place), 1, "nothing temporary is left");
}

Test(compare, again_into_the_same_folder_replaces_its_own_files_only) {
  write_file(in(folder, "notes.txt"), "mine", 4);
  for (int run = 0; run < 2; run++) {
    spoken said = spawn(NULL, "compare", "--devices", "cpu", "--sizes",
                        run == 0 ? "4,6" : "8", "--out", folder, NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    spoken_free(&said);
  }
  cr_assert_eq(lines_of(in(folder, "results.csv")), 2);
  char *notes = text_of(in(folder, "notes.txt"));
  cr_assert_str_eq(notes, "mine");
  free(notes);
  cr_assert_eq(entries(folder), 5);
}

Test(compare, without_gnuplot_keeps_the_numbers) {
  const spawn_options bare = {.path = "/nonexistent"};
  spoken said = spawn(&bare, "compare", "--devices", "cpu", "--sizes", "8", "--out",
                      in(folder, "r"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_assert_not_null(strstr(said.error, "warning"), "%s", said.error);
  cr_assert_not_null(strstr(said.error, "apt-get install gnuplot-nox"), "%s", said.error);
  spoken_free(&said);
  cr_assert(exists(in(folder, "r/results.json")));
  cr_assert(exists(in(folder, "r/results.csv")));
  cr_assert(exists(in(folder, "r/report.html")));
  cr_assert_not(exists(in(folder, "r/figures/throughput.svg")));
}

Test(compare, runs_one_pair_of_files) {
  signed char data[60];
  for (int i = 0; i < 60; i++) data[i] = (signed char)(i * 5 - 128);
  write_npy(in(folder, "a.npy"), "|i1", 6, 10, data, 60);
  write_npy(in(folder, "b.npy"), "|u1", 10, 3, data, 30);
  spoken said = spawn(NULL, "compare", "--devices", DEVICES, "--a", in(folder, "a.npy"),
                      "--b", in(folder, "b.npy"), "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  cJSON *object = results_of(in(folder, "r"));
  const cJSON *result = cJSON_GetArrayItem(cJSON_GetObjectItem(object, "results"), 0);
  cr_assert_eq(json_number(result, "m"), 6);
  cr_assert_eq(json_number(result, "n"), 3);
  cr_assert_eq(json_number(result, "k"), 10);
  cr_assert_eq(json_number(result, "mismatches"), 0);
  cJSON_Delete(object);
}

static void check_network(const char *report, int inputs) {
  static const int hidden = 24;
  const int sizes[4] = {inputs, hidden, hidden, 10};
  cJSON *object = results_of(report);
  const cJSON *results = cJSON_GetObjectItem(object, "results");
  cr_assert_eq(cJSON_GetArraySize(results), 3 * Devices);
  for (int layer = 0; layer < 3; layer++) {
    for (int d = 0; d < Devices; d++) {
      const cJSON *result = cJSON_GetArrayItem(results, layer * Devices + d);
      cr_assert_eq(json_number(result, "m"), 5);
      cr_assert_eq(json_number(result, "k"), sizes[layer]);
      cr_assert_eq(json_number(result, "n"), sizes[layer + 1]);
      cr_assert_eq(json_number(result, "mismatches"), 0);
      cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(result, "checked")));
    }
  }
  cJSON_Delete(object);
}

Test(compare, runs_a_network_on_digits_that_it_draws) {
  spoken said = spawn(NULL, "compare", "--devices", DEVICES, "--workload", "mlp",
                      "--hidden", "24", "--batch", "5", "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  check_network(in(folder, "r"), 784);
  char *page = text_of(in(folder, "r/report.html"));
  cr_assert_not_null(strstr(page, "data:image/bmp;base64,"), "the pictures are shown");
  free(page);
}

Test(compare, runs_a_network_on_an_idx_file) {
  unsigned char data[16 + 6 * 9] = {0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 3};
  for (size_t i = 16; i < sizeof data; i++) data[i] = (unsigned char)(i * 7);
  write_file(in(folder, "images"), data, sizeof data);
  spoken said = spawn(NULL, "compare", "--devices", DEVICES, "--workload", "mlp",
                      "--hidden", "24", "--batch", "5", "--images", in(folder, "images"),
                      "--out", in(folder, "r"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  check_network(in(folder, "r"), 9);
}

/* ---- against a baseline ---------------------------------------------------------- */

static void spoil_cycles(const char *from, const char *to, double by) {
  char *text = text_of(from);
  cJSON *object = cJSON_Parse(text), *result;
  cJSON_ArrayForEach(result, cJSON_GetObjectItem(object, "results")) {
    cJSON *cycles = cJSON_GetObjectItem(result, "cycles");
    if (cycles != NULL) cJSON_SetNumberValue(cycles, cycles->valuedouble + by);
  }
  char *spoilt = cJSON_Print(object);
  write_file(to, spoilt, strlen(spoilt));
  cJSON_free(spoilt);
  cJSON_Delete(object);
  free(text);
}

#ifdef SYSTOLE_TEST_ARRAY
Test(compare, against_a_baseline_ends_with_1_when_a_cycle_is_lost) {
  char old[160], spoilt[160], junit[160], markdown[160], out[160];
  snprintf(old, sizeof old, "%s/old/results.json", folder);
  snprintf(spoilt, sizeof spoilt, "%s/spoilt.json", folder);
  snprintf(junit, sizeof junit, "%s/junit.xml", folder);
  snprintf(markdown, sizeof markdown, "%s/summary.md", folder);
  snprintf(out, sizeof out, "%s/old", folder);
  spoken said = spawn(NULL, "compare", "--devices", SYSTOLE_TEST_ARRAY, "--sizes", "8,20",
                      "--out", out, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  snprintf(out, sizeof out, "%s/new", folder);
  said = spawn(NULL, "compare", "--devices", SYSTOLE_TEST_ARRAY, "--sizes", "8,20",
               "--out", out, "--baseline", old, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_assert_not_null(strstr(said.out, "2 same"), "%s", said.out);
  spoken_free(&said);

  spoil_cycles(old, spoilt, -1);
  said =
      spawn(NULL, "compare", "--devices", SYSTOLE_TEST_ARRAY, "--sizes", "8,20", "--out",
            out, "--baseline", spoilt, "--junit", junit, "--markdown", markdown, NULL);
  cr_assert_eq(said.code, 1, "%s", said.out);
  cr_assert_not_null(strstr(said.out, "2 slower"), "%s", said.out);
  cr_assert_not_null(strstr(said.error, "2 of 2 runs fail against"), "%s", said.error);
  spoken_free(&said);
  char *text = text_of(junit);
  cr_assert_not_null(strstr(text, "failures=\"2\""));
  free(text);
  text = text_of(markdown);
  cr_assert_not_null(strstr(text, "**slower**"));
  free(text);
  text = text_of(in(out, "report.html"));
  cr_assert_not_null(strstr(text, "What changed since the baseline"));
  free(text);
  cJSON *object = results_of(out);
  cr_assert_eq(json_number(cJSON_GetObjectItem(object, "comparison"), "failed"), 2);
  cJSON_Delete(object);

  said = spawn(NULL, "compare", "--devices", SYSTOLE_TEST_ARRAY, "--sizes", "8,20",
               "--out", out, "--baseline", spoilt, "--tolerance", "5", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
}
#endif

Test(compare, refuses_bad_baselines_before_the_work) {
  write_file(in(folder, "bad.json"), "{\"schema\":", 10);
  const char *const cases[][5] = {
      {"--baseline", in(folder, "none.json"), NULL},
      {"--tolerance", "5", NULL},
      {"--baseline", "/dev/null", "--tolerance", "-1", NULL},
      {"--baseline", "/dev/null", "--tolerance", "nan", NULL},
      {"--baseline", "/dev/null", NULL},
      {"--junit", "/nonexistent/a.xml", NULL},
      {"--markdown", "/nonexistent/a.md", NULL},
      {"--markdown", "/dev/null", "--junit", "/dev/null", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    spoken said =
        spawn(NULL, "compare", "--devices", "cpu", "--sizes", "8", "--out",
              in(folder, "r"), cases[i][0], cases[i][1], cases[i][2], cases[i][3], NULL);
    cr_assert_eq(said.code, 2, "case %zu: %s", i, said.error);
    cr_assert_gt(strlen(said.error), 20);
    spoken_free(&said);
    cr_assert_not(exists(in(folder, "r")), "case %zu left a folder", i);
  }
  spoken said = spawn(NULL, "compare", "--devices", "cpu", "--sizes", "8", "--out",
                      in(folder, "r"), "--baseline", in(folder, "bad.json"), NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "cut short"), "%s", said.error);
  spoken_free(&said);
}
