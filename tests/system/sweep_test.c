/* systole sweep: every design as a run of its own would have it, the best one, limits,
 * files, and Ctrl-C. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

static cJSON *sweep(const char *const arguments[]) {
  const char *a[12] = {NULL};
  for (int i = 0; i < 12 && arguments[i] != NULL; i++) a[i] = arguments[i];
  spoken said = spawn(NULL, "sweep", "--json", a[0], a[1], a[2], a[3], a[4], a[5], a[6],
                      a[7], a[8], a[9], a[10], a[11], NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  spoken_free(&said);
  return object;
}

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
  return text != NULL ? text : "";
}

Test(sweep, designs_are_what_single_runs_say) {
  cJSON *object =
      sweep((const char *const[]){"--dims", "8..32,128", "--clock", "200,0.3G", "--port",
                                  "ideal,1.2", "--sizes", "300x200x100", NULL});
  const cJSON *designs = cJSON_GetObjectItem(object, "designs"), *d;
  cr_assert_eq(cJSON_GetArraySize(designs), 4 * 2 * 2);
  cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(object, "timing_only")));
  int seen = 0;
  cJSON_ArrayForEach(d, designs) {
    if (seen++ % 5 != 0) continue;
    char device[32], clock[32];
    snprintf(device, sizeof device, "model:%d", (int)json_number(d, "dim"));
    snprintf(clock, sizeof clock, "%g", json_number(d, "clock_mhz"));
    spoken said =
        spawn(NULL, "gemm", "-d", device, "--no-data", "-m", "300", "-n", "200", "-k",
              "100", "--clock", clock, "--memory", text_of(d, "memory"), "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *run = json_of(&said);
    cr_expect_eq(json_number(run, "cycles"), json_number(d, "cycles"), "%s", device);
    cr_expect_float_eq(json_number(run, "utilisation"), json_number(d, "utilisation"),
                       1e-12);
    const double energy = json_number(cJSON_GetObjectItem(run, "energy_j"), "nominal");
    cr_expect_float_eq(energy, json_number(cJSON_GetObjectItem(d, "energy_j"), "nominal"),
                       1e-9 * energy);
    cr_expect(cJSON_Compare(cJSON_GetObjectItem(run, "ledger"),
                            cJSON_GetObjectItem(d, "ledger"), 1));
    cJSON_Delete(run);
    spoken_free(&said);
  }
  cJSON_Delete(object);
}

/* The same, however many threads there are. */
Test(sweep, threads_change_nothing) {
  cJSON *one = sweep((const char *const[]){"--workload", "mobilenet-v2", "--dims",
                                           "8..128", "--threads", "1", NULL});
  cJSON *many = sweep((const char *const[]){"--workload", "mobilenet-v2", "--dims",
                                            "8..128", "--threads", "7", NULL});
  cr_expect(cJSON_Compare(one, many, 1));
  cJSON_Delete(one);
  cJSON_Delete(many);
}

static double value_of(const cJSON *d, const char *by) {
  if (strcmp(by, "time") == 0) return json_number(d, "seconds");
  const double energy = json_number(cJSON_GetObjectItem(d, "energy_j"), "nominal");
  return strcmp(by, "energy") == 0 ? energy : energy * json_number(d, "seconds");
}

Test(sweep, the_best_is_the_best_within_limits) {
  static const char *const bys[] = {"time", "energy", "product"};
  for (int b = 0; b < 3; b++) {
    for (int limited = 0; limited < 2; limited++) {
      cJSON *object = sweep((const char *const[]){
          "--workload", "bert-base", "--clock", "100,300", "--best", bys[b],
          limited ? "--max-dsp" : NULL, "1200", "--max-power", "1", NULL});
      const cJSON *best = cJSON_GetObjectItem(object, "best"), *d;
      cr_assert_not_null(best);
      int over = 0;
      cJSON_ArrayForEach(d, cJSON_GetObjectItem(object, "designs")) {
        const double dim = json_number(d, "dim");
        const double power = json_number(cJSON_GetObjectItem(d, "power_w"), "nominal");
        cr_expect_eq(json_number(d, "dsp"), dim * dim + 3 * dim);
        const int within = !limited || (dim * dim + 3 * dim <= 1200 && power <= 1);
        cr_expect_eq(cJSON_IsTrue(cJSON_GetObjectItem(d, "within")), within);
        over += !within;
        if (within) cr_expect(value_of(d, bys[b]) >= value_of(best, bys[b]));
      }
      cr_expect_eq(over > 0, limited);
      cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(best, "within")));
      cJSON_Delete(object);
    }
  }
  cJSON *object = sweep((const char *const[]){"--sizes", "64", "--max-macs", "1", NULL});
  cr_expect_null(cJSON_GetObjectItem(object, "best"));
  cJSON_Delete(object);
}

