/* The fast model from the command line: presets, files, and cycles without data. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

static const char *text_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
  return text != NULL ? text : "";
}

Test(model, presets_are_listed_and_run) {
  static const char *const names[] = {"model:tpu-v1", "model:edge-tpu", "model:u50",
                                      "model:u250", "model:u280"};
  static const int dims[] = {256, 64, 32, 32, 32};
  spoken listed = spawn(NULL, "devices", NULL);
  cr_assert_eq(listed.code, 0);
  for (size_t i = 0; i < 5; i++) {
    cr_expect_not_null(strstr(listed.out, names[i]), "%s", names[i]);
    spoken said = spawn(NULL, "gemm", "-d", names[i], "-m", "40", "-n", "50", "-k", "60",
                        "--json", NULL);
    cr_assert_eq(said.code, 0, "%s: %s", names[i], said.error);
    cJSON *object = json_of(&said);
    cr_expect_eq(json_number(object, "dim"), dims[i]);
    cr_expect_eq(json_number(object, "mismatches"), 0);
    cJSON_Delete(object);
    spoken_free(&said);
  }
  spoken_free(&listed);
}

/* 92 TOPS: 256 x 256 MACs at 700 MHz, and what their clock is worth. */
Test(model, tpu_v1_has_its_peak) {
  spoken said = spawn(NULL, "gemm", "-d", "model:tpu-v1", "--no-data", "-m", "65536",
                      "-n", "4096", "-k", "4096", "--int8", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_expect_str_eq(text_of(object, "clock_kind"), "published");
  cr_expect_eq(json_number(object, "clock_mhz"), 700);
  const double gops = json_number(object, "gops");
  const double peak = gops / json_number(object, "utilisation");
  cr_expect(peak > 91500 && peak < 92000, "%f", peak);
  cr_expect(gops > 0.95 * peak, "%f", gops);
  cJSON_Delete(object);
  spoken_free(&said);
}

static void same_number(const cJSON *a, const cJSON *b, const char *key) {
  cr_expect_eq(json_number(a, key), json_number(b, key), "%s", key);
}

Test(model, no_data_tells_the_same_cycles_and_checks_nothing) {
  spoken with = spawn(NULL, "gemm", "-d", "model:16", "-m", "200", "-n", "150", "-k",
                      "100", "--json", NULL);
  spoken without = spawn(NULL, "gemm", "-d", "model:16", "--no-data", "-m", "200", "-n",
                         "150", "-k", "100", "--json", NULL);
  spoken named = spawn(NULL, "gemm", "-d", "model:16,data=0", "-m", "200", "-n", "150",
                       "-k", "100", "--json", NULL);
  cr_assert_eq(with.code, 0, "%s", with.error);
  cr_assert_eq(without.code, 0, "%s", without.error);
  cr_assert_eq(named.code, 0, "%s", named.error);
  cJSON *a = json_of(&with), *b = json_of(&without), *c = json_of(&named);
  same_number(a, b, "cycles");
  same_number(a, c, "cycles");
  same_number(a, b, "instructions");
  cr_expect(cJSON_Compare(cJSON_GetObjectItem(a, "ledger"),
                          cJSON_GetObjectItem(b, "ledger"), 1));
  cr_expect(
      cJSON_Compare(cJSON_GetObjectItem(a, "bytes"), cJSON_GetObjectItem(b, "bytes"), 1));
  cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(a, "checked")));
  cr_expect_null(cJSON_GetObjectItem(a, "timing_only"));
  cJSON *const timed[] = {b, c};
  for (int i = 0; i < 2; i++) {
    cr_expect(cJSON_IsFalse(cJSON_GetObjectItem(timed[i], "checked")));
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(timed[i], "timing_only")));
    cr_expect_null(cJSON_GetObjectItem(timed[i], "mismatches"));
    cr_expect_null(cJSON_GetObjectItem(timed[i], "zero_macs"));
    cr_expect_null(cJSON_GetObjectItem(timed[i], "seed"));
  }
  cJSON_Delete(a);
  cJSON_Delete(b);
  cJSON_Delete(c);
  spoken_free(&with);
  spoken_free(&without);
  spoken_free(&named);
  spoken said = spawn(NULL, "gemm", "-d", "model:16", "--no-data", "-m", "9", "-n", "9",
                      "-k", "9", NULL);
  cr_expect_eq(said.code, 0);
  cr_expect_not_null(strstr(said.out, "timing only"));
  cr_expect_null(strstr(said.out, "exact ("));
  spoken_free(&said);
}

/* 4096^3, with no memory for its operands: they are neither drawn nor packed. The best of
 * five, because other programs take the caches away. */
