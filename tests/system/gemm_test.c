/* systole gemm: results, figures and files. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_ARRAY
static const char *const devices[] = {"cpu", SYSTOLE_TEST_ARRAY};
#else
static const char *const devices[] = {"cpu"};
#endif
enum { Devices = sizeof devices / sizeof devices[0] };

static const char *number(int64_t value) {
  static char buffers[4][24];
  static int next;
  next = (next + 1) % 4;
  snprintf(buffers[next], sizeof buffers[next], "%lld", (long long)value);
  return buffers[next];
}

static void check_object(const char *device, int64_t m, int64_t n, int64_t k) {
  spoken said = spawn(NULL, "gemm", "--device", device, "-m", number(m), "-n", number(n),
                      "-k", number(k), "--repeat", "1", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s %d %d %d: %s", device, (int)m, (int)n, (int)k,
               said.error);
  cr_assert_str_eq(said.error, "");
  cJSON *object = json_of(&said);
  cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "device")), device);
  cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "workload")), "gemm");
  cr_assert_eq(json_number(object, "m"), (double)m);
  cr_assert_eq(json_number(object, "n"), (double)n);
  cr_assert_eq(json_number(object, "k"), (double)k);
  cr_assert_eq(json_number(object, "macs"), (double)(m * n * k));
  cr_assert_eq(json_number(object, "mismatches"), 0);
  cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(object, "checked")));
  json_number(object, "wall_s");
  json_number(object, "cpu_s");
  const cJSON *ledger = cJSON_GetObjectItem(object, "ledger"), *part;
  if (strcmp(device, "cpu") == 0) {
    cr_assert_null(ledger);
    if (m * n * k > 0) { /* nothing computes nothing */
      cr_assert_not_null(cJSON_GetStringValue(cJSON_GetObjectItem(object, "kernel")));
    }
    cr_assert_geq(json_number(object, "threads"), 1);
    cr_assert_gt(json_number(object, "peak_gops"), 0);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "peak_kind")),
                     "measured");
  } else if (m * n * k > 0) {
    double sum = 0;
    int parts = 0;
    cJSON_ArrayForEach(part, ledger) {
      sum += part->valuedouble;
      parts++;
    }
    cr_assert_eq(parts, 8);
    cr_assert_eq(sum, json_number(object, "cycles"), "the ledger's parts are all cycles");
    cr_assert_leq(json_number(object, "utilisation"), 1);
    cr_assert_eq(json_number(object, "clock_mhz"), 300);
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "clock_kind")),
                     "assumed");
    cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(object, "memory")),
                     "ideal");
  }
  cJSON_Delete(object);
  spoken_free(&said);
}

Test(gemm, is_exact_and_its_figures_agree) {
  static const int64_t shapes[][3] = {{1, 1, 1},   {16, 16, 16}, {17, 15, 33}, {1, 49, 7},
                                      {49, 1, 13}, {64, 64, 64}, {31, 2, 200}};
  for (int d = 0; d < Devices; d++) {
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
      check_object(devices[d], shapes[s][0], shapes[s][1], shapes[s][2]);
    }
  }
}

Test(gemm, of_nothing_is_nothing) {
  static const int64_t shapes[][3] = {{0, 4, 4}, {4, 0, 4}, {4, 4, 0}, {0, 0, 0}};
  for (int d = 0; d < Devices; d++) {
    for (size_t s = 0; s < 4; s++) {
      check_object(devices[d], shapes[s][0], shapes[s][1], shapes[s][2]);
    }
  }
}

static void read_product(int32_t *out, size_t count, const char *path) {
  FILE *file = fopen(path, "rb");
  unsigned char header[10];
  cr_assert_not_null(file, "%s", path);
  cr_assert_eq(fread(header, 1, 10, file), 10);
  fseek(file, header[8] | header[9] << 8, SEEK_CUR);
  cr_assert_eq(fread(out, 4, count, file), count);
  cr_assert_eq(fgetc(file), EOF);
  fclose(file);
}

