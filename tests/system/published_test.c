/* systole published: models of measured machines beside their own figures. The bars are
 * those that the models are held to; nothing in them is fitted. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "spawn.h"

static const cJSON *row_of(const cJSON *object, const char *application) {
  const cJSON *table, *row;
  cJSON_ArrayForEach(table, cJSON_GetObjectItem(object, "tables")) {
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(table, "rows")) {
      const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(row, "application"));
      if (name != NULL && strcmp(name, application) == 0) return row;
    }
  }
  cr_assert_fail("there is no %s", application);
}

static double number(const cJSON *row, const char *part, const char *key) {
  return json_number(cJSON_GetObjectItem(row, part), key);
}

Test(published, tpu_v1_is_near_the_paper) {
  spoken said = spawn(NULL, "published", "tpu-v1", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  static const char *const bound[] = {"MLP0", "MLP1", "LSTM0", "LSTM1"};
  for (size_t i = 0; i < 4; i++) {
    const cJSON *row = row_of(object, bound[i]);
    const double active = number(row, "modelled", "active");
    const double stall = number(row, "modelled", "weight_stall");
    /* Weights hold the array back, as the ledger says. */
    cr_expect(stall > 50, "%s: %f", bound[i], stall);
    cr_expect(stall > number(row, "modelled", "rest") && stall > active, "%s", bound[i]);
    if (i < 2) {
      const double paper = number(row, "published", "active");
      cr_expect(fabs(active - paper) <= 0.25 * paper, "%s: %f, published %f", bound[i],
                active, paper);
    }
    cr_expect_float_eq(json_number(row, "peak_tops"), 91.75, 0.01);
  }
  /* 34 GB/s bound an int8 array at batch 64 and 96. */
  const double lstm0 = number(row_of(object, "LSTM0"), "modelled", "active");
  const double lstm1 = number(row_of(object, "LSTM1"), "modelled", "active");
  cr_expect(lstm0 > 4.0 && lstm0 <= 4.75, "%f", lstm0);
  cr_expect(lstm1 > 6.0 && lstm1 <= 7.15, "%f", lstm1);
  const cJSON *cnn0 = row_of(object, "CNN0");
  cr_expect_eq(number(cnn0, "ledger", "weight_stall"), 0);
  cr_expect_eq(number(cnn0, "ledger", "weight_shift"), 0);
  cr_expect(number(cnn0, "modelled", "active") > 50);
  /* The paper's counts of weights, and operations for each. */
  static const struct {
    const char *name;
    double weights, reuse;
  } counts[] = {{"MLP0", 20e6, 200}, {"MLP1", 5e6, 168},  {"LSTM0", 52e6, 64},
                {"LSTM1", 34e6, 96}, {"CNN0", 8e6, 2888}, {"CNN1", 100e6, 1750}};
  for (size_t i = 0; i < 6; i++) {
    const cJSON *row = row_of(object, counts[i].name);
    const double weights = json_number(row, "weights");
    const double reuse = json_number(row, "macs") / weights;
    cr_expect(fabs(weights / counts[i].weights - 1) < 0.02, "%s: %f", counts[i].name,
              weights);
    cr_expect(fabs(reuse / counts[i].reuse - 1) < 0.02, "%s: %f", counts[i].name, reuse);
  }
  cJSON_Delete(object);
  spoken_free(&said);
}

Test(published, edge_tpu_networks_take_milliseconds) {
  spoken said = spawn(NULL, "published", "edge-tpu", "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  /* MACs of the networks' own papers, and their parameters, in millions. */
  static const struct {
    const char *name;
    double macs, weights;
  } networks[] = {{"MobileNet v1", 569, 4.2},
                  {"MobileNet v2", 300, 3.4},
                  {"Inception v1", 1583, 7.0},
                  {"ResNet-50 v1", 7212, 25.5}};
  for (size_t i = 0; i < 4; i++) {
    const cJSON *row = row_of(object, networks[i].name);
    const double ms = number(row, "modelled", "ms");
    cr_expect(fabs(json_number(row, "macs") / (1e6 * networks[i].macs) - 1) < 0.01);
    cr_expect(fabs(json_number(row, "weights") / (1e6 * networks[i].weights) - 1) < 0.03);
    /* Below the published time, which has the picture's way in it, and not by far. */
    cr_expect(ms < number(row, "published", "usb_ms"), "%s: %f", networks[i].name, ms);
    cr_expect(ms > 0.25 * number(row, "published", "usb_ms"), "%s: %f", networks[i].name,
              ms);
    cr_expect_eq(number(row, "modelled", "link_ms") > 0, i == 3, "%s", networks[i].name);
  }
  cJSON_Delete(object);
  spoken_free(&said);
}

Test(published, shows_tables_and_refuses_in_words) {
  spoken said = spawn(NULL, "published", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_expect_not_null(strstr(said.out, "CNN1"));
  cr_expect_not_null(strstr(said.out, "4.7 and 7.1 %"));
  cr_expect_not_null(strstr(said.out, "Inception v1"));
  spoken_free(&said);
  said = spawn(NULL, "published", "--markdown", NULL);
  cr_assert_eq(said.code, 0);
  cr_expect_not_null(strstr(said.out, "| MLP0 | modelled |"));
  spoken_free(&said);
  said = spawn(NULL, "published", "tpu-v2", NULL);
  cr_expect_eq(said.code, 2);
  cr_expect_not_null(strstr(said.error, "edge-tpu and tpu-v1"));
  spoken_free(&said);
  said = spawn(NULL, "published", "--device", "model:16", NULL);
  cr_expect_eq(said.code, 2);
  spoken_free(&said);
  said = spawn(NULL, "published", "edge-tpu", "--device", "cpu", NULL);
  cr_expect_eq(said.code, 2);
  cr_expect_not_null(strstr(said.error, "model:16"));
  spoken_free(&said);
  /* Another model takes the preset's place. */
  said = spawn(NULL, "published", "edge-tpu", "--device", "model:edge-tpu,clock=960M",
               "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_expect_float_eq(json_number(row_of(object, "MobileNet v1"), "peak_tops"), 7.86,
                     0.01);
  cJSON_Delete(object);
  spoken_free(&said);
}
