/* What a run says about itself, taken at its word: the advice is run, and must do what
 * was forecast. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_16
#define ARRAY "rtl:16"

/* A product that is limited in one way, on the array of the tests. */
typedef struct limited {
  const char *device, *m, *n, *k, *memory;
  const char *int8; /* "--int8", or an option that changes nothing */
  const char *limit;
  int advice; /* at least so many things to try here */
} limited;

static const limited products[] = {
    {ARRAY, "1", "256", "256", "ideal", "--json", "weights", 1},
    {ARRAY, "4", "200", "333", "hbm2", "--json", "weights", 1},
    {ARRAY, "2048", "16", "16", "ideal", "--json", "results", 1},
    {ARRAY, "1024", "32", "16", "ddr4", "--json", "results", 1},
    {ARRAY, "1024", "16", "16", "ideal", "--int8", NULL, 0},
    {ARRAY, "1000", "17", "170", "ideal", "--json", "padding", 1},
    {ARRAY, "20", "20", "20", "ideal", "--json", "size", 1},
    {ARRAY, "16", "16", "2000", "ddr4", "--json", "size", 1},
    {ARRAY, "64", "500", "64", "hbm2", "--json", NULL, 0},
    {ARRAY, "256", "256", "256", "ideal", "--json", "nothing", 0},
#ifdef SYSTOLE_TEST_64
    {"rtl:64", "1", "512", "512", "hbm2", "--json", "weights", 1},
    {"rtl:64", "128", "128", "128", "ideal", "--json", "size", 2},
    {"rtl:64", "512", "100", "100", "ddr4", "--json", NULL, 1},
#endif
};
enum { Products = sizeof products / sizeof products[0] };

static const char *text(const cJSON *object, const char *key) {
  const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
  return value != NULL ? value : "";
}

/* Runs the advice by its own parameters and compares. */
static void take(const cJSON *advice) {
  char m[24], n[24], k[24];
  snprintf(m, sizeof m, "%.0f", json_number(advice, "m"));
  snprintf(n, sizeof n, "%.0f", json_number(advice, "n"));
  snprintf(k, sizeof k, "%.0f", json_number(advice, "k"));
  const int int8 = cJSON_IsTrue(cJSON_GetObjectItem(advice, "int8"));
  spoken said = spawn(NULL, "gemm", "--device", text(advice, "device"), "-m", m, "-n", n,
                      "-k", k, "--memory", text(advice, "memory"), "--json",
                      int8 ? "--int8" : "--json", NULL);
  cr_assert_eq(said.code, 0, "%s: %s", text(advice, "command"), said.error);
  cJSON *run = json_of(&said);
  const double forecast = json_number(advice, "utilisation");
  const double measured = json_number(run, "utilisation");
  cr_expect(fabs(forecast / measured - 1) <= 0.05, "%s: forecast %.4f, measured %.4f",
            text(advice, "command"), forecast, measured);
  cJSON_Delete(run);
  spoken_free(&said);
}