/* All four pairs of int8 and uint8, exact in the units of the files. */
Test(gemm, multiplies_files) {
  enum { M = 5, N = 7, K = 19 };
  static const char *const descr[] = {"|i1", "|u1"};
  char folder[64];
  uint8_t a[M * K], b[K * N];
  folder_make(folder);
  for (int i = 0; i < M * K; i++) a[i] = (uint8_t)(i * 37 + 11);
  for (int i = 0; i < K * N; i++) b[i] = (uint8_t)(i * 91 + 5);
  for (int d = 0; d < Devices; d++) {
    for (int types = 0; types < 4; types++) {
      const int a_unsigned = types & 1, b_unsigned = types >> 1;
      write_npy(in(folder, "a.npy"), descr[a_unsigned], M, K, a, sizeof a);
      write_npy(in(folder, "b.npy"), descr[b_unsigned], K, N, b, sizeof b);
      spoken said =
          spawn(NULL, "gemm", "--device", devices[d], "--a", in(folder, "a.npy"), "--b",
                in(folder, "b.npy"), "--out", in(folder, "c.npy"), "--json", NULL);
      cr_assert_eq(said.code, 0, "%s", said.error);
      int32_t c[M * N];
      read_product(c, M * N, in(folder, "c.npy"));
      for (int i = 0; i < M; i++) {
        for (int j = 0; j < N; j++) {
          int32_t sum = 0;
          for (int p = 0; p < K; p++) {
            const int left = a_unsigned ? a[i * K + p] : (int8_t)a[i * K + p];
            const int right = b_unsigned ? b[p * N + j] : (int8_t)b[p * N + j];
            sum += left * right;
          }
          cr_assert_eq(c[i * N + j], sum, "%s, types %d, [%d][%d]", devices[d], types, i,
                       j);
        }
      }
      spoken_free(&said);
    }
  }
  cr_assert_eq(entries(folder), 3, "nothing temporary is left");
  folder_remove(folder);
}

Test(gemm, a_seed_is_a_matrix) {
  char folder[64];
  int32_t first[64], second[64], other[64];
  folder_make(folder);
  for (int run = 0; run < 3; run++) {
    spoken said = spawn(NULL, "gemm", "--device", devices[run == 1 ? Devices - 1 : 0],
                        "-m", "8", "-n", "8", "-k", "8", "--seed", run == 2 ? "43" : "42",
                        "--out", in(folder, "c.npy"), NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    read_product(run == 0 ? first : run == 1 ? second : other, 64, in(folder, "c.npy"));
    spoken_free(&said);
  }
  cr_assert_arr_eq(first, second, 64, "whatever computes it");
  cr_assert(memcmp(first, other, sizeof first) != 0);
  folder_remove(folder);
}

Test(gemm, without_a_check_says_so) {
  spoken said = spawn(NULL, "gemm", "-d", "cpu", "-m", "8", "-n", "8", "-k", "8",
                      "--no-check", "--json", NULL);
  cr_assert_eq(said.code, 0);
  cJSON *object = json_of(&said);
  cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(object, "checked")));
  cr_assert_null(cJSON_GetObjectItem(object, "mismatches"));
  cJSON_Delete(object);
  spoken_free(&said);
}

Test(gemm, for_people_says_what_the_run_did) {
  for (int d = 0; d < Devices; d++) {
    spoken said =
        spawn(NULL, "gemm", "-d", devices[d], "-m", "40", "-n", "40", "-k", "40", NULL);
    cr_assert_eq(said.code, 0, "%s", said.error);
    cr_assert_not_null(strstr(said.out, "exact"), "%s", said.out);
    cr_assert_not_null(strstr(said.out, "GOP/s"));
    cr_assert_null(strstr(said.out, "nan"));
    cr_assert_null(strchr(said.out, '\033'), "no colours in a file");
    cr_assert_str_eq(said.error, "", "no progress in a file");
    if (d > 0) cr_assert_not_null(strstr(said.out, "weight_shift"));
    spoken_free(&said);
  }
}

#ifdef SYSTOLE_TEST_ARRAY
static double cycles_of(const char *option, const char *value) {
  spoken said = spawn(NULL, "gemm", "-d", SYSTOLE_TEST_ARRAY, "-m", "50", "-n", "50",
                      "-k", "50", "--json", option, value, NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  const double cycles = json_number(object, "cycles");
  cJSON_Delete(object);
  spoken_free(&said);
  return cycles;
}

Test(gemm, memory_and_stalls_cost_cycles_and_seeds_repeat_them) {
  const double ideal = cycles_of(NULL, NULL);
  cr_assert_eq(cycles_of("--memory", "ideal"), ideal);
  cr_assert_gt(cycles_of("--memory", "hbm2"), ideal);
  const double stalled = cycles_of("--stalls", "7");
  cr_assert_gt(stalled, ideal);
  cr_assert_eq(cycles_of("--stalls", "7"), stalled);
  cr_assert_eq(cycles_of("--clock", "150"), ideal, "a clock changes seconds, not cycles");
}
#endif
