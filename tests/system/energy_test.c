/* --energy, --technology and the kinds of energy figures, as a person meets them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_ARRAY
static const char array[] = SYSTOLE_TEST_ARRAY;
#else
static const char array[] = "model:16";
#endif

/* ---- a machine whose package takes 25 W ------------------------------------------- */

static char root[64];
static atomic_int stop;
static pthread_t thread;
static int has_thread;

#define ZONE "sys/class/powercap/intel-rapl:0"

static void *draw(void *argument) {
  char text[32];
  long long uj = 1000000;
  const int fd = open(in(root, ZONE "/energy_uj"), O_WRONLY);
  struct timespec began, now;
  const struct timespec step = {0, 1000000};
  (void)argument;
  clock_gettime(CLOCK_MONOTONIC, &began);
  while (!atomic_load(&stop)) {
    nanosleep(&step, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double s = (double)(now.tv_sec - began.tv_sec) +
                     1e-9 * (double)(now.tv_nsec - began.tv_nsec);
    uj = 1000000 + (long long)(25e6 * s);
    const int length = snprintf(text, sizeof text, "%014lld\n", uj);
    if (pwrite(fd, text, (size_t)length, 0) != length) break;
  }
  close(fd);
  return NULL;
}

static void put(const char *name, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s", in(root, name));
  for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
  write_file(path, text, strlen(text));
}

static void make(void) {
  folder_make(root);
  setenv("SYSTOLE_ROOT", root, 1);
}

static void start(void) {
  put(ZONE "/name", "package-0\n");
  put(ZONE "/energy_uj", "00000001000000\n");
  put(ZONE "/max_energy_range_uj", "262143328850\n");
  cr_assert_eq(pthread_create(&thread, NULL, draw, NULL), 0);
  has_thread = 1;
}

static void clean(void) {
  atomic_store(&stop, 1);
  if (has_thread) pthread_join(thread, NULL);
  folder_remove(root);
}
TestSuite(energy, .init = make, .fini = clean, .timeout = 60);

static const char *word(const cJSON *object, const char *outer, const char *key) {
  const cJSON *inner = cJSON_GetObjectItem(object, outer);
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(inner, key));
  return text != NULL ? text : "";
}

static double figure(const cJSON *object, const char *outer, const char *key,
                     const char *which) {
  const cJSON *inner = cJSON_GetObjectItem(object, outer);
  if (key != NULL) inner = cJSON_GetObjectItem(inner, key);
  return json_number(inner, which);
}

/* No line has an efficiency without the kind that it is. */
static void expect_kinds(const char *text) {
  int seen = 0;
  for (const char *at = strstr(text, "GOP/s/W"); at != NULL;
       at = strstr(at + 1, "GOP/s/W")) {
    const size_t rest = strcspn(at, "\n");
    char line[512];
    snprintf(line, sizeof line, "%.*s", (int)rest, at);
    cr_expect(strstr(line, "measured") != NULL || strstr(line, "modelled") != NULL, "%s",
              line);
    cr_expect_not_null(strstr(line, "between"), "%s", line);
    seen++;
  }
  cr_expect_gt(seen, 0);
}