Test(model, a_large_product_takes_little_time) {
#ifdef NDEBUG
  const double limit = 0.05;
#else
  const double limit = 1.0;
#endif
  double best = 1e9;
  for (int i = 0; i < 5 && best >= limit; i++) {
    spoken said = spawn(NULL, "gemm", "-d", "model:16", "--no-data", "-m", "4096", "-n",
                        "4096", "-k", "4096", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *object = json_of(&said);
    cr_expect(json_number(object, "cycles") > 268435456);
    const double cpu = json_number(object, "cpu_s");
    if (cpu < best) best = cpu;
    cJSON_Delete(object);
    spoken_free(&said);
  }
  cr_expect(best < limit, "%f", best);
}

/* Four gigabytes of weights, which are not there. */
Test(model, a_product_beyond_memory_is_timed) {
  spoken said = spawn(NULL, "gemm", "-d", "model:256", "--no-data", "-m", "40", "-n",
                      "65536", "-k", "65536", "--device-memory", "16384", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
}

Test(model, a_network_without_data) {
  char folder[64];
  folder_make(folder);
  spoken said = spawn(NULL, "compare", "--workload", "mlp", "--hidden", "4096", "--batch",
                      "256", "--devices", "model:256,model:64,axi=32,model:tpu-v1",
                      "--no-data", "--out", in(folder, "mlp"), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  const cJSON *results = cJSON_GetObjectItem(object, "results"), *one;
  cr_assert_eq(cJSON_GetArraySize(results), 9);
  cr_expect_str_eq(text_of(cJSON_GetArrayItem(results, 1), "device"), "model:64,axi=32");
  double cpu = 0;
  cJSON_ArrayForEach(one, results) {
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(one, "timing_only")));
    if (strcmp(text_of(one, "device"), "model:256") == 0)
      cpu += json_number(one, "cpu_s");
  }
  cr_expect(cpu < 0.5, "%f", cpu);
  cr_expect(exists(in(folder, "mlp/report.html")));
  cJSON_Delete(object);
  spoken_free(&said);
  folder_remove(folder);
}

/* Layers with residuals and groups, without operands for them. */
Test(model, layers_without_data) {
  spoken with = spawn(NULL, "conv", "-d", "model:32", "--layers", "bert-base",
                      "--no-check", "--json", NULL);
  spoken without = spawn(NULL, "conv", "-d", "model:32", "--layers", "bert-base",
                         "--no-data", "--json", NULL);
  cr_assert_eq(with.code, 0, "%s", with.error);
  cr_assert_eq(without.code, 0, "%s", without.error);
  cJSON *a = json_of(&with), *b = json_of(&without);
  same_number(a, b, "cycles");
  cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(b, "timing_only")));
  cJSON_Delete(a);
  cJSON_Delete(b);
  spoken_free(&with);
  spoken_free(&without);
  spoken network = spawn(NULL, "conv", "-d", "model:edge-tpu", "--layers", "resnet50",
                         "--no-data", NULL);
  cr_assert_eq(network.code, 0, "%s", network.error);
  cr_expect_not_null(strstr(network.out, "timing only"));
  spoken_free(&network);
  spoken single = spawn(NULL, "conv", "-d", "model:16", "--height", "14", "--width", "14",
                        "--channels", "32", "--out-channels", "32", "--kernel", "3",
                        "--requantise", "--residual", "--no-data", "--json", NULL);
  cr_assert_eq(single.code, 0, "%s", single.error);
  spoken_free(&single);
}

typedef struct refusal {
  const char *arguments[12];
  int code;
  const char *says;
} refusal;

Test(model, bad_presets_and_options_are_refused_in_words) {
  char folder[64], dim5[128], broken[128], unknown[128];
  folder_make(folder);
  write_file(in(folder, "dim5.json"), "{\"dim\": 5}", 10);
  write_file(in(folder, "broken.json"), "{\"dim\": ", 8);
  write_file(in(folder, "unknown.json"), "{\"dim\": 8, \"x\": 1}", 18);
  snprintf(dim5, sizeof dim5, "model:%s", in(folder, "dim5.json"));
  snprintf(broken, sizeof broken, "model:%s", in(folder, "broken.json"));
  snprintf(unknown, sizeof unknown, "model:%s", in(folder, "unknown.json"));
  const refusal refused[] = {
      {{"model:tpu-v7"}, 2, "edge-tpu, tpu-v1, u250, u280, u50"},
      {{"model:5"}, 2, "power of two from 4 to 1024"},
      {{"model:missing.json"}, 2, "No such file"},
      {{dim5}, 2, "power of two from 4 to 1024"},
      {{broken}, 2, "line 1"},
      {{unknown}, 2, "no key \"x\""},
      {{"model:16,clock=0"}, 2, "no clock"},
      {{"model:16,gmem1=0"}, 2, "makes no sense"},
      {{"model:16", "--memory", "ideal+gmem1=fast"}, 2, "+gmem1="},
      {{"model:16", "--memory", "tape"}, 2, "ideal, ddr4 and hbm2"},
      {{"model:16", "--no-data", "--out", "c.npy"}, 2, "--out has no meaning"},
      {{"model:16", "--no-data", "--a", "a.npy"}, 2, "--a has no meaning"},
      {{"model:16,data=0", "--out", "c.npy"}, 2, "no result"},
      {{"model:16", "--no-data", "--record", "r.rec"}, 2, "recording"},
      {{"cpu", "--no-data"}, 2, "model:16"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    const char *const *a = refused[i].arguments;
    spoken said = spawn(NULL, "gemm", "-m", "8", "-n", "8", "-k", "8", "-d", a[0], a[1],
                        a[1] ? a[2] : NULL, a[1] && a[2] ? a[3] : NULL, NULL);
    cr_expect_eq(said.code, refused[i].code, "%s: %d %s", a[0], said.code, said.error);
    cr_expect_not_null(strstr(said.error, refused[i].says), "%s: %s", a[0], said.error);
    spoken_free(&said);
  }
  spoken said = spawn(NULL, "compare", "--no-data", "--out", in(folder, "r"), NULL);
  cr_expect_eq(said.code, 2);
  cr_expect_not_null(strstr(said.error, "--devices"));
  spoken_free(&said);
  said = spawn(NULL, "compare", "--no-data", "--devices", "model:16,cpu", "--out",
               in(folder, "r"), NULL);
  cr_expect_eq(said.code, 2);
  spoken_free(&said);
  cr_expect_not(exists(in(folder, "r")));
  folder_remove(folder);
}