/* A design that cannot run it is told, and the others go on. */
Test(sweep, what_does_not_fit_is_told) {
  char folder[64];
  static const char table[] = "wide,1,60,60,64,64,15,15,1,7,1,yes,no\n";
  folder_make(folder);
  write_file(in(folder, "wide.csv"), table, sizeof table - 1);
  cJSON *object = sweep((const char *const[]){"--workload", in(folder, "wide.csv"),
                                              "--dims", "8", "--ub", "16,16384", NULL});
  const cJSON *designs = cJSON_GetObjectItem(object, "designs");
  cr_assert_eq(cJSON_GetArraySize(designs), 2);
  const cJSON *small = cJSON_GetArrayItem(designs, 0),
              *large = cJSON_GetArrayItem(designs, 1);
  if (cJSON_IsFalse(cJSON_GetObjectItem(small, "possible"))) {
    cr_expect_not_null(strstr(text_of(small, "why"), "16"));
  } else {
    cr_expect(json_number(small, "cycles") > json_number(large, "cycles"));
  }
  cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(large, "possible")));
  cJSON_Delete(object);
  folder_remove(folder);
}

Test(sweep, writes_table_and_figure) {
  char folder[64], line[1024];
  folder_make(folder);
  spoken said = spawn(NULL, "sweep", "--sizes", "64,100x20x30", "--dims", "4..16",
                      "--out", in(folder, "out"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_expect_not_null(strstr(said.out, "best by time"));
  spoken_free(&said);
  FILE *csv = fopen(in(folder, "out/sweep.csv"), "r");
  cr_assert_not_null(csv);
  int lines = 0;
  size_t commas = 0;
  while (fgets(line, sizeof line, csv) != NULL) {
    size_t here = 0;
    for (const char *c = line; *c != '\0'; c++) here += *c == ',';
    if (lines++ == 0) commas = here;
    cr_expect_eq(here, commas, "%s", line);
  }
  fclose(csv);
  cr_expect_eq(lines, 4);
  cr_expect(exists(in(folder, "out/sweep.json")));
  if (system("command -v gnuplot > /dev/null") == 0) {
    cr_expect(exists(in(folder, "out/sweep.svg")));
    cr_expect(exists(in(folder, "out/sweep.png")));
  }
  folder_remove(folder);
}

Test(sweep, an_interrupted_sweep_leaves_nothing) {
  char folder[64];
  folder_make(folder);
  const spawn_options options = {.interrupt_after_ms = 300};
  spoken said =
      spawn(&options, "sweep", "--dims", "4..1024", "--clock",
            "100,150,200,250,300,350,400,450,500", "--port", "1,2,3,4,5,6,7,8,9,10",
            "--workload", "tpu-cnn1", "--out", in(folder, "out"), NULL);
  cr_expect_eq(said.code, 130, "%d: %s", said.code, said.error);
  cr_expect_eq(entries(folder), 0);
  spoken_free(&said);
  folder_remove(folder);
}

Test(sweep, refuses_in_words) {
  static const struct {
    const char *arguments[4];
    const char *says;
  } wrong[] = {{{"--dims", "5"}, "powers of two"},
               {{"--dims", "32..8"}, "goes up"},
               {{"--dims", "2..8"}, "from 4 to 1024"},
               {{"--dims", ","}, "empty"},
               {{"--clock", "0"}, "0.001 to 2000"},
               {{"--clock", "nan"}, "0.001 to 2000"},
               {{"--port", "-3"}, "--port"},
               {{"--port", "tape"}, "hbm2"},
               {{"--ub", "3"}, "16"},
               {{"--acc", "7"}, "even"},
               {{"--workload", "alexnet"}, "mobilenet-v1"},
               {{"--workload", "none.csv"}, "none.csv"},
               {{"--workload", "mlp", "--sizes", "3"}, "gemm"},
               {{"--max-power", "-1"}, "--max-power"},
               {{"--max-macs", "0"}, "no array"},
               {{"--best", "size"}, "product"},
               {{"--technology", "3nm"}, "45nm"},
               {{"--threads", "0"}, "--threads"},
               {{"--out", "/proc/none/x"}, "/proc"}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    const char *const *a = wrong[i].arguments;
    spoken said = spawn(NULL, "sweep", a[0], a[1], a[2], a[2] ? a[3] : NULL, NULL);
    cr_expect_eq(said.code, 2, "%s %s: %d", a[0], a[1], said.code);
    cr_expect_not_null(strstr(said.error, wrong[i].says), "%s: %s", a[1], said.error);
    spoken_free(&said);
  }
}
