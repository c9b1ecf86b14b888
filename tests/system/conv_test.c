/* systole conv: results, files, layers and what is refused. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_ARRAY
static const char *const devices[] = {"cpu", "cpu:plain-c", SYSTOLE_TEST_ARRAY};
#else
static const char *const devices[] = {"cpu", "cpu:plain-c"};
#endif
enum { Devices = sizeof devices / sizeof devices[0] };

/* A .npy file of four dimensions, C order. */
static void write_npy4(const char *path, const char *descr, const int shape[4],
                       const void *data, size_t bytes) {
  char header[128];
  unsigned char all[4096];
  const int length =
      snprintf(header, sizeof header,
               "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }",
               descr, shape[0], shape[1], shape[2], shape[3]);
  cr_assert(10 + (size_t)length + bytes <= sizeof all);
  memcpy(all, "\x93NUMPY\x01\x00", 8);
  all[8] = (unsigned char)length;
  all[9] = 0;
  memcpy(all + 10, header, (size_t)length);
  memcpy(all + 10 + length, data, bytes);
  write_file(path, all, 10 + (size_t)length + bytes);
}

static void read_back(void *out, size_t bytes, const char *path) {
  FILE *file = fopen(path, "rb");
  unsigned char header[10];
  cr_assert_not_null(file, "%s", path);
  cr_assert_eq(fread(header, 1, 10, file), 10);
  fseek(file, header[8] | header[9] << 8, SEEK_CUR);
  cr_assert_eq(fread(out, 1, bytes, file), bytes);
  cr_assert_eq(fgetc(file), EOF);
  fclose(file);
}

Test(conv, is_exact_and_its_figures_agree) {
  for (int d = 0; d < Devices; d++) {
    spoken said =
        spawn(NULL, "conv", "-d", devices[d], "--n", "2", "--height", "9", "--width", "7",
              "--channels", "6", "--out-channels", "10", "--kernel", "3x2", "--stride",
              "2x1", "--dilation", "1x2", "--pad", "1,0,2,1", "--groups", "2",
              "--zero-point", "-7", "--repeat", "1", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s: %s", devices[d], said.error);
    cJSON *object = json_of(&said);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "workload")),
                     "conv");
    /* 4 lines (9 + 1 - 3 fits 3 strides of 2) and 8 columns (7 + 3 - 2). */
    cr_assert_eq(json_number(object, "macs"), 2.0 * 4 * 8 * 10 * 3 * 2 * 3);
    cr_assert_eq(json_number(object, "mismatches"), 0);
    const cJSON *shape = cJSON_GetObjectItem(object, "conv");
    cr_assert_eq(json_number(shape, "groups"), 2);
    if (d == 2) {
      double sum = 0;
      const cJSON *part;
      cJSON_ArrayForEach(part, cJSON_GetObjectItem(object, "ledger")) {
        sum += part->valuedouble;
      }
      cr_assert_eq(sum, json_number(object, "cycles"));
      cr_assert_leq(json_number(object, "utilisation"),
                    json_number(object, "utilisation_ceiling"));
    }
    cJSON_Delete(object);
    spoken_free(&said);
  }
}