Test(explain, advice_does_what_was_forecast, .timeout = 300) {
  int taken = 0;
  for (int i = 0; i < Products; i++) {
    const limited *p = &products[i];
    spoken said = spawn(NULL, "gemm", "--device", p->device, "-m", p->m, "-n", p->n, "-k",
                        p->k, "--memory", p->memory, "--json", p->int8, NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *run = json_of(&said);
    if (p->limit != NULL) {
      cr_expect_str_eq(text(run, "limit"), p->limit, "%s x %s x %s: %s", p->m, p->n, p->k,
                       text(run, "why"));
    }
    cr_expect_gt(strlen(text(run, "why")), 20);
    int here = 0;
    const cJSON *advice;
    cJSON_ArrayForEach(advice, cJSON_GetObjectItem(run, "try")) {
      if (cJSON_IsTrue(cJSON_GetObjectItem(advice, "hardware"))) {
        cr_expect_str_empty(text(advice, "command"));
        continue;
      }
      cr_expect_gt(json_number(advice, "utilisation"), json_number(run, "utilisation"));
      if (here++ < 2) take(advice);
    }
    cr_expect_geq(here, p->advice, "%s x %s x %s: %s", p->m, p->n, p->k,
                  text(run, "why"));
    taken += here;
    cJSON_Delete(run);
    spoken_free(&said);
  }
  cr_expect_geq(taken, 8);
}

/* The command as it is printed, in the shell. */
static double run_command(const char *command) {
  char line[1024], said[1 << 16];
  cr_assert_eq(strncmp(command, "systole ", 8), 0, "%s", command);
  snprintf(line, sizeof line, "'%s' %s --json", SYSTOLE_PROGRAM, command + 8);
  FILE *pipe = popen(line, "r");
  cr_assert_not_null(pipe);
  const size_t length = fread(said, 1, sizeof said - 1, pipe);
  said[length] = '\0';
  cr_assert_eq(pclose(pipe), 0, "%s", line);
  cJSON *run = cJSON_Parse(said);
  cr_assert_not_null(run, "%s: %s", line, said);
  const double utilisation = json_number(run, "utilisation");
  cJSON_Delete(run);
  return utilisation;
}

Test(explain, of_a_convolution_comes_with_a_command, .timeout = 300) {
  spoken said = spawn(NULL, "conv", "--device", ARRAY, "--height", "28", "--width", "28",
                      "--channels", "32", "--out-channels", "128", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *run = json_of(&said);
  cr_expect_str_eq(text(run, "limit"), "results", "%s", text(run, "why"));
  const cJSON *advice, *tries = cJSON_GetObjectItem(run, "try");
  int taken = 0;
  cJSON_ArrayForEach(advice, tries) {
    if (cJSON_IsTrue(cJSON_GetObjectItem(advice, "hardware"))) continue;
    const double forecast = json_number(advice, "utilisation");
    const double measured = run_command(text(advice, "command"));
    cr_expect(fabs(forecast / measured - 1) <= 0.05, "%s: forecast %.4f, measured %.4f",
              text(advice, "command"), forecast, measured);
    taken++;
  }
  cr_expect_geq(taken, 1);
  cJSON_Delete(run);
  spoken_free(&said);
}

Test(explain, people_read_the_reason_and_a_command) {
  spoken said =
      spawn(NULL, "gemm", "--device", ARRAY, "-m", "1", "-n", "256", "-k", "256", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_expect(strstr(said.out, "weights arrive at"), "%s", said.out);
  cr_expect(strstr(said.out, "B/cycle"), "%s", said.out);
  cr_expect(strstr(said.out, "systole gemm --device"), "%s", said.out);
  spoken_free(&said);
}

Test(explain, what_is_not_simulated_is_not_explained) {
  spoken said = spawn(NULL, "gemm", "--device", "cpu", "-m", "20", "-n", "20", "-k", "20",
                      "--repeat", "1", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *run = json_of(&said);
  cr_expect_null(cJSON_GetObjectItem(run, "why"));
  cr_expect_null(cJSON_GetObjectItem(run, "try"));
  cJSON_Delete(run);
  spoken_free(&said);
}

Test(explain, int8_results_are_checked) {
  static const char *const devices[] = {"cpu", ARRAY};
  for (int d = 0; d < 2; d++) {
    spoken said = spawn(NULL, "gemm", "--device", devices[d], "-m", "33", "-n", "17",
                        "-k", "40", "--int8", "--repeat", "1", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *run = json_of(&said);
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(run, "int8")));
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(run, "checked")));
    cr_expect_eq(json_number(run, "mismatches"), 0);
    cJSON_Delete(run);
    spoken_free(&said);
  }
}

#else
Test(explain, needs_a_simulated_array) { cr_assert(1); }
#endif
