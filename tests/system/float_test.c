/* Products of floats as a person asks for them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

static const char *text(const cJSON *object, const char *key) {
  const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
  return value != NULL ? value : "";
}

Test(floats, a_product_says_its_format_its_error_and_its_bound) {
  spoken result = spawn(NULL, "gemm", "--device", "cpu-f32", "-m", "65", "-n", "33", "-k",
                        "129", "--json", NULL);
  cr_assert_eq(result.code, 0, "%s", result.error);
  cJSON *object = json_of(&result);
  cr_expect_str_eq(text(object, "format"), "f32");
  cr_expect_str_eq(text(object, "checked_by"), "double");
  cr_expect_eq(json_number(object, "mismatches"), 0);
  const double error = json_number(object, "largest_error");
  const double bound = json_number(object, "error_bound");
  cr_expect(error > 0 && error < bound, "%g of %g", error, bound);
  /* K u / (1 - K u) with u = 2^-24 */
  const double ku = 129 * 0x1p-24;
  cr_expect_float_eq(bound, ku / (1 - ku), 1e-12);
  cr_expect_gt(json_number(object, "gops_per_cpu_s"), 0);
  cJSON_Delete(object);
  spoken_free(&result);
}

Test(floats, one_row_says_how_near_it_is_to_the_bandwidth) {
  spoken result = spawn(NULL, "gemm", "--device", "cpu", "-m", "1", "-n", "2048", "-k",
                        "2048", "--threads", "1", "--json", NULL);
  cr_assert_eq(result.code, 0, "%s", result.error);
  cJSON *object = json_of(&result);
  cr_expect_gt(json_number(object, "bandwidth_gbs"), 0.2);
  const double percent = json_number(object, "percent_of_bandwidth");
  cr_expect(percent > 1 && percent < 400, "%g %%", percent);
  cJSON_Delete(object);
  spoken_free(&result);
}

Test(floats, files_of_floats_and_of_integers_are_multiplied) {
  char folder[64];
  folder_make(folder);
  const float a[2 * 3] = {1, 2, 3, -0.5F, 0.25F, 4};
  const int8_t b[3 * 2] = {1, -2, 3, 4, 5, -6};
  write_npy(in(folder, "a.npy"), "<f4", 2, 3, a, sizeof a);
  write_npy(in(folder, "b.npy"), "|i1", 3, 2, b, sizeof b);
  spoken result =
      spawn(NULL, "gemm", "--device", "cpu-f32", "--a", in(folder, "a.npy"), "--b",
            in(folder, "b.npy"), "--out", in(folder, "c.npy"), "--json", NULL);
  cr_assert_eq(result.code, 0, "%s", result.error);
  spoken_free(&result);
  FILE *file = fopen(in(folder, "c.npy"), "rb");
  cr_assert_not_null(file);
  char header[128] = "";
  float c[4];
  cr_assert_eq(fread(header, 1, sizeof header, file), sizeof header);
  cr_assert_eq(fread(c, sizeof *c, 4, file), 4);
  fclose(file);
  cr_expect(strstr(header + 10, "'<f4'") != NULL);
  const float expected[4] = {22, -12, 20.25F, -22};
  for (int i = 0; i < 4; i++) cr_expect_eq(c[i], expected[i]);

  /* int8 devices still refuse floats. */
  result = spawn(NULL, "gemm", "--device", "cpu", "--a", in(folder, "a.npy"), "--b",
                 in(folder, "b.npy"), NULL);
  cr_expect_eq(result.code, 2);
  cr_expect(strstr(result.error, "float32") != NULL, "%s", result.error);
  spoken_free(&result);
  folder_remove(folder);
}

Test(floats, wrong_questions_get_a_sentence) {
  spoken result = spawn(NULL, "gemm", "--device", "cpu-f32", "-m", "2", "-n", "2", "-k",
                        "2", "--int8", NULL);
  cr_expect_eq(result.code, 2);
  cr_expect(strstr(result.error, "multiplies floats") != NULL, "%s", result.error);
  spoken_free(&result);
  result =
      spawn(NULL, "gemm", "--device", "cpu-fp16", "-m", "2", "-n", "2", "-k", "2", NULL);
  cr_expect_eq(result.code, 3);
  spoken_free(&result);
  result = spawn(NULL, "conv", "--device", "cpu-f32", "--height", "8", "--width", "8",
                 "--channels", "4", "--out-channels", "4", "--kernel", "3x3", NULL);
  cr_expect_neq(result.code, 0);
  cr_expect(strstr(result.error, "no convolutions") != NULL, "%s", result.error);
  spoken_free(&result);
}

Test(floats, formats_stand_side_by_side_in_a_comparison) {
  char folder[64];
  folder_make(folder);
  spoken result = spawn(NULL, "compare", "--devices", "cpu,cpu-f32", "--sizes",
                        "32,1x64x64", "--out", in(folder, "report"), "--json", NULL);
  cr_assert_eq(result.code, 0, "%s", result.error);
  cJSON *object = json_of(&result);
  const cJSON *results = cJSON_GetObjectItem(object, "results");
  cr_assert_eq(cJSON_GetArraySize(results), 4);
  for (int i = 0; i < 4; i++) {
    const cJSON *entry = cJSON_GetArrayItem(results, i);
    cr_expect_str_eq(text(entry, "format"), i % 2 == 0 ? "int8" : "f32");
    cr_expect_eq(json_number(entry, "mismatches"), 0);
  }
  cJSON_Delete(object);
  spoken_free(&result);
  folder_remove(folder);
}

/* A pretended GPU (tests/support/gpu) through the whole program. */
Test(floats, a_gpu_is_compared_in_every_format_with_its_shares) {
  char folder[64];
  folder_make(folder);
  setenv("SYSTOLE_CUDA", SYSTOLE_FAKE_GPU, 1);
  spoken result =
      spawn(NULL, "compare", "--devices", "cuda,cuda-f32,cuda-tf32,cuda-bf16,cuda-fp16",
            "--sizes", "48x40x72", "--out", in(folder, "report"), "--json", NULL);
  cr_assert_eq(result.code, 0, "%s", result.error);
  cJSON *object = json_of(&result);
  const cJSON *results = cJSON_GetObjectItem(object, "results");
  static const char *const formats[] = {"int8", "f32", "tf32", "bf16", "fp16"};
  cr_assert_eq(cJSON_GetArraySize(results), 5);
  for (int i = 0; i < 5; i++) {
    const cJSON *entry = cJSON_GetArrayItem(results, i);
    cr_expect_str_eq(text(entry, "format"), formats[i]);
    cr_expect_eq(json_number(entry, "mismatches"), 0);
    cr_expect_gt(json_number(entry, "compute_s"), 0);
    cr_expect_gt(json_number(entry, "gops_device"), json_number(entry, "gops"));
    cr_expect_null(cJSON_GetObjectItem(entry, "threads"), "those are the CPU's");
  }
  cJSON_Delete(object);
  spoken_free(&result);

  setenv("SYSTOLE_CUDA", "/nowhere", 1);
  result = spawn(NULL, "gemm", "--device", "cuda", "-m", "2", "-n", "2", "-k", "2", NULL);
  cr_expect_eq(result.code, 3);
  cr_expect(strstr(result.error, "no NVIDIA GPU: SYSTOLE_CUDA is /nowhere") != NULL, "%s",
            result.error);
  spoken_free(&result);
  folder_remove(folder);
}