/* int8 and uint8 inputs, whose zero is the padding's. */
Test(conv, takes_and_writes_files) {
  enum { H = 4, W = 5, C = 3, O = 2, K = 3 };
  static const int x_shape[] = {1, H, W, C}, w_shape[] = {O, K, K, C};
  static const char *const descr[] = {"|i1", "|u1"};
  char folder[64];
  uint8_t x[H * W * C];
  int8_t w[O * K * K * C];
  folder_make(folder);
  for (int i = 0; i < H * W * C; i++) x[i] = (uint8_t)(i * 37 + 11);
  for (int i = 0; i < O * K * K * C; i++) w[i] = (int8_t)(i * 91 + 5);
  write_npy4(in(folder, "w.npy"), "|i1", w_shape, w, sizeof w);
  for (int type = 0; type < 2; type++) {
    write_npy4(in(folder, "x.npy"), descr[type], x_shape, x, sizeof x);
    for (int d = 0; d < Devices; d++) {
      spoken said = spawn(NULL, "conv", "-d", devices[d], "--input", in(folder, "x.npy"),
                          "--weights", in(folder, "w.npy"), "--pad", "1", "--repeat", "1",
                          "--out", in(folder, "y.npy"), NULL);
      cr_assert_eq(said.code, 0, "%s: %s", devices[d], said.error);
      int32_t y[H * W * O];
      read_back(y, sizeof y, in(folder, "y.npy"));
      for (int i = 0; i < H; i++) {
        for (int j = 0; j < W; j++) {
          for (int o = 0; o < O; o++) {
            int32_t sum = 0;
            for (int a = 0; a < K; a++) {
              for (int b = 0; b < K; b++) {
                const int h = i + a - 1, v = j + b - 1;
                if (h < 0 || h >= H || v < 0 || v >= W) continue;
                for (int c = 0; c < C; c++) {
                  const uint8_t raw = x[(h * W + v) * C + c];
                  sum +=
                      (type == 1 ? raw : (int8_t)raw) * w[((o * K + a) * K + b) * C + c];
                }
              }
            }
            cr_assert_eq(y[(i * W + j) * O + o], sum, "%s, %s [%d][%d][%d]", devices[d],
                         descr[type], i, j, o);
          }
        }
      }
      spoken_free(&said);
    }
  }
  cr_assert_eq(entries(folder), 3, "nothing temporary is left");
  folder_remove(folder);
}

Test(conv, runs_the_layers_of_a_table) {
  static const char table[] =
      "# two layers\n"
      "first,1,6,6,3,8,3,3,2,1,1,yes,no\n"
      "\n"
      "second,1,3,3,8,8,1,1,1,0,1,yes,yes\n";
  char folder[64];
  folder_make(folder);
  write_file(in(folder, "t.csv"), table, sizeof table - 1);
  for (int d = 0; d < Devices; d++) {
    spoken said = spawn(NULL, "conv", "-d", devices[d], "--layers", in(folder, "t.csv"),
                        "--json", NULL);
    cr_assert_eq(said.code, 0, "%s: %s", devices[d], said.error);
    cJSON *object = json_of(&said);
    const cJSON *layers = cJSON_GetObjectItem(object, "layers");
    cr_assert_eq(cJSON_GetArraySize(layers), 2);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "title")),
                     "two layers");
    cr_assert_eq(json_number(object, "mismatches"), 0);
    cr_assert_eq(json_number(object, "macs"), 9.0 * 8 * 27 + 9 * 8 * 8);
    double macs = 0;
    const cJSON *layer;
    cJSON_ArrayForEach(layer, layers) { macs += json_number(layer, "macs"); }
    cr_assert_eq(macs, json_number(object, "macs"));
    cJSON_Delete(object);
    spoken_free(&said);
  }
  folder_remove(folder);
}

/* The built-in networks are the published ones: their layers and their products. */
Test(conv, knows_its_networks) {
  static const struct {
    const char *name;
    int layers;
    double macs;
  } networks[] = {{"resnet50", 53, 4087136256.0}, {"bert-base", 8, 931135488.0}};
  for (size_t i = 0; i < 2; i++) {
    spoken said = spawn(NULL, "conv", "-d", "cpu", "--threads", "1", "--layers",
                        networks[i].name, "--no-check", "--repeat", "1", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cJSON *object = json_of(&said);
    cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(object, "layers")),
                 networks[i].layers);
    cr_assert_eq(json_number(object, "macs"), networks[i].macs);
    cJSON_Delete(object);
    spoken_free(&said);
  }
}