Test(energy, measures_total_and_beyond_rest) {
  start();
  spoken said = spawn(NULL, "gemm", "-d", "cpu", "-m", "64", "-n", "64", "-k", "64",
                      "--energy", "0.1", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_expect_str_eq(word(object, "power_w", "kind"), "measured");
  cr_expect_str_eq(word(object, "energy_j", "kind"), "measured");
  cr_expect_str_eq(word(object, "gops_per_w", "kind"), "measured");
  cr_expect_str_eq(word(object, "energy", "source"), "powercap: package-0");
  cr_expect_null(cJSON_GetObjectItem(cJSON_GetObjectItem(object, "energy"), "why"));
  cr_expect_float_eq(figure(object, "power_w", NULL, "nominal"), 25, 3);
  cr_expect_float_eq(figure(object, "energy", "idle_w", "nominal"), 25, 3);
  cr_expect_lt(figure(object, "energy", "incremental_w", "low"), 0,
               "the made-up package does not care for work");
  cr_expect_gt(figure(object, "energy", "incremental_w", "high"), 0);
  cr_expect_geq(json_number(cJSON_GetObjectItem(object, "energy"), "runs"), 30);
  cr_expect_str_eq(word(object, "landauer", "kind"), "");
  cr_expect_gt(figure(object, "landauer", "times", "nominal"), 1e6);
  cJSON_Delete(object);
  spoken_free(&said);
  said = spawn(NULL, "gemm", "-d", "cpu", "-m", "64", "-n", "64", "-k", "64", "--energy",
               "0.05", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_expect_not_null(strstr(said.out, "energy, measured: powercap: package-0"), "%s",
                     said.out);
  cr_expect_not_null(strstr(said.out, "windows differ from"));
  expect_kinds(said.out);
  spoken_free(&said);
}

Test(energy, models_where_nothing_can_be_read) {
  spoken said = spawn(NULL, "gemm", "-d", "cpu", "-m", "64", "-n", "64", "-k", "64",
                      "--energy", "0.05", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_expect_str_eq(word(object, "power_w", "kind"), "modelled");
  cr_expect_not_null(strstr(word(object, "energy", "why"), "powercap: "));
  cr_expect_null(
      cJSON_GetObjectItem(cJSON_GetObjectItem(object, "energy"), "incremental_j"));
  cJSON_Delete(object);
  spoken_free(&said);
  said = spawn(NULL, "gemm", "-d", "cpu", "-m", "64", "-n", "64", "-k", "64", NULL);
  expect_kinds(said.out);
  spoken_free(&said);
}

Test(energy, names_the_technology) {
  static const char *const names[] = {"45nm", "28nm", "7nm", "fpga-16nm"};
  double joules[4];
  for (int i = 0; i < 4; i++) {
    spoken said = spawn(NULL, "gemm", "-d", array, "-m", "32", "-n", "32", "-k", "32",
                        "--technology", names[i], "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *object = json_of(&said);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "technology")),
                     names[i]);
    cr_expect_str_eq(word(object, "energy_j", "kind"), "modelled");
    joules[i] = figure(object, "energy_j", NULL, "nominal");
    cJSON_Delete(object);
    spoken_free(&said);
  }
  cr_expect_gt(joules[0], joules[1]);
  cr_expect_gt(joules[1], joules[2]);
  cr_expect_gt(joules[3], joules[0]);
  spoken said = spawn(NULL, "gemm", "-d", array, "-m", "8", "-n", "8", "-k", "8", NULL);
  cr_expect_not_null(strstr(said.out, "modelled for 45 nm CMOS (Horowitz 2014)"), "%s",
                     said.out);
  expect_kinds(said.out);
  spoken_free(&said);
}

static void expect_refused(int code, const char *words, const char *device, const char *a,
                           const char *b, const char *c, const char *d) {
  spoken said = spawn(NULL, "gemm", "-d", device, "-m", "8", "-n", "8", "-k", "8", a, b,
                      c, d, NULL);
  cr_expect_eq(said.code, code, "%s %s %s %s: %d %s", a, b, c != NULL ? c : "",
               d != NULL ? d : "", said.code, said.error);
  cr_expect_str_eq(said.out, "");
  cr_expect_not_null(strstr(said.error, words), "no '%s' in: %s", words, said.error);
  spoken_free(&said);
}

Test(energy, refuses_what_makes_no_sense) {
  expect_refused(2, "--technology is '3nm'", array, "--technology", "3nm", NULL, NULL);
  expect_refused(2, "is simulated and draws nothing", array, "--energy", "1", NULL, NULL);
  expect_refused(2, "--energy", "cpu", "--energy", "soon", NULL, NULL);
  expect_refused(2, "--energy", "cpu", "--energy", "-1", NULL, NULL);
  expect_refused(2, "give 0.02 to 3600", "cpu", "--energy", "1e9", NULL, NULL);
  expect_refused(2, "goes with --energy", "cpu", "--energy-source", "perf", NULL, NULL);
  expect_refused(3, "called 'sundial'", "cpu", "--energy", "1", "--energy-source",
                 "sundial");
  expect_refused(3, "hwmon: ", "cpu", "--energy", "1", "--energy-source", "hwmon:ina226");
}

Test(energy, doctor_tells_each_source) {
  static const char *const words[] = {
      "powercap: ", "perf: ", "hwmon: ", "nvml: ", "card: ", "battery: "};
  put("sys/class/power_supply/BAT0/type", "Battery\n");
  put("sys/class/power_supply/BAT0/status", "Full\n");
  put(ZONE "/name", "package-0\n");
  put(ZONE "/energy_uj/file", "");
  spoken said = spawn(NULL, "doctor", NULL);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    cr_expect_not_null(strstr(said.out, words[i]), "no %s in: %s", words[i], said.out);
  }
  cr_expect_not_null(strstr(said.out, "-> pull the mains plug"), "%s", said.out);
  cr_expect_not_null(strstr(said.out, "-> sudo chmod a+r /sys/class/powercap"), "%s",
                     said.out);
  spoken_free(&said);
}

Test(energy, compare_measures_the_largest_product_of_each_device) {
  char place[128];
  start();
  snprintf(place, sizeof place, "%s/report", root);
  spoken said = spawn(NULL, "compare", "--devices", "model:16,cpu", "--sizes", "32,64",
                      "--energy", "0.05", "--out", place, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  char *text = calloc(1, 1 << 20);
  FILE *file = fopen(in(place, "results.json"), "r");
  cr_assert_not_null(file);
  cr_assert_gt(fread(text, 1, (1 << 20) - 1, file), 100u);
  fclose(file);
  cJSON *report = cJSON_Parse(text);
  free(text);
  const cJSON *result;
  int measured = 0;
  cJSON_ArrayForEach(result, cJSON_GetObjectItem(report, "results")) {
    const cJSON *energy = cJSON_GetObjectItem(result, "energy");
    const int is_cpu =
        strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(result, "device")), "cpu") == 0;
    cr_expect_eq(energy != NULL, is_cpu && json_number(result, "m") == 64);
    if (energy == NULL) continue;
    measured++;
    cr_expect_str_eq(word(result, "power_w", "kind"), "measured");
    cr_expect_float_eq(figure(result, "power_w", NULL, "nominal"), 25, 4);
  }
  cr_expect_eq(measured, 1);
  cJSON_Delete(report);
}

static int has_measured(const char *option) {
  char place[128], text[1 << 16] = "";
  snprintf(place, sizeof place, "%s/unasked", root);
  spoken said = spawn(NULL, "compare", "--devices", "cpu", "--sizes", "32", "--out",
                      place, option, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  FILE *file = fopen(in(place, "results.csv"), "r");
  cr_assert_not_null(file);
  cr_assert_gt(fread(text, 1, sizeof text - 1, file), 100u);
  fclose(file);
  folder_remove(place);
  return strstr(text, ",measured,2") != NULL; /* power_kind, then some 2x W */
}

/* Where there is a counter a comparison uses it, asked or not. */
Test(energy, compare_measures_unasked_where_it_can) {
  cr_expect_not(has_measured(NULL));
  start();
  cr_expect(has_measured(NULL));
  cr_expect_not(has_measured("--no-energy"));
  spoken said = spawn(NULL, "compare", "--devices", "cpu", "--energy", "1", "--no-energy",
                      "--out", in(root, "r"), NULL);
  cr_expect_eq(said.code, 2);
  cr_expect_not_null(strstr(said.error, "exclude each other"), "%s", said.error);
  spoken_free(&said);
}

/* Without a GPU a CPU plays the OpenCL device, and what it takes is that CPU's. */
Test(energy, opencl_takes_what_plays_it) {
  start();
  spoken said = spawn(NULL, "gemm", "-d", "opencl", "-m", "64", "-n", "64", "-k", "64",
                      "--energy", "0.05", "--json", NULL);
  if (said.code != 3) { /* there is OpenCL */
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *object = json_of(&said);
    const char *source = word(object, "energy", "source");
    cr_expect(strstr(source, "package-0") != NULL || strstr(source, "nvml") != NULL ||
                  strstr(source, "hwmon") != NULL,
              "%s", source);
    cJSON_Delete(object);
  }
  spoken_free(&said);
}

/* A preset says in what it is built; the option goes before it. */
Test(energy, a_preset_names_its_technology) {
  static const char *const rows[][3] = {
      {"model:tpu-v1", NULL, "28nm"},
      {"model:u280", NULL, "fpga-16nm"},
      {"model:16", NULL, "45nm"},
      {"model:tpu-v1,clock=350M", "7nm", "7nm"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    spoken said =
        spawn(NULL, "gemm", "-d", rows[i][0], "-m", "8", "-n", "8", "-k", "8", "--json",
              rows[i][1] != NULL ? "--technology" : NULL, rows[i][1], NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *object = json_of(&said);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "technology")),
                     rows[i][2]);
    cJSON_Delete(object);
    spoken_free(&said);
  }
  put("bad.json", "{\"dim\": 16, \"technology\": \"3nm\"}");
  char device[128];
  snprintf(device, sizeof device, "model:%s", in(root, "bad.json"));
  expect_refused(2, "\"technology\" is \"3nm\"", device, "--no-check", NULL, NULL, NULL);
}