Test(conv, refuses_with_a_sentence) {
  static const struct {
    const char *option, *value, *sentence;
  } cases[] = {{"--kernel", "9x9", "does not fit"},
               {"--kernel", "3x", "whole number"},
               {"--kernel", "0", "at least 1"},
               {"--stride", "0", "between 1"},
               {"--dilation", "-1", "negative"},
               {"--pad", "1,2,3", "four"},
               {"--pad", "1,2,3,4,5", "four"},
               {"--groups", "3", "divide"},
               {"--zero-point", "128", "-128 to 127"},
               {"--clamp", "5", "LOW,HIGH"},
               {"--relu", NULL, "--requantise"},
               {"--residual", NULL, "--requantise"},
               {"--pool", "median", "max and average"},
               {"--pool", "max", "--requantise"},
               {"--height", "0", "--height"},
               {"--height", "1e3", "whole number"},
               {"--channels", "9223372036854775807", "number of channels"},
               {"--device", "rtl:17", "rtl:17"},
               {"--layers", "resnet50", "leave the others"},
               {"--out", "/nonexistent/y.npy", "No such file"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    spoken said =
        spawn(NULL, "conv", "-d", "cpu", "--height", "4", "--width", "4", "--channels",
              "4", "--out-channels", "4", cases[i].option, cases[i].value, NULL);
    const int expected = strcmp(cases[i].option, "--device") == 0 ? 3 : 2;
    cr_assert_eq(said.code, expected, "%s: %d: %s", cases[i].option, said.code,
                 said.error);
    cr_assert_not_null(strstr(said.error, cases[i].sentence), "%s %s: '%s' is not in: %s",
                       cases[i].option, cases[i].value != NULL ? cases[i].value : "",
                       cases[i].sentence, said.error);
    cr_assert_str_eq(said.out, "");
    spoken_free(&said);
  }
}

Test(conv, refuses_tables_that_are_none) {
  static const struct {
    const char *text, *sentence;
  } cases[] = {{"", "no layers"},
               {"a,1,2,3\n", "fewer than 13"},
               {"a,1,4,4,4,4,1,1,1,0,1,no,no,no\n", "more than 13"},
               {"a,1,4,4,4,4,1,1,1,0,1,maybe,no\n", "yes or no"},
               {"a,1,4,4,x,4,1,1,1,0,1,no,no\n", "whole number"},
               {"a,1,4,4,4,4,5,5,1,0,1,no,no\n", "does not fit"}};
  char folder[64];
  folder_make(folder);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_file(in(folder, "t.csv"), cases[i].text, strlen(cases[i].text));
    spoken said =
        spawn(NULL, "conv", "-d", "cpu", "--layers", in(folder, "t.csv"), "--json", NULL);
    cr_assert_eq(said.code, 2, "%s: %d", cases[i].text, said.code);
    cr_assert_not_null(strstr(said.error, cases[i].sentence), "'%s' is not in: %s",
                       cases[i].sentence, said.error);
    cr_assert_str_eq(said.out, "");
    spoken_free(&said);
  }
  spoken said = spawn(NULL, "conv", "-d", "cpu", "--layers", "resnet51", NULL);
  cr_assert_eq(said.code, 2);
  cr_assert_not_null(strstr(said.error, "resnet50"), "%s", said.error);
  spoken_free(&said);
  folder_remove(folder);
}

/* A network in compare: each layer on each device, exact, in the report. */
Test(conv, compares_devices_on_a_network) {
  char folder[64];
  folder_make(folder);
  spoken said = spawn(NULL, "compare", "--workload", "bert-base", "--devices", "cpu",
                      "--threads", "1", "--out", in(folder, "report"), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  const cJSON *results = cJSON_GetObjectItem(object, "results"), *result;
  cr_assert_eq(cJSON_GetArraySize(results), 8);
  double macs = 0;
  cJSON_ArrayForEach(result, results) {
    macs += json_number(result, "macs");
    cr_assert_eq(json_number(result, "mismatches"), 0);
    cr_assert_not_null(cJSON_GetObjectItem(result, "conv"));
  }
  cr_assert_eq(macs, 931135488.0);
  cr_assert(exists(in(folder, "report/report.html")));
  cJSON_Delete(object);
  spoken_free(&said);
  folder_remove(folder);
}
